"""Read the scores of a subset from metrics.json, or compute them from its confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..planning.metrics import MetricTable

Scores = dict[str, float | None]  # by name; None is an undefined score


def metric_values(scores: Mapping[str, Any]) -> Scores:
    """Flatten the scores of one subset in metrics.json.

    Args:
        scores: The table of the subset, with values per metric and per class.

    Returns:
        The scores by name, such as "miou", and "iou_soil" for the class soil. None is an undefined score.

    Example:
        >>> metric_values({"miou": 0.5, "per_class": {"iou": {"soil": 0.4, "sand": None}}})
        {'miou': 0.5, 'iou_soil': 0.4, 'iou_sand': None}
    """
    flat: Scores = {}
    for name, value in scores.items():
        if value is None or isinstance(value, float):
            flat[name] = value
        elif isinstance(value, Mapping) and all(v is None or isinstance(v, float) for v in value.values()):
            flat |= _class_scores(name, value)
    for word, values in scores.get("per_class", {}).items():
        flat |= _class_scores(word, values)
    return flat


def score_text(value: float | None, undefined: str) -> str:
    """Return a score for tables, with four digits; `undefined` is the text where it has no value."""
    return undefined if value is None else f"{value:z.4f}"


def _class_scores(word: str, values: Mapping[str, Any]) -> Scores:
    return {f"{word}_{label}": value for label, value in values.items()}


def scores_from_matrix(
    known: Mapping[str, Any], matrix: Any, class_names: Sequence[str], ignore_classes: Sequence[int], table: MetricTable
) -> Scores:
    """Compute the scores that are not in `known` from a recorded confusion matrix.

    This adds metrics that an older version did not record, or that were installed after the run.

    Args:
        known: the scores that the run recorded
        matrix: the confusion matrix (K, K) as nested lists; if it is None or does not match the classes, the result is
            empty
        class_names: the names of the K classes
        ignore_classes: the numbers of the ignored classes
        table: the metrics to compute
    """
    # Imported here, as a comparison of recorded scores needs neither NumPy nor the code of metrics.
    import numpy as np

    from ..components.specs import MetricSpec
    from ..evaluation.measure import class_values_of, or_none, skip_failing_metrics, value_of

    size = len(class_names)
    if matrix is None or [len(row) for row in matrix] != [size] * size:
        return {}
    counts = np.array(matrix, np.int64)
    spec = MetricSpec(size, tuple(ignore_classes))
    scores: Scores = {}
    for name, metric in table.resolved.items():
        component = metric.component
        if component.needs_predictions or component.all_classes or name in known:
            continue
        with skip_failing_metrics():
            scores[name] = or_none(value_of(metric, counts, spec))
            if component.per_class:
                values = class_values_of(metric, counts, spec, class_names)
                scores |= _class_scores(component.per_class, {label: or_none(value) for label, value in values.items()})
    return scores
