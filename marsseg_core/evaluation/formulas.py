"""What is read off a confusion matrix (K, K), rows the truth: shares of pixels, NaN where undefined."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


def counted_rows(matrix: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    """Leave the pixels of ignored classes out of a confusion matrix (K, K): their rows are 0."""
    counted = matrix.copy()
    counted[list(ignore_classes)] = 0
    return counted


def mean_defined(values: np.ndarray) -> float:
    """Average the values that are not NaN; NaN where none is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def iou_per_class(matrix: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of each class (K,); NaN for one that neither truth nor prediction has."""
    intersection = np.diagonal(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        iou: np.ndarray = intersection / union
    return iou


def mean_with_support(values: np.ndarray, matrix: np.ndarray) -> float:
    """Average values per class (K,) over the classes that the truth has; NaN where it has none."""
    return mean_defined(values[matrix.sum(1) > 0])


def mean_iou(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Average the IoU over the classes with support, the pixels of ignored classes left out."""
    matrix = counted_rows(matrix, ignore_classes)
    return mean_with_support(iou_per_class(matrix), matrix)


def mean_iou_of_present(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Average the IoU over the classes in truth or prediction, ignored ones too, whose pixels are left out."""
    return mean_defined(iou_per_class(counted_rows(matrix, ignore_classes)))


def mean_iou_of_all_pixels(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Average the IoU over the classes that count and occur, the pixels of ignored classes scored too."""
    return mean_defined(np.delete(iou_per_class(matrix), list(ignore_classes)))


def accuracy(matrix: np.ndarray, ignore_classes: Collection[int]) -> float:
    """Compute the share of the labelled pixels that are right."""
    matrix = counted_rows(matrix, ignore_classes)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")
