"""Build the semi-supervised method of a plan, and what it needs of the input pipeline and of the training loop."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from ..components.semi_layer import SemiLayer
from ..components.semi_specs import SemiSpec, Views
from ..conventions import Transform
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..data.views import ViewBatches
from ..errors import PluginError
from ..networks.keras_backend.settings import precision
from ..planning.invoke import build_component, call_component, nested_components
from ..planning.options import AugmentationOptions, Options, SemiOptions
from ..planning.plan import Plan
from ..planning.resolved import ResolvedComponent
from ..registry import kinds
from ..runs.unlabelled import Unlabelled
from .assembly import input_shape
from .prepared import prepare_augmentation


def build_semi(plan: Plan, spec: SemiSpec) -> SemiLayer | None:
    """Build the layer of the plan's semi-supervised method; None if it has none.

    Raises PluginError where the component does not build a SemiLayer.
    """
    if not plan.resolved[kinds.METHOD]:
        return None
    resolved = plan.resolved[kinds.METHOD][0]
    with precision("float32"):
        layer = build_component(resolved, spec)
    if not isinstance(layer, SemiLayer):
        raise PluginError(f"The {resolved.entry.label} builds a {type(layer).__name__}, not a SemiLayer.")
    return layer


def build_views(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    unlabelled: Unlabelled,
    labels: np.ndarray | None = None,
    part: tuple[int, int] = (0, 1),
) -> ViewBatches:
    """Return the views of the images without labels, with the labels that the method has made, if it has.

    `part` (i, n) makes the i-th of n equal parts of each batch. Raises RequestError where the strong view moves pixels.
    """
    resolved = plan.resolved[kinds.METHOD][0]
    views: Views = call_component(resolved, lambda: resolved.component.views)
    options = resolved.options
    batch = options.batch if isinstance(options, SemiOptions) else None
    height, width, _ = input_shape(plan, data)
    batches = ViewBatches(
        unlabelled.images,
        _transforms(plan, resolved, views.weak, data, split),
        _transforms(plan, resolved, views.strong, data, split),
        batch=batch or plan.training.batch,
        seed=plan.training.seed,
        size=(height, width),
        cutmix=views.cutmix,
        labels=labels,
        uses_weak=views.uses_weak,
        part=part,
    )
    batches.check()
    return batches


def _transforms(
    plan: Plan, owner: ResolvedComponent, text: str, data: SegmentationData, split: Split
) -> list[tuple[Transform, float]]:
    """Return the functions of a composition of augmentations, each with its probability."""
    return [
        (prepare_augmentation(each, data, split["train"]), each.options.p)
        for each in nested_components(kinds.AUGMENTATION, text, plan.catalog, owner.entry)
        if isinstance(each.options, AugmentationOptions)
    ]


def factor_at(epoch: int, options: SemiOptions) -> float:
    """Return the factor of the term in an epoch, counted from 0.

    It rises as exp(−5 (1 − t)²) from t = 0 to t = 1. Source: Tarvainen and Valpola, arXiv 1703.01780.
    """
    done = min(1.0, epoch / options.ramp) if options.ramp else 1.0
    return options.weight * math.exp(-5 * (1 - done) ** 2)


class SemiRamp(keras.callbacks.Callback):
    """Set the factor of the images without labels before each epoch, and log it as `semi_weight`."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        assert isinstance(options, SemiOptions)
        self._options = options

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the factor of this epoch."""
        self.model.semi.factor.assign(np.float32(factor_at(epoch, self._options)))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the factor of this epoch."""
        logs["semi_weight"] = factor_at(epoch, self._options)
