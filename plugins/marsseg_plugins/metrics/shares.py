"""Precision and recall: what share of a class's predicted, and of its true pixels, is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, counted_rows, mean_with_support


@dataclass(frozen=True)
class Precision(Metric):
    """Precision: of the labelled pixels predicted as a class, the share that is; the mean over the classes.

    TP / (TP + FP). Undefined for a class that is never predicted, which is then left out of the mean: see it beside
    recall, which is 0 there.
    """

    label = "Precision"
    explanation = (
        "Of the labelled pixels predicted as a class, the share that is that class. A class that is never predicted "
        "has none, and is left out of the mean."
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
    """Recall: of the labelled pixels of a class, the share that is predicted as it; the mean over the classes.

    TP / (TP + FN), also called class accuracy. Undefined for a class without support, which is left out of the mean.
    """

    label = "Recall"
    explanation = "Of the labelled pixels of a class, the share that is predicted as it; the mean over the classes."
    per_class = "recall"

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_with_support(self.values(counts, spec), counted_rows(counts, spec.ignore_classes))

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        matrix = counted_rows(counts, spec.ignore_classes)
        with np.errstate(invalid="ignore"):
            return np.diagonal(matrix) / matrix.sum(1)
