"""Variants of mean IoU, over other pixels, classes or images than the main score `miou`."""

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
    """Mean IoU of the AN2DL course, as inferred: an ignored class can be predicted, and then has an IoU of 0.

    It is computed on the labelled pixels, with predictions among all classes. The mean is over the classes that are in
    truth or prediction. So a single labelled pixel that is predicted as background adds one more class, of IoU 0, to
    the mean.
    """

    label = "mIoU, AN2DL"
    explanation = (
        "The score of the course, as inferred: labelled pixels only, but an ignored class can be predicted. A single "
        "such pixel adds a class with IoU 0 to the mean. Not comparable with mIoU."
    )
    all_classes = True
    in_tables = True
    about_ignored = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_iou_of_present(counts, spec.ignore_classes)


@dataclass(frozen=True)
class AllPixelsMeanIoU(Metric):
    """Mean IoU over all pixels except void: predictions on pixels of ignored classes count as well.

    Predictions are among all classes. The mean is over the classes that occur and are not ignored.
    """

    label = "mIoU, all pixels"
    explanation = (
        "Pixels of ignored classes are scored as well: any other class that is predicted there is wrong. Mean over "
        "the classes that are not ignored."
    )
    all_classes = True
    in_tables = True
    about_ignored = True

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_iou_of_all_pixels(counts, spec.ignore_classes)


@dataclass(frozen=True)
class MeanIoUPerImage(Metric):
    """Mean IoU per image: the mean over the images of the mean IoU of each image, so all images have the same weight.

    Images without a score are left out.
    """

    label = "mIoU per image"
    explanation = "Mean over the images of the mean IoU of each image: all images have the same weight."
    needs_predictions = True
    in_tables = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Compute the score of the image, and whether it has one: 1, or 0."""
        score = mean_iou(confusion_matrix(mask, prediction, spec.num_classes), spec.ignore_classes)
        return np.array([0.0, 0.0] if np.isnan(score) else [score, 1.0])

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        total, images = counts
        return float(total / images) if images else float("nan")
