"""From a plan to a network, and to the task that trains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from .. import kinds
from ..backend import choose_compiler, precision
from ..components import LossSpec, NetworkSpec, WeightingSpec
from ..composition import components
from ..data.arrays import SegmentationData
from ..data.splits import Split
from ..data.statistics import class_pixels
from ..errors import MarssegError, PluginError
from ..plan import Chosen, Plan
from .heads import split_heads
from .task import SegmentationTask


def build_network(plan: Plan, image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """The plan's network for images of `image_shape` (H, W, C), with weights drawn from the plan's seed."""
    height, width, channels = image_shape
    compose = partial(components, kinds.BOTTLENECK)
    spec = NetworkSpec(height, width, channels, num_classes, plan.components(kinds.BOTTLENECK), compose)
    keras.utils.set_random_seed(plan.training.seed)
    with precision(plan.training.precision):
        network: keras.Model = built(plan.chosen[kinds.ARCHITECTURE][0], spec)
    given, expected = tuple(split_heads(network.output)[0].shape), (None, height, width, num_classes)
    if given != expected:
        entry = plan.chosen[kinds.ARCHITECTURE][0].entry
        raise PluginError(f"The {entry.label} gives logits of shape {given}, not {expected}.")
    return network


def built(chosen: Chosen, *arguments: Any) -> Any:
    """What a component builds; a failure names the component."""
    build: Callable[..., Any] = chosen.component.build
    try:
        return build(*arguments)
    except MarssegError:
        raise
    except Exception as cause:
        raise PluginError(
            f"The {chosen.entry.label} cannot be built: {type(cause).__name__}: {cause}", where=repr(chosen.component)
        ) from cause


def build_task(plan: Plan, network: keras.Model, data: SegmentationData, split: Split) -> SegmentationTask:
    """The network with its objective, compiled with AdamW."""
    frequencies = class_pixels(data.masks[split["train"]], data.num_classes)
    loss_spec = LossSpec(data.num_classes, data.ignored, frequencies)
    names = _distinct([chosen.entry.name for chosen in plan.chosen[kinds.LOSS]])
    losses = {name: built(c, loss_spec) for name, c in zip(names, plan.chosen[kinds.LOSS], strict=True)}
    weights = tuple(float(chosen.values["weight"]) for chosen in plan.chosen[kinds.LOSS])  # type: ignore[arg-type]
    with precision(plan.training.precision):
        weighting = built(plan.chosen[kinds.WEIGHTING][0], WeightingSpec(tuple(names), weights))
        task = SegmentationTask(network, losses, weighting, data.ignored)
    choose_compiler(task.scored)
    return task


def _distinct(names: list[str]) -> list[str]:
    """Number the names that stand more than once: dice, dice2."""
    return [
        name if names[:i].count(name) == 0 else f"{name}{names[:i].count(name) + 1}" for i, name in enumerate(names)
    ]
