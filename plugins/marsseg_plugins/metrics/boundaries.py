"""Boundary IoU and the boundary F-score: whether classes end where they should.

A boundary is where two classes that count meet. Void and ignored pixels are neither in nor out of any class, so neither
the edge of the annotation nor that of the image is a boundary, of the truth or of the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, MetricSpec, mean_defined, param


@dataclass(frozen=True)
class BoundaryIoU(Metric):
    """Boundary IoU: the IoU of what lies near the boundaries, of each class's inner rims in truth and prediction.

    The rim of a class are its pixels with a pixel of another class that counts at most d rows and d columns away, where
    d is `dilation` times the diagonal of the image, at least 1: as the erosion by 3 × 3 pixels of the authors' code.
    Intersections and unions of the true and the predicted rim are summed over the images, and the mean is taken over
    the classes with a rim in the truth. Undefined where neither truth nor prediction has a rim.

    Cheng and others, arXiv 2103.16562, whose rim includes the edge of the image; here that is no evidence, nor is void.
    """

    dilation: float = param(0.02, help="width of the rim as a share of the image's diagonal", above=0, maximum=1)

    label = "Boundary IoU"
    explanation = (
        "Intersection over union of the inner rims of the classes, where two classes meet; rims are 2 % of the image's "
        "diagonal wide unless the plan says otherwise."
    )
    per_class = "boundary_iou"
    needs_predictions = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """(K, 3): pixels in both rims, in either, and in that of the truth."""
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
    """Boundary F-score: how much of the predicted contours is true, and of the true ones found, within a tolerance.

    The contour of a class are its pixels beside (of eight neighbours) a pixel of another class that counts. Precision
    is the share of the predicted contour with a true one at a Euclidean distance of at most `tolerance` pixels, recall
    the share of the true one with a predicted one so near; F = 2·P·R / (P + R), 0 where only one of the contours is
    there. It is taken for each class in each image that has the contour in truth or prediction, then the mean over the
    images, then over the classes with a contour in the truth. Undefined where there is no contour at all.

    Csurka and others, *What is a good evaluation measure for semantic segmentation?*, BMVC 2013, who tolerate 0.75 % of
    the diagonal (1 pixel of images of 64 × 128); for objects in video, Perazzi and others, CVPR 2016.
    """

    tolerance: float = param(1.0, help="distance, in pixels, at which contours still agree", minimum=0)

    label = "Boundary F-score"
    explanation = (
        "How much of the predicted contours is true and of the true ones found, within a tolerance in pixels (1 unless "
        "the plan says otherwise): per class and image, then the means."
    )
    per_class = "boundary_f"
    needs_predictions = True

    def count(self, mask: np.ndarray, prediction: np.ndarray, spec: MetricSpec) -> np.ndarray:
        """(K, 3): the score, whether there is one, and whether the truth has a contour."""
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
    """Where a class (H, W) bool has, among the valid pixels, others at most `width` rows and columns away."""
    from scipy import ndimage

    others = valid & ~inside
    near: np.ndarray = ndimage.maximum_filter(others, size=2 * width + 1, mode="constant", cval=0)
    return near & inside & valid


def _f_score(true: np.ndarray, predicted: np.ndarray, tolerance: float) -> float:
    """F of two contours (H, W) bool, of which one at least is there."""
    from scipy import ndimage

    if not (true.any() and predicted.any()):
        return 0.0
    precision = (ndimage.distance_transform_edt(~true)[predicted] <= tolerance).mean()
    recall = (ndimage.distance_transform_edt(~predicted)[true] <= tolerance).mean()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0
