"""Build the task (network, losses and weighting) and the training batches of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from ..components.semi_layer import SemiLayer
from ..components.weighting_layer import WeightingLayer
from ..conventions import TargetFunction, Transform
from ..data.arrays import SegmentationData
from ..data.batches import TrainingBatches
from ..data.split import Split
from ..data.statistics import items_with
from ..data.views import PairedBatches, ViewBatches
from ..errors import PluginError, RequestError, nearest
from ..networks.build import encoder_options
from ..networks.heads import split_heads
from ..networks.keras_backend.devices import choose_compiler
from ..networks.keras_backend.settings import precision
from ..planning.invoke import build_component, call_component
from ..planning.options import RAREST, AugmentationOptions, TrainingOptions
from ..planning.plan import Plan
from ..planning.resolved import weighting_spec
from ..registry import kinds
from .encoder_training import EncoderTraining
from .feed import BatchFeed
from .objective import Objective
from .prepared import prepare_augmentation
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
            f"A window of {rows} × {columns} pixels does not fit in images of {height} × {width}.",
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


def training_batches(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    transforms: Sequence[tuple[Transform, float]] = (),
    targets: Mapping[str, TargetFunction] | None = None,
    part: tuple[int, int] = (0, 1),
) -> TrainingBatches:
    """Return the batches of the training subset, sampled as the plan says: the i-th of n equal parts, `part` (i, n).

    Raises RequestError where the plan favours a class that the training subset does not have.
    """
    training = plan.training
    return TrainingBatches(
        data,
        split["train"],
        transforms,
        batch=training.batch,
        seed=training.seed,
        oversample=training.oversample,
        favoured_class=_favoured_class(training, data, split["train"]),
        targets=targets,
        crop=crop_of(plan, data),
        crop_focus=training.crop_focus,
        fill=training.devices is not None,
        part=part,
    )


def _favoured_class(training: TrainingOptions, data: SegmentationData, items: np.ndarray) -> int | None:
    """Return the class that `training.oversample_class` names; None for the rarest one."""
    name = training.oversample_class
    if name == RAREST:
        return None
    where = f"training.oversample_class={name}"
    names = [data.class_names[c] for c in data.labelled_classes]
    if name not in names:
        ignored = name in data.class_names
        raise RequestError(
            f"The class '{name}' is ignored." if ignored else f"There is no class '{name}'.",
            where=where,
            hint=nearest(name, names, listing="The classes that count"),
        )
    c = data.class_names.index(name)
    if not len(items_with(data, items, c)):
        raise RequestError(
            f"No image of the training subset has the class '{name}'.",
            where=where,
            hint="Name a class that some have, or draw another split: --set split.seed=1.",
        )
    return c


def build_task(
    plan: Plan, network: keras.Model, objective: Objective, semi: SemiLayer | None = None
) -> SegmentationTask:
    """Return the network joined with its losses, their weighting, and the semi-supervised method if there is one.

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
            objective.with_images,
            build_encoder_training(plan, network),
            semi,
        )
    choose_compiler(task.scored)
    return task


def build_encoder_training(plan: Plan, network: keras.Model) -> EncoderTraining | None:
    """Return how the plan's encoder is trained; None where it is trained like the rest of the network."""
    options = encoder_options(plan)
    return EncoderTraining(network, options) if options is not None and options.trained_apart else None


def build_batches(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    objective: Objective,
    views: ViewBatches | None = None,
    part: tuple[int, int] = (0, 1),
) -> BatchFeed:
    """Return the batches of the training subset, with augmentations and the targets that the losses need.

    With `views`, each batch also has views of images without labels. `part` (i, n) makes the i-th of n equal parts of
    each batch.
    """
    items = split["train"]
    transforms = [
        (prepare_augmentation(augmentation, data, items), augmentation.options.p)
        for augmentation in plan.resolved[kinds.AUGMENTATION]
        if isinstance(augmentation.options, AugmentationOptions)
    ]
    batches = training_batches(plan, data, split, transforms, objective.targets, part)
    prepared = batches if views is None else PairedBatches(batches, views)
    return BatchFeed(prepared, plan.training.workers, plan.training.worker_kind)
