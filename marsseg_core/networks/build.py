"""From a plan to a network."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ..components.interfaces import NetworkSpec
from ..planning.invoke import built, nested
from ..planning.plan import Plan
from ..registry import kinds
from .checks import CheckedBottleneck, check_network, check_readable
from .keras_backend import precision


def build_network(plan: Plan, image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """The plan's network for images of `image_shape` (H, W, C), with weights drawn from the plan's seed."""
    with precision(plan.training.precision):
        keras.utils.set_random_seed(plan.training.seed)
        return assemble_network(plan, image_shape, num_classes)


def assemble_network(plan: Plan, image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """The plan's network, checked, from Keras' random state and dtype policy as they are."""
    height, width, channels = image_shape
    chosen = plan.chosen[kinds.ARCHITECTURE][0]
    bottlenecks = tuple(CheckedBottleneck(each) for each in plan.chosen[kinds.BOTTLENECK])

    def compose(text: str) -> tuple[CheckedBottleneck, ...]:
        return tuple(map(CheckedBottleneck, nested(kinds.BOTTLENECK, text, plan.catalog, chosen.entry)))

    spec = NetworkSpec(height, width, channels, num_classes, bottlenecks, compose)
    network: keras.Model = built(chosen, spec)
    check_network(network, chosen, bottlenecks, (height, width), num_classes)
    check_readable(network, (chosen, *chosen.parts, *plan.chosen[kinds.BOTTLENECK]))
    return network
