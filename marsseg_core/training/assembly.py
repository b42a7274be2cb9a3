"""From a plan to a network, and to the task and the batches that train it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..components.weighting_layer import WeightingLayer
from ..conventions import VOID, Transform
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.splits import Split
from ..errors import PluginError, RequestError
from ..networks.heads import split_heads
from ..networks.keras_backend import choose_compiler, precision
from ..planning.invoke import build_component, call_component
from ..planning.options import AugmentationOptions
from ..planning.plan import Plan
from ..planning.resolved import ResolvedComponent, weighting_spec
from ..registry import kinds
from .objective import Objective
from .task import SegmentationTask


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
        weighting = build_component(plan.resolved[kinds.WEIGHTING][0], weighting_spec(plan.resolved[kinds.LOSS]))
    if not isinstance(weighting, WeightingLayer):
        label = plan.resolved[kinds.WEIGHTING][0].entry.label
        raise PluginError(f"The {label} builds a {type(weighting).__name__}, not a WeightingLayer.")
    # Weightings that train have their weights from here on, before the optimiser looks for them.
    call_component(plan.resolved[kinds.WEIGHTING][0], weighting.build, (weighting.count,))
    with precision(plan.training.precision):
        task = SegmentationTask(
            network,
            objective.functions,
            weighting,
            objective.spec.ignore_classes,
            head_weights,
            plan.training.averaging,
        )
    choose_compiler(task.scored)
    return task


def build_batches(plan: Plan, data: SegmentationData, split: Split, objective: Objective) -> TrainingBatches:
    """The training subset, augmented, with what the losses want to know of it."""
    transforms = [
        (
            _transform(each, call_component(each, each.component.prepare, data, split["train"]), data),
            each.options.p,
        )
        for each in plan.resolved[kinds.AUGMENTATION]
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


def _transform(resolved: ResolvedComponent, function: Transform, data: SegmentationData) -> Transform:
    """What an augmentation applies, whose failures name it."""

    def transform(images: np.ndarray, masks: np.ndarray, generators: Any) -> tuple[np.ndarray, np.ndarray]:
        shapes = images.shape, masks.shape
        both = call_component(resolved, function, images, masks, generators)
        if not (isinstance(both, tuple) and len(both) == 2):
            raise PluginError(f"The {resolved.entry.label} gives a {type(both).__name__}, not (images, masks).")
        images, masks = both
        given = np.shape(images), np.shape(masks)
        if given != shapes:
            raise PluginError(
                f"The {resolved.entry.label} gives images and masks of shapes {given[0]} and {given[1]}, "
                f"not {shapes[0]} and {shapes[1]}.",
                where=repr(resolved.component),
            )
        if len(unknown := masks[(masks >= data.num_classes) & (masks != VOID)]):
            raise PluginError(f"The {resolved.entry.label} gives a mask with label {unknown[0]}, which is no class.")
        return images, masks

    return transform
