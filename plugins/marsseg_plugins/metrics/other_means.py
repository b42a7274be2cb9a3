"""Mean IoU over other pixels, classes or images than the headline's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import (
    Metric,
    MetricSpec,
    confusion_matrix,
    mean_iou,
    mean_iou_of_all_pixels,
    mean_iou_of_present,
)


@dataclass(frozen=True)
class CourseMeanIoU(Metric):
    """Mean IoU of the AN2DL course, as inferred: an ignored class may be predicted, and joins the mean with 0.

    Labelled pixels, decoded over all classes; the mean over the classes present in truth or prediction. A single
    labelled pixel that is predicted as background costs a whole class's share.
    """

    label = "mIoU, AN2DL"
    explanation = (
        "The course's score as inferred: labelled pixels only, but an ignored class may be predicted, and it then "
        "joins the mean with IoU 0: a single such pixel costs a whole class's share. Not comparable with the headline."
    )
    all_classes = True
    in_tables = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_iou_of_present(counts, spec.ignore_classes)


@dataclass(frozen=True)
class AllPixelsMeanIoU(Metric):
    """Mean IoU over all pixels but void: what is predicted on ground of ignored classes counts too.

    Decoded over all classes; the mean over the classes that count and occur.
    """

    label = "mIoU, all pixels"
    explanation = (
        "Ground of ignored classes is scored too: any other class predicted on it counts as wrong. Mean over the "
        "classes from 1 on."
    )
    all_classes = True
    in_tables = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_iou_of_all_pixels(counts, spec.ignore_classes)


@dataclass(frozen=True)
class MeanIoUPerImage(Metric):
    """Mean IoU of each image on its own, then the mean over the images that have one: every image counts the same."""

    label = "mIoU per image"
    explanation = "One score for each image, then their mean: every image counts the same."
    needs_predictions = True
    in_tables = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Its score, and that it has one."""
        score = mean_iou(confusion_matrix(mask, prediction, spec.num_classes), spec.ignore_classes)
        return np.array([0.0, 0.0] if np.isnan(score) else [score, 1.0])

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        total, images = counts
        return float(total / images) if images else float("nan")
