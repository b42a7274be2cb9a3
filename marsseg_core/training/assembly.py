"""Build the task (network, losses and weighting) and the training batches of a plan."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..components.weighting_layer import WeightingLayer
from ..conventions import VOID, Transform
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.split import Split
from ..data.warps import Warp, WarpTransform
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


def crop_of(plan: Plan, data: SegmentationData) -> tuple[int, int] | None:
    """Return the rows and columns of the window that is cut from each training image; None for whole images.

    Raises RequestError where an image is smaller than the window.
    """
    if plan.training.crop is None:
        return None
    rows, columns = plan.training.crop
    height, width = data.images.shape[1:3]
    if rows > height or columns > width:
        raise RequestError(
            f"A window of {rows} × {columns} pixels does not fit into images of {height} × {width}.",
            where=f"training.crop={rows},{columns}",
            hint="Choose a smaller window, or larger images (height and width, or scale, of the data set).",
        )
    return rows, columns


def input_shape(plan: Plan, data: SegmentationData) -> tuple[int, int, int]:
    """Return the shape (H, W, C) of the images that the network of a plan takes.

    Raises RequestError where an image is smaller than the window of `training.crop`.
    """
    height, width = crop_of(plan, data) or data.images.shape[1:3]
    return height, width, data.images.shape[-1]


def build_task(plan: Plan, network: keras.Model, objective: Objective) -> SegmentationTask:
    """Return the network joined with its losses and their weighting.

    Raises RequestError where `head_weights` does not match the network's auxiliary heads, and PluginError where the
    weighting component does not build a WeightingLayer.
    """
    heads, head_weights = split_heads(network.output)[1], plan.training.head_weights
    if head_weights is not None and len(head_weights) != len(heads):
        raise RequestError(
            f"{len(head_weights)} head_weights do not fit the network's {len(heads)} auxiliary heads.",
            where="training.head_weights",
            hint=f"The heads are {', '.join(heads)}." if heads else "This network has none: leave head_weights out.",
        )
    # The weighting works in float32, as the losses do. The task has the plan's precision, so that Keras scales the
    # loss for float16.
    with precision("float32"):
        weighting = build_component(plan.resolved[kinds.WEIGHTING][0], weighting_spec(plan.resolved[kinds.LOSS]))
    if not isinstance(weighting, WeightingLayer):
        label = plan.resolved[kinds.WEIGHTING][0].entry.label
        raise PluginError(f"The {label} builds a {type(weighting).__name__}, not a WeightingLayer.")
    # A weighting's trainable variables must exist before the optimizer is built.
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
    """Return the batches of the training subset, with augmentations and the targets that the losses need."""
    items = split["train"]
    transforms = [
        (
            _transform(augmentation, call_component(augmentation, augmentation.component.prepare, data, items), data),
            augmentation.options.p,
        )
        for augmentation in plan.resolved[kinds.AUGMENTATION]
        if isinstance(augmentation.options, AugmentationOptions)
    ]
    return TrainingBatches(
        data,
        items,
        transforms,
        batch=plan.training.batch,
        seed=plan.training.seed,
        workers=plan.training.workers,
        oversample=plan.training.oversample,
        targets=objective.targets,
        crop=crop_of(plan, data),
    )


def _transform(resolved: ResolvedComponent, function: Transform, data: SegmentationData) -> Transform:
    """Wrap the function of an augmentation: check its result, and name the augmentation in every error."""
    if isinstance(function, WarpTransform):
        return _warp_transform(resolved, function)

    def transform(images: np.ndarray, masks: np.ndarray, generators: Any) -> tuple[np.ndarray, np.ndarray]:
        shapes = images.shape, masks.shape
        result = call_component(resolved, function, images, masks, generators)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise PluginError(f"The {resolved.entry.label} returns a {type(result).__name__}, not (images, masks).")
        images, masks = result
        new_shapes = np.shape(images), np.shape(masks)
        if new_shapes != shapes:
            raise PluginError(
                f"The {resolved.entry.label} returns images and masks of shapes {new_shapes[0]} and {new_shapes[1]}, "
                f"not {shapes[0]} and {shapes[1]}.",
                where=repr(resolved.component),
            )
        if len(unknown := masks[(masks >= data.num_classes) & (masks != VOID)]):
            raise PluginError(
                f"The {resolved.entry.label} returns a mask with the label {unknown[0]}, which is not a class."
            )
        return images, masks

    return transform


def _warp_transform(resolved: ResolvedComponent, transform: WarpTransform) -> WarpTransform:
    """Wrap the transform of an augmentation that draws warps, as `_transform` does."""

    def draw(height: int, width: int, generators: Any) -> list[Warp]:
        warps: list[Warp] = call_component(resolved, transform.draw, height, width, generators)
        for warp in warps:
            if not isinstance(warp, Warp):
                raise PluginError(f"The {resolved.entry.label} returns a {type(warp).__name__}, not a Warp.")
            if warp.places.ndim == 3 and warp.places.shape != (2, height, width):
                raise PluginError(
                    f"The {resolved.entry.label} returns a warp with the shape {warp.places.shape}, not "
                    f"{(2, height, width)}.",
                    where=repr(resolved.component),
                )
        return warps

    return WarpTransform(draw)
