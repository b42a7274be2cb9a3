"""Accuracy and Cohen's kappa: the share of correct pixels, and the agreement beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, accuracy, counted_rows


@dataclass(frozen=True)
class Accuracy(Metric):
    """Accuracy: the share of the labelled pixels that are predicted correctly.

    Undefined where no pixel is labelled.
    """

    label = "Accuracy"
    explanation = "Share of the labelled pixels that are predicted correctly. Large classes dominate it."
    in_tables = in_history = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return accuracy(counts, spec.ignore_classes)


@dataclass(frozen=True)
class Kappa(Metric):
    """Cohen's kappa: the agreement of truth and prediction beyond what is expected by chance.

    The value is (p − e) / (1 − e), with p the accuracy and e = Σ (share of a class in the truth) · (its share in the
    prediction). 1 is perfect, 0 is chance, and below 0 is worse than chance. Undefined where e is 1 (truth and
    prediction are one class), and where no pixel is labelled.

    Paper: Cohen 1960, doi:10.1177/001316446002000104.
    """

    label = "Cohen's kappa"
    explanation = "Agreement beyond what the shares of the classes give by chance: 1 is perfect, 0 is chance."
    bounds = (-1.0, 1.0)

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        matrix = counted_rows(counts, spec.ignore_classes)
        total = matrix.sum()
        if not total:
            return float("nan")
        by_chance = float((matrix.sum(0) / total) @ (matrix.sum(1) / total))
        if by_chance == 1:
            return float("nan")
        return (float(np.trace(matrix) / total) - by_chance) / (1 - by_chance)
