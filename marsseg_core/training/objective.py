"""From a plan and its data to the losses that are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..components.specs import LossSpec
from ..conventions import LossFunction, TargetFunction
from ..data.arrays import SegmentationData
from ..data.splits import Split
from ..data.statistics import class_pixels
from ..errors import PluginError, RequestError
from ..planning.invoke import build_component, call_component
from ..planning.plan import Plan
from ..planning.resolved import ResolvedComponent, loss_names
from ..registry import kinds


def _loss_function(resolved: ResolvedComponent, spec: LossSpec) -> LossFunction:
    """A loss whose failures name it, and that gives a scalar or is refused."""
    function = build_component(resolved, spec)
    if not callable(function):
        raise PluginError(f"The {resolved.entry.label} builds {function!r}, not a function of labels and logits.")

    def loss(labels: Any, logits: Any, *targets: Any) -> Any:
        value = call_component(resolved, function, labels, logits, *targets)
        shape = getattr(value, "shape", None)
        if shape is None or len(shape):
            what = repr(value) if shape is None else f"a tensor of shape {tuple(shape)}"
            raise PluginError(f"The {resolved.entry.label} gives {what}, not a scalar tensor.")
        return value

    return loss


@dataclass(frozen=True)
class Objective:
    """A plan's losses for a data set, by the names they go by: functions, and the targets some of them want."""

    spec: LossSpec
    functions: Mapping[str, LossFunction]
    targets: Mapping[str, TargetFunction]


def build_objective(plan: Plan, data: SegmentationData, split: Split) -> Objective:
    """The plan's losses, with the frequencies of classes in the training subset."""
    frequencies = class_pixels(data, split["train"])
    if not any(frequencies[c] for c in data.labelled_classes):
        raise RequestError("No pixel of the training subset has a class that counts.", where=data.source)
    spec = LossSpec(data.num_classes, () if plan.training.learn_ignored else data.ignore_classes, frequencies)
    resolved = plan.resolved[kinds.LOSS]
    named = dict(zip(loss_names(resolved), resolved, strict=True))
    wanted = {name: call_component(each, each.component.targets, spec) for name, each in named.items()}
    return Objective(
        spec,
        {name: _loss_function(each, spec) for name, each in named.items()},
        {
            name: partial(call_component, named[name], function)
            for name, function in wanted.items()
            if function is not None
        },
    )
