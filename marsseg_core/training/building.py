"""From a plan to a network, and to the task and the batches that train it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from .. import kinds
from ..backend import choose_compiler, precision
from ..components import VOID, LossFunction, LossSpec, NetworkSpec, TargetFunction, Transform
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.splits import Split
from ..data.statistics import class_pixels
from ..errors import PluginError, RequestError
from ..options import AugmentationOptions
from ..plan import Chosen, Plan, built, calling, loss_names, nested, weighting_spec
from .heads import split_heads
from .network_checks import CheckedBottleneck, check_network, check_readable
from .task import SegmentationTask
from .weighting import WeightingLayer


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


def _built_loss(chosen: Chosen, spec: LossSpec) -> LossFunction:
    """A loss whose failures name it, and that gives a scalar or is refused."""
    function = built(chosen, spec)
    if not callable(function):
        raise PluginError(f"The {chosen.entry.label} builds {function!r}, not a function of labels and logits.")

    def loss(labels: Any, logits: Any, *targets: Any) -> Any:
        value = calling(chosen, function, labels, logits, *targets)
        shape = getattr(value, "shape", None)
        if shape is None or len(shape):
            what = repr(value) if shape is None else f"a tensor of shape {tuple(shape)}"
            raise PluginError(f"The {chosen.entry.label} gives {what}, not a scalar tensor.")
        return value

    return loss


@dataclass(frozen=True)
class Objective:
    """A plan's losses for a data set, by the names they go by: functions, and the targets some of them want."""

    spec: LossSpec
    functions: Mapping[str, LossFunction]
    targets: Mapping[str, TargetFunction]


def build_objective(plan: Plan, data: SegmentationData, split: Split) -> Objective:
    """The plan's losses, with the frequencies of classes in the training part."""
    frequencies = class_pixels(data, split["train"])
    if not any(frequencies[c] for c in data.labelled_classes):
        raise RequestError("No pixel of the training part has a class that counts.", where=data.source)
    spec = LossSpec(data.num_classes, () if plan.training.learn_ignored else data.ignored, frequencies)
    chosen = plan.chosen[kinds.LOSS]
    named = dict(zip(loss_names(chosen), chosen, strict=True))
    wanted = {name: calling(each, each.component.targets, spec) for name, each in named.items()}
    return Objective(
        spec,
        {name: _built_loss(each, spec) for name, each in named.items()},
        {name: partial(calling, named[name], function) for name, function in wanted.items() if function is not None},
    )


def build_task(plan: Plan, network: keras.Model, objective: Objective) -> SegmentationTask:
    """The network with its objective."""
    heads, head_weights = split_heads(network.output)[1], plan.training.head_weights
    if head_weights is not None and len(head_weights) != len(heads):
        raise RequestError(
            f"{len(head_weights)} head_weights do not fit the network's {len(heads)} auxiliary heads.",
            where="training.head_weights",
            hint=f"The heads are {', '.join(heads)}." if heads else "This network has none: leave head_weights out.",
        )
    # In float32, as the losses are; the task follows the policy, by which the optimiser scales them.
    with precision("float32"):
        weighting = built(plan.chosen[kinds.WEIGHTING][0], weighting_spec(plan.chosen[kinds.LOSS]))
    if not isinstance(weighting, WeightingLayer):
        label = plan.chosen[kinds.WEIGHTING][0].entry.label
        raise PluginError(f"The {label} builds a {type(weighting).__name__}, not a WeightingLayer.")
    # Weightings that train have their weights from here on, before the optimiser looks for them.
    calling(plan.chosen[kinds.WEIGHTING][0], weighting.build, (weighting.count,))
    with precision(plan.training.precision):
        task = SegmentationTask(
            network,
            objective.functions,
            weighting,
            objective.spec.ignored,
            head_weights,
            plan.training.averaging,
        )
    choose_compiler(task.scored)
    return task


def build_batches(plan: Plan, data: SegmentationData, split: Split, objective: Objective) -> TrainingBatches:
    """The training part, augmented, with what the losses want to know of it."""
    transforms = [
        (
            _transform(each, calling(each, each.component.prepare, data, split["train"]), data),
            each.options.p,
        )
        for each in plan.chosen[kinds.AUGMENTATION]
        if isinstance(each.options, AugmentationOptions)
    ]
    return TrainingBatches(
        data,
        split["train"],
        transforms,
        batch=plan.training.batch,
        seed=plan.training.seed,
        workers=plan.training.workers,
        oversample=plan.training.oversample,
        targets=objective.targets,
    )


def _transform(chosen: Chosen, function: Transform, data: SegmentationData) -> Transform:
    """What an augmentation applies, whose failures name it."""

    def transform(images: np.ndarray, masks: np.ndarray, generators: Any) -> tuple[np.ndarray, np.ndarray]:
        shapes = images.shape, masks.shape
        both = calling(chosen, function, images, masks, generators)
        if not (isinstance(both, tuple) and len(both) == 2):
            raise PluginError(f"The {chosen.entry.label} gives a {type(both).__name__}, not (images, masks).")
        images, masks = both
        given = np.shape(images), np.shape(masks)
        if given != shapes:
            raise PluginError(
                f"The {chosen.entry.label} gives images and masks of shapes {given[0]} and {given[1]}, "
                f"not {shapes[0]} and {shapes[1]}.",
                where=repr(chosen.component),
            )
        if len(unknown := masks[(masks >= data.num_classes) & (masks != VOID)]):
            raise PluginError(f"The {chosen.entry.label} gives a mask with label {unknown[0]}, which is no class.")
        return images, masks

    return transform
