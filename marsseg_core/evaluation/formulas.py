"""The formulas of the metrics of a confusion matrix (K, K) whose rows are the truth. Undefined values are NaN."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


def counted_rows(matrix: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    """Copy a confusion matrix without the pixels of ignored classes.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.
        ignore_classes: The classes whose rows become 0.

    Returns:
        The copy, (K, K).
    """
    counted = matrix.copy()
    counted[list(ignore_classes)] = 0
    return counted


def mean_defined(values: np.ndarray) -> float:
    """Compute the mean of the values that are not NaN; NaN if all of them are."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def iou_per_class(matrix: np.ndarray) -> np.ndarray:
    """Compute the intersection over union (IoU) of each class.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.

    Returns:
        The IoU of each class, (K,); NaN for a class that occurs neither in the truth nor in the prediction.
    """
    intersection = np.diagonal(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        iou: np.ndarray = intersection / union
    return iou


def mean_with_support(values: np.ndarray, matrix: np.ndarray) -> float:
    """Compute the mean of values per class over the classes that occur in the truth.

    Args:
        values: A value for each class, (K,).
        matrix: The confusion matrix, (K, K), rows are the truth.

    Returns:
        The mean of the values that are not NaN; NaN if the truth has no class.
    """
    return mean_defined(values[matrix.sum(1) > 0])


def mean_iou(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Compute the mean IoU over the classes that occur in the truth, without the pixels of ignored classes.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.
        ignore_classes: The classes whose pixels are left out.
    """
    matrix = counted_rows(matrix, ignore_classes)
    return mean_with_support(iou_per_class(matrix), matrix)


def mean_iou_of_present(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Compute the mean IoU over the classes that occur in truth or prediction, without the pixels of ignored classes.

    An ignored class is part of the mean, with an IoU of 0, if one of the other pixels is predicted as this class.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.
        ignore_classes: The classes whose pixels are left out.
    """
    return mean_defined(iou_per_class(counted_rows(matrix, ignore_classes)))


def mean_iou_of_all_pixels(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Compute the mean IoU over the classes that are not ignored, with the pixels of ignored classes.

    A pixel of an ignored class that is predicted as another class lowers the IoU of that class. A class that occurs
    neither in the truth nor in the prediction is left out of the mean.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.
        ignore_classes: The classes that are left out of the mean.
    """
    return mean_defined(np.delete(iou_per_class(matrix), list(ignore_classes)))


def accuracy(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Compute the share of the labelled pixels that are predicted correctly; NaN if there is no labelled pixel.

    Args:
        matrix: The confusion matrix, (K, K), rows are the truth.
        ignore_classes: The classes whose pixels are left out.
    """
    matrix = counted_rows(matrix, ignore_classes)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")
