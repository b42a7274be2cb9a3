"""Mean IoU, Dice and frequency-weighted IoU: the overlap of the predicted and the true area of a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, counted_rows, iou_per_class, mean_iou, mean_with_support


@dataclass(frozen=True)
class MeanIoU(Metric):
    """Mean IoU: intersection over union of each class over all images, then the mean over the classes with support.

    The IoU of a class is TP / (TP + FP + FN) over the labelled pixels, with predictions among the classes that are not
    ignored. Undefined for a class that is in neither truth nor prediction.

    Papers: Jaccard 1912; for the mean over classes, Everingham and others, doi:10.1007/s11263-014-0733-5.
    """

    label = "mIoU"
    explanation = (
        "The main score. Labelled pixels only, with predictions among the classes that are not ignored: intersection "
        "over union of each class over the whole subset, then the mean over the classes with support."
    )
    per_class = "iou"
    in_tables = in_history = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_iou(counts, spec.ignore_classes)

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        return iou_per_class(counted_rows(counts, spec.ignore_classes))


@dataclass(frozen=True)
class Dice(Metric):
    """Dice: twice the overlap divided by the sum of both areas, the mean over the classes with support; also called F1.

    For a class it is 2·TP / (2·TP + FP + FN), the harmonic mean of precision and recall. Undefined for a class that is
    in neither truth nor prediction.

    Paper: Dice 1945, doi:10.2307/1932409.
    """

    label = "Dice"
    explanation = (
        "Twice the overlap of predicted and true area, divided by their sum, per class; then the mean as for mIoU."
    )
    per_class = "dice"

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_with_support(self.values(counts, spec), counted_rows(counts, spec.ignore_classes))

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        matrix = counted_rows(counts, spec.ignore_classes)
        with np.errstate(invalid="ignore"):
            return 2 * np.diagonal(matrix) / (matrix.sum(0) + matrix.sum(1))


@dataclass(frozen=True)
class FrequencyWeightedIoU(Metric):
    """Frequency-weighted IoU: the mean IoU, with each class weighted by its share of the labelled pixels.

    The value is Σ (n_c / n) · IoU_c over the classes with support. Undefined where no pixel is labelled.

    Paper: Long, Shelhamer and Darrell, arXiv 1411.4038.
    """

    label = "Frequency-weighted IoU"
    explanation = (
        "The mean IoU, with each class weighted by its share of the labelled pixels. Large classes dominate it."
    )

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        matrix = counted_rows(counts, spec.ignore_classes)
        support = matrix.sum(1)
        if not support.any():
            return float("nan")
        return float(np.average(iou_per_class(matrix)[support > 0], weights=support[support > 0]))
