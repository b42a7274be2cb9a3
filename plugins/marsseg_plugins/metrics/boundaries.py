"""Boundary IoU and the boundary F-score: whether the boundaries of classes are in the right place.

A boundary is where two classes that are not ignored meet. Void and ignored pixels are neither inside nor outside any
class, so neither the edge of the annotation nor the edge of the image is a boundary, in truth or prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, mean_defined, opencv, param

from ..euclidean import distances_to, rectangle_around


@dataclass(frozen=True)
class BoundaryIoU(Metric):
    """Boundary IoU: the IoU of the inner rims of the classes, near their boundaries.

    The rim of a class is the set of its pixels that have a pixel of another class, which is not ignored, at most d rows
    and d columns away. d is `dilation` times the diagonal of the image, and at least 1; this is the same as the erosion
    by 3 × 3 pixels in the authors' code. Intersections and unions of the true and the predicted rims are summed over
    the images. The value is the mean over the classes with a rim in the truth. Undefined where there is none.

    Paper: Cheng and others, arXiv 2103.16562. There the rim includes the edge of the image; here neither the edge of
    the image nor void pixels make a rim.
    """

    dilation: float = param(0.02, help="width of the rim, as a share of the diagonal of the image", above=0, maximum=1)

    label = "Boundary IoU"
    explanation = (
        "Intersection over union of the inner rims of the classes, where two classes meet. The width of a rim is 2 % "
        "of the diagonal of the image, unless the plan sets another width."
    )
    per_class = "boundary_iou"
    needs_predictions = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Count the pixels in both rims, in either rim and in the true rim of each class, (K, 3)."""
        width = max(1, round(self.dilation * float(np.hypot(*mask.shape))))
        counts = np.zeros((spec.num_classes, 3), np.int64)
        valid = np.isin(mask, spec.counted)
        for c in spec.counted:
            true, predicted = (_near_others(classes == c, valid, width) for classes in (mask, prediction))
            counts[c] = (true & predicted).sum(), (true | predicted).sum(), true.sum()
        return counts

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_defined(self.values(counts, spec)[counts[:, 2] > 0])

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return counts[:, 0] / counts[:, 1]


@dataclass(frozen=True)
class BoundaryF(Metric):
    """Boundary F-score: how well predicted and true contours match, within a tolerance in pixels.

    The contour of a class is the set of its pixels that have, among their eight neighbours, a pixel of another class
    that is not ignored. Precision is the share of the predicted contour that has a true contour pixel at a Euclidean
    distance of at most `tolerance` pixels. Recall is the share of the true contour with a predicted contour pixel as
    near. The score is F = 2·P·R / (P + R), and 0 where there is only one of the contours. It is computed for each class
    in each image that has its contour in truth or prediction. The value is the mean over the images, then over the
    classes with a contour in the truth. Undefined where there is none.

    Paper: Csurka and others, *What is a good evaluation measure for semantic segmentation?*, BMVC 2013, with a
    tolerance of 0.75 % of the diagonal (1 pixel in images of 64 × 128). For objects in video: Perazzi and others, CVPR
    2016.
    """

    tolerance: float = param(1.0, help="largest distance, in pixels, at which contours match", minimum=0)

    label = "Boundary F-score"
    explanation = (
        "F-score of predicted and true contours that match within a tolerance in pixels (1, unless the plan sets "
        "another): per class and image, then the means."
    )
    per_class = "boundary_f"
    needs_predictions = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """Compute the score, whether there is one, and whether the truth has a contour, for each class, (K, 3)."""
        counts = np.zeros((spec.num_classes, 3))
        valid = np.isin(mask, spec.counted)
        for c in spec.counted:
            true, predicted = (_near_others(classes == c, valid, 1) for classes in (mask, prediction))
            if true.any() or predicted.any():
                counts[c] = _f_score(true, predicted, self.tolerance), 1, true.any()
        return counts

    def value(self, counts: np.ndarray, spec: MetricSpec) -> float:
        return mean_defined(self.values(counts, spec)[counts[:, 2] > 0])

    def values(self, counts: np.ndarray, spec: MetricSpec) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return counts[:, 0] / counts[:, 1]


def _near_others(inside: np.ndarray, valid: np.ndarray, width: int) -> np.ndarray:
    """Return where valid pixels of a class have valid pixels of others at most `width` rows and columns away.

    All arrays are (H, W) bool; `inside` is True at the pixels of the class.
    """
    cv2 = opencv()
    others = (valid & ~inside).view(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    near = cv2.dilate(others, square, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(bool)
    return near & inside & valid


def _f_score(true: np.ndarray, predicted: np.ndarray, tolerance: float) -> float:
    """Return the F-score of two contours (H, W) bool; at least one of them must have a pixel."""
    if not (true.any() and predicted.any()):
        return 0.0
    place = rectangle_around(true | predicted)
    true, predicted = true[place], predicted[place]
    precision = (distances_to(true)[predicted] <= tolerance).mean()
    recall = (distances_to(predicted)[true] <= tolerance).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0
