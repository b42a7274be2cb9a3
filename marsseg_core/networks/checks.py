"""Check output shapes and bottlenecks of a new network, and that it can be saved and loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from ..components.interfaces import Architecture, Bottleneck, Encoder, NetworkSpec
from ..components.specs import BottleneckSpec, EncoderSpec
from ..errors import PluginError
from ..messages import get_logger
from ..planning.invoke import build_component
from ..planning.options import EncoderOptions
from ..planning.resolved import ResolvedComponent
from .heads import MAIN, PRESENCE, split_heads

_logger = get_logger(__name__)


class CheckedBottleneck(Bottleneck):
    """Wrap a bottleneck of a plan for the architecture: check its output, and name the bottleneck in every error.

    `used` is True once the architecture has called it.
    """

    def __init__(self, resolved: ResolvedComponent) -> None:
        self.resolved = resolved
        self.used = False

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        """Apply the bottleneck. Raises PluginError where its output has another height or width than its input."""
        self.used = True
        output = build_component(self.resolved, features, spec)
        shape, expected = getattr(output, "shape", None), tuple(features.shape[:3])
        if shape is None or tuple(shape[:3]) != expected:
            what = output if shape is None else f"a feature map of shape {tuple(shape)}"
            raise PluginError(
                f"The {self.resolved.entry.label} returns {what} for a feature map of shape {tuple(features.shape)}.",
                where=repr(self.resolved.component),
                hint="A bottleneck must not change height and width.",
            )
        return output


class CheckedEncoder(Encoder):
    """Wrap the encoder of a plan for the architecture: check its output, and name the encoder in every error.

    `used` is True once the architecture has called it.
    """

    def __init__(self, resolved: ResolvedComponent) -> None:
        self.resolved = resolved
        self.used = False

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        """Apply the encoder. Raises PluginError where its maps are not what the interface requires."""
        self.used = True
        options = self.resolved.options
        if isinstance(options, EncoderOptions) and options.output_stride is not None:
            spec = replace(spec, output_stride=options.output_stride)
        maps = build_component(self.resolved, images, spec)
        if problem := _problem_of_maps(maps, tuple(images.shape), spec):
            raise PluginError(f"The {self.resolved.entry.label} {problem}.", where=repr(self.resolved.component))
        return dict(maps)


def _problem_of_maps(maps: Any, images: tuple[int, ...], spec: EncoderSpec) -> str:
    """Return what is wrong with the maps of an encoder for images of a shape (B, H, W, C), or ""."""
    if not isinstance(maps, dict) or not maps:
        return f"returns {maps!r}, not feature maps by their strides"
    first = next(iter(maps))
    expected = [stride for stride in (1, 2, 4, 8, 16, 32) if first <= stride <= spec.output_stride]
    if first > 4 or list(maps) != expected:
        return f"returns maps of the strides {list(maps)}, not those up to {spec.output_stride} from 1, 2 or 4 on"
    for stride, features in maps.items():
        shape, size = tuple(getattr(features, "shape", ())), (images[1] // stride, images[2] // stride)
        if len(shape) != 4 or shape[1:3] != size:
            return f"returns a map of shape {shape} for the stride {stride} and images of shape {images}"
    return ""


class CheckedArchitecture(Architecture):
    """Wrap an architecture inside another one: check its output, and name it in every error."""

    def __init__(self, resolved: ResolvedComponent) -> None:
        self.resolved = resolved

    def build(self, spec: NetworkSpec) -> keras.Model:
        """Build the network. Raises PluginError where its outputs have wrong shapes."""
        network: keras.Model = build_component(self.resolved, spec)
        check_network(network, self.resolved, None, (), (spec.height, spec.width), spec.num_classes)
        return network


def check_network(
    network: Any,
    resolved: ResolvedComponent,
    encoder: CheckedEncoder | None,
    bottlenecks: Sequence[CheckedBottleneck],
    size: tuple[int, int],
    num_classes: int,
) -> None:
    """Check the output shapes of a network, and that it uses encoder and bottlenecks. Raises PluginError if not.

    `size` is (H, W). The logits must be (B, H, W, K), and so must the auxiliary heads, except `presence`, (B, K).
    """
    label = resolved.entry.label
    if not isinstance(network, keras.Model):
        raise PluginError(f"The {label} builds {network!r}, not a keras.Model.")
    outputs = getattr(network, "output", None)
    if not (hasattr(outputs, "shape") or (isinstance(outputs, dict) and MAIN in outputs)):
        raise PluginError(
            f"The {label} builds a network whose output is {outputs!r}.",
            hint=f"Build a functional model whose output is logits, or a dictionary of '{MAIN}' and auxiliary heads.",
        )
    logits, heads = split_heads(outputs)
    expected = (None, *size, num_classes)
    for name, output in {MAIN: logits, **heads}.items():
        required = (None, num_classes) if name == PRESENCE else expected
        if tuple(output.shape) != required:
            raise PluginError(f"The {label} returns {name} of shape {tuple(output.shape)}, not {required}.")
    if encoder is not None and not encoder.used:
        raise PluginError(
            f"The {label} does not use the encoder: {encoder.resolved.entry.name}.",
            hint="Its author must call spec.encode(images), or set takes_encoder = False.",
        )
    if unused := [bottleneck.resolved.entry.name for bottleneck in bottlenecks if not bottleneck.used]:
        raise PluginError(
            f"The {label} does not use the bottleneck: {', '.join(unused)}.",
            hint="Its author must call spec.bottleneck(features), or set takes_bottleneck = False.",
        )


def check_readable(network: keras.Model, owners: Sequence[ResolvedComponent]) -> None:
    """Check that each layer of the network can be saved and loaded.

    `owners` are the components that built the network. Raises PluginError where Keras cannot load a layer that it has
    saved. Warns of each layer whose module no owner names, since that module may not be imported when the network is
    loaded.
    """
    layers = [layer for layer in network._flatten_layers(include_self=False) if not _is_keras(layer)]
    modules = {module for owner in owners for module in (owner.entry.module, *owner.component.layer_modules)}
    unnamed = set()
    for layer in layers:
        cls = type(layer)
        try:
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer), safe_mode=True)
        except Exception as cause:
            raise PluginError(
                f"The network could not be loaded after the training, because of its layer '{layer.name}' "
                f"({cls.__module__}.{cls.__qualname__}): {(str(cause).strip() or repr(cause)).splitlines()[0]}",
                hint="Register a custom layer with @keras.saving.register_keras_serializable, and let its get_config "
                "return all arguments of its constructor. Lambda layers are never loaded.",
            ) from cause
        if not any(_defines(module, cls) for module in modules):
            unnamed.add(f"{cls.__module__}.{cls.__qualname__}")
    for name in sorted(unnamed):
        _logger.warning(
            f"Loading the network may fail: no component names the module of its layer {name} in layer_modules."
        )


def _is_keras(layer: keras.Layer) -> bool:
    return type(layer).__module__.partition(".")[0] == "keras" and not isinstance(layer, keras.layers.Lambda)


def _defines(module: str, cls: type) -> bool:
    """Return whether importing `module` defines the class: in the module, in a submodule, or by an import."""
    is_inside = f"{cls.__module__}.".startswith(f"{module}.")
    return is_inside or getattr(sys.modules.get(module), cls.__name__, None) is cls
