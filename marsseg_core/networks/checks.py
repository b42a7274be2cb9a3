"""What is asked of a network before it is trained: that it is what its plan says, and can be read again afterwards."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import keras

from ..components.interfaces import Bottleneck
from ..components.specs import BottleneckSpec
from ..errors import PluginError
from ..messages import get_logger
from ..planning.invoke import build_component
from ..planning.resolved import ResolvedComponent
from .heads import MAIN, PRESENCE, split_heads

_logger = get_logger(__name__)


class CheckedBottleneck(Bottleneck):
    """A bottleneck of a plan, as an architecture is given it: what is wrong in it, it is blamed for itself.

    `used` says whether the architecture has called it.
    """

    def __init__(self, resolved: ResolvedComponent) -> None:
        self.resolved = resolved
        self.used = False

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        self.used = True
        given = build_component(self.resolved, features, spec)
        shape, expected = getattr(given, "shape", None), tuple(features.shape[:3])
        if shape is None or tuple(shape[:3]) != expected:
            what = given if shape is None else f"a map of shape {tuple(shape)}"
            raise PluginError(
                f"The {self.resolved.entry.label} gives {what} for one of {tuple(features.shape)}.",
                where=repr(self.resolved.component),
                hint="A bottleneck keeps height and width.",
            )
        return given


def check_network(
    network: Any,
    resolved: ResolvedComponent,
    bottlenecks: Sequence[CheckedBottleneck],
    size: tuple[int, int],
    num_classes: int,
) -> None:
    """PluginError where an architecture gives no network for images of this size and these classes."""
    label = resolved.entry.label
    if not isinstance(network, keras.Model):
        raise PluginError(f"The {label} builds {network!r}, not a keras.Model.")
    outputs = getattr(network, "output", None)
    if not (hasattr(outputs, "shape") or (isinstance(outputs, dict) and MAIN in outputs)):
        raise PluginError(
            f"The {label} builds a network whose output is {outputs!r}.",
            hint=f"A functional model gives logits, or a dictionary with '{MAIN}' and its auxiliary heads.",
        )
    logits, heads = split_heads(outputs)
    expected = (None, *size, num_classes)
    for name, output in {MAIN: logits, **heads}.items():
        wanted = (None, num_classes) if name == PRESENCE else expected
        if tuple(output.shape) != wanted:
            raise PluginError(f"The {label} gives {name} of shape {tuple(output.shape)}, not {wanted}.")
    if unused := [each.resolved.entry.name for each in bottlenecks if not each.used]:
        raise PluginError(
            f"The {label} leaves the bottleneck out: {', '.join(unused)}.",
            hint="Its author calls spec.bottleneck(features), or says takes_bottleneck = False.",
        )


def check_readable(network: keras.Model, owners: Sequence[ResolvedComponent]) -> None:
    """PluginError where a layer cannot be written and read again; a warning where its module may not be found then.

    `owners` are the components that have built the network.
    """
    layers = [layer for layer in network._flatten_layers(include_self=False) if not _is_keras(layer)]
    modules = {module for owner in owners for module in (owner.entry.module, *owner.component.layer_modules)}
    lost = set()
    for layer in layers:
        kind = type(layer)
        try:
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer), safe_mode=True)
        except Exception as cause:
            raise PluginError(
                f"The network cannot be read again after the training: its layer '{layer.name}', of "
                f"{kind.__module__}.{kind.__qualname__}, cannot: {(str(cause).strip() or repr(cause)).splitlines()[0]}",
                hint="A layer of one's own is registered with @keras.saving.register_keras_serializable, and its "
                "get_config gives all that its constructor takes. A Lambda is never read.",
            ) from cause
        if not any(_gives(module, kind) for module in modules):
            lost.add(f"{kind.__module__}.{kind.__qualname__}")
    for name in sorted(lost):
        line = f"The network may not be read again: no component names the module of its layer {name} in layer_modules."
        _logger.warning(line)


def _is_keras(layer: keras.Layer) -> bool:
    return type(layer).__module__.partition(".")[0] == "keras" and not isinstance(layer, keras.layers.Lambda)


def _gives(module: str, kind: type) -> bool:
    """Whether importing a module defines the class: in it, below it, or where it imports it from."""
    within = f"{kind.__module__}.".startswith(f"{module}.")
    return within or getattr(sys.modules.get(module), kind.__name__, None) is kind
