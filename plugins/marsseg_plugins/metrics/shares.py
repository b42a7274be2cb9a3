"""Precision and recall: the correct share of the predicted and of the true pixels of a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, counted_rows, mean_with_support


@dataclass(frozen=True)
class Precision(Metric):
    """Precision: the share of correct pixels among those predicted as a class; the mean over the classes.

    For a class it is TP / (TP + FP), over the labelled pixels. Undefined for a class that is never predicted, which is
    left out of the mean. So look at recall as well, which is 0 for such a class.
    """

    label = "Precision"
    explanation = (
        "Share of correct pixels among the labelled pixels that are predicted as a class; then the mean over the "
        "classes. A class that is never predicted has no precision, and is left out of the mean."
    )
    per_class = "precision"

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_with_support(self.values(counts, spec), counted_rows(counts, spec.ignore_classes))

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        matrix = counted_rows(counts, spec.ignore_classes)
        with np.errstate(invalid="ignore"):
            return np.diagonal(matrix) / matrix.sum(0)


@dataclass(frozen=True)
class Recall(Metric):
    """Recall: the share of the labelled pixels of a class that is predicted correctly; the mean over the classes.

    For a class it is TP / (TP + FN); also called class accuracy. Undefined for a class without support, which is left
    out of the mean.
    """

    label = "Recall"
    explanation = "Share of the labelled pixels of a class that is predicted correctly; then the mean over the classes."
    per_class = "recall"

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_with_support(self.values(counts, spec), counted_rows(counts, spec.ignore_classes))

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        matrix = counted_rows(counts, spec.ignore_classes)
        with np.errstate(invalid="ignore"):
            return np.diagonal(matrix) / matrix.sum(1)
