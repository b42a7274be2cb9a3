"""Build the network of a plan."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ..components.interfaces import Architecture, NetworkSpec
from ..planning.invoke import build_component, nested_components
from ..planning.options import EncoderOptions
from ..planning.plan import Plan
from ..registry import kinds
from .checks import CheckedArchitecture, CheckedBottleneck, CheckedEncoder, check_network, check_readable
from .encoder_layers import freeze_encoder
from .frozen import FrozenNetwork, open_run
from .keras_backend.kernels import add_biases_in_float32
from .keras_backend.settings import precision
from .precision import settle_precision


def build_network(plan: Plan, image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """Build and check the plan's network for images of shape (H, W, C), with weights drawn from the plan's seed."""
    (plan,) = settle_precision([plan])  # `show --build` builds the networks of recipes
    with precision(plan.training.precision):
        keras.utils.set_random_seed(plan.training.seed)
        network = assemble_network(plan, image_shape, num_classes)
    add_biases_in_float32(network)
    return network


def encoder_options(plan: Plan) -> EncoderOptions | None:
    """Return the options of the plan's encoder, or None where it has no encoder."""
    for resolved in plan.resolved[kinds.ENCODER]:
        if isinstance(resolved.options, EncoderOptions):
            return resolved.options
    return None


def assemble_network(plan: Plan, image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """Build and check the plan's network with Keras' present random state and dtype policy.

    Raises PluginError where the architecture, the encoder or a bottleneck does not build what its interface requires.
    """
    height, width, channels = image_shape
    resolved = plan.resolved[kinds.ARCHITECTURE][0]
    encoder = next(map(CheckedEncoder, plan.resolved[kinds.ENCODER]), None)
    bottlenecks = tuple(CheckedBottleneck(each) for each in plan.resolved[kinds.BOTTLENECK])

    def compose(text: str) -> tuple[CheckedBottleneck, ...]:
        return tuple(map(CheckedBottleneck, nested_components(kinds.BOTTLENECK, text, plan.catalog, resolved.entry)))

    def compose_architecture(text: str) -> Architecture:
        several = nested_components(kinds.ARCHITECTURE, text, plan.catalog, resolved.entry)
        if len(several) != 1:
            raise ValueError(f"'{text}' must name one architecture")
        return CheckedArchitecture(several[0])

    def open_planned_run(path: str) -> FrozenNetwork:
        return open_run(resolved.component, path, plan.session, image_shape, num_classes)

    spec = NetworkSpec(
        height, width, channels, num_classes, bottlenecks, compose, encoder, compose_architecture, open_planned_run
    )
    network: keras.Model = build_component(resolved, spec)
    check_network(network, resolved, encoder, bottlenecks, (height, width), num_classes)
    check_readable(network, (*resolved.with_inner, *plan.resolved[kinds.ENCODER], *plan.resolved[kinds.BOTTLENECK]))
    if (options := encoder_options(plan)) is not None and options.freeze is True:
        freeze_encoder(network)
    return network
