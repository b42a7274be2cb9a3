"""From a plan to a network, and to the task that trains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from .. import kinds
from ..backend import choose_compiler, precision
from ..components import LossFunction, LossSpec, NetworkSpec, WeightingSpec
from ..composition import components
from ..data.arrays import SegmentationData
from ..data.splits import Split
from ..data.statistics import class_pixels
from ..errors import MarssegError, PluginError, RequestError
from ..plan import Chosen, LossOptions, Plan
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
    """What a component builds. A ValueError means that its parameters do not fit here, any other failure is its own."""
    try:
        return calling(chosen, chosen.component.build, *arguments)
    except PluginError as error:
        if isinstance(error.__cause__, ValueError):
            raise RequestError(
                f"The {chosen.entry.label} does not fit: {error.__cause__}", where=repr(chosen.component)
            ) from error
        raise


def calling(chosen: Chosen, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a component's code; what it raises becomes a PluginError that names the component."""
    try:
        return function(*arguments)
    except MarssegError:
        raise
    except Exception as cause:
        raise PluginError(
            f"The {chosen.entry.label} failed: {type(cause).__name__}: {cause}",
            where=repr(chosen.component),
            hint="`marsseg --traceback …` shows where.",
        ) from cause


def _built_loss(chosen: Chosen, spec: LossSpec) -> LossFunction:
    """A loss whose failures name it, and that gives a scalar or is refused."""
    function = built(chosen, spec)

    def loss(labels: Any, logits: Any) -> Any:
        value = calling(chosen, function, labels, logits)
        if len(value.shape):
            raise PluginError(f"The {chosen.entry.label} gives a tensor of shape {tuple(value.shape)}, not a scalar.")
        return value

    return loss


def build_task(plan: Plan, network: keras.Model, data: SegmentationData, split: Split) -> SegmentationTask:
    """The network with its objective, compiled with AdamW."""
    frequencies = class_pixels(data.masks[split["train"]], data.num_classes)
    if not any(frequencies[c] for c in data.labelled_classes):
        raise RequestError("No pixel of the training part has a class that counts.", where=data.source)
    loss_spec = LossSpec(data.num_classes, data.ignored, frequencies)
    names = _distinct([chosen.entry.name for chosen in plan.chosen[kinds.LOSS]])
    losses = {name: _built_loss(c, loss_spec) for name, c in zip(names, plan.chosen[kinds.LOSS], strict=True)}
    options = [chosen.options for chosen in plan.chosen[kinds.LOSS]]
    weights = tuple(option.weight for option in options if isinstance(option, LossOptions))
    # In float32, as the losses are; the task follows the policy, by which the optimiser scales them.
    with precision("float32"):
        weighting = built(plan.chosen[kinds.WEIGHTING][0], WeightingSpec(tuple(names), weights))
    with precision(plan.training.precision):
        task = SegmentationTask(network, losses, weighting, data.ignored)
    choose_compiler(task.scored)
    return task


def _distinct(names: list[str]) -> list[str]:
    """Number the names that stand more than once: dice, dice2."""
    return [
        name if names[:i].count(name) == 0 else f"{name}{names[:i].count(name) + 1}" for i, name in enumerate(names)
    ]
