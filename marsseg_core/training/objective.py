"""Build the losses of a plan for a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..components.specs import LossSpec
from ..conventions import LossFunction, TargetFunction
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..data.statistics import class_pixels
from ..errors import PluginError, RequestError
from ..networks.frozen import FrozenNetwork, open_run
from ..planning.invoke import build_component, call_component
from ..planning.plan import Plan
from ..planning.resolved import ResolvedComponent, loss_names
from ..registry import kinds
from .prepared import prepare_targets


def _loss_function(resolved: ResolvedComponent, spec: LossSpec) -> LossFunction:
    """Build a loss and wrap it: errors name the loss, and a result that is no scalar tensor raises PluginError."""
    function = build_component(resolved, spec)
    if not callable(function):
        raise PluginError(f"The {resolved.entry.label} builds {function!r}, not a function of labels and logits.")

    def loss(labels: Any, logits: Any, *targets: Any, **images: Any) -> Any:
        value = call_component(resolved, partial(function, **images), labels, logits, *targets)
        shape = getattr(value, "shape", None)
        if shape is None or len(shape):
            what = repr(value) if shape is None else f"a tensor of shape {tuple(shape)}"
            raise PluginError(f"The {resolved.entry.label} returns {what}, not a scalar tensor.")
        return value

    return loss


@dataclass(frozen=True)
class Objective:
    """The losses of a plan, built for a data set.

    `functions` has each loss by its name, `targets` the function that computes the targets of those losses that need
    some (such as distance maps of the labels). `with_images` are the names of the losses that also take the images.
    """

    spec: LossSpec
    functions: Mapping[str, LossFunction]
    targets: Mapping[str, TargetFunction]
    with_images: frozenset[str] = frozenset()


def build_objective(plan: Plan, data: SegmentationData, split: Split) -> Objective:
    """Build the plan's losses, with the class frequencies of the training subset.

    Raises RequestError where the training subset has no pixel of a class that is not ignored.
    """
    frequencies = class_pixels(data, split["train"])
    if not any(frequencies[c] for c in data.labelled_classes):
        raise RequestError("No pixel of the training subset has a class that is not ignored.", where=data.source)
    spec = LossSpec(data.num_classes, () if plan.training.learn_ignored else data.ignore_classes, frequencies)
    resolved = plan.resolved[kinds.LOSS]
    losses = dict(zip(loss_names(resolved), resolved, strict=True))
    targets = {name: prepare_targets(loss, spec) for name, loss in losses.items()}
    with_images = frozenset(name for name, loss in losses.items() if loss.component.wants_images)
    size = tuple(data.images.shape[1:3])
    if with_images and plan.training.crop not in (None, size):
        raise RequestError(
            f"The loss '{min(with_images)}' needs whole images, as the network is scored on them.",
            where="training.crop",
            hint="Leave crop out, or let the data set cut its images (resize=tiles).",
        )

    def spec_of(resolved: ResolvedComponent) -> LossSpec:
        def open_planned_run(path: str) -> FrozenNetwork:
            return open_run(resolved.component, path, plan.session, data.images.shape[1:], data.num_classes)

        return replace(spec, open_run=open_planned_run)

    return Objective(
        spec,
        {name: _loss_function(loss, spec_of(loss)) for name, loss in losses.items()},
        {name: function for name, function in targets.items() if function is not None},
        with_images,
    )
