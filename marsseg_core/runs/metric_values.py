"""The scores of a subset that was scored, by name, from what metrics.json holds of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..planning.metrics import MetricTable

Scores = dict[str, float | None]  # None is undefined


def metric_values(scores: Mapping[str, Any]) -> Scores:
    """Name the scores of a subset of metrics.json: "miou", …, and "iou_soil", … for each class."""
    found: Scores = {}
    for name, value in scores.items():
        if value is None or isinstance(value, float):
            found[name] = value
        elif isinstance(value, Mapping) and all(v is None or isinstance(v, float) for v in value.values()):
            found |= _of_classes(name, value)
    for word, values in scores.get("per_class", {}).items():
        found |= _of_classes(word, values)
    return found


def _of_classes(word: str, values: Mapping[str, Any]) -> Scores:
    return {f"{word}_{label}": value for label, value in values.items()}


def supplied(
    known: Mapping[str, Any], matrix: Any, class_names: Sequence[str], ignore_classes: Sequence[int], table: MetricTable
) -> Scores:
    """The scores that are not `known` and that a confusion matrix (K, K) has: of an older run, or for a metric that
    was installed since. Nothing where the matrix is None or not that of these classes."""
    # A comparison by what the runs have kept needs neither NumPy nor a metric's code.
    import numpy as np

    from ..components.specs import MetricSpec
    from ..evaluation.measure import class_values_of, or_none, value_of, without_those_that_fail

    counts = np.array(() if matrix is None else matrix)
    if counts.shape != (len(class_names),) * 2 or counts.dtype.kind not in "iu":
        return {}
    spec = MetricSpec(len(class_names), tuple(ignore_classes))
    found: Scores = {}
    for name, metric in table.resolved.items():
        component = metric.component
        if component.needs_predictions or component.all_classes or name in known:
            continue
        with without_those_that_fail():
            found[name] = or_none(value_of(metric, counts, spec))
            if component.per_class:
                values = class_values_of(metric, counts, spec, class_names)
                found |= _of_classes(component.per_class, {label: or_none(value) for label, value in values.items()})
    return found
