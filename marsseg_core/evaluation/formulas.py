"""What is read off a confusion matrix (K, K), rows the truth: shares of pixels, NaN where undefined."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


def counted_rows(matrix: np.ndarray, ignored: Collection[int]) -> np.ndarray:
    """The matrix without the pixels of ignored classes: their rows are 0."""
    counted = matrix.copy()
    counted[list(ignored)] = 0
    return counted


def mean_defined(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN where none is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def iou_per_class(matrix: np.ndarray) -> np.ndarray:
    """(K,) intersection over union; NaN for a class that is absent from truth and prediction."""
    intersection = np.diagonal(matrix).astype(np.float64)
    union = matrix.sum(0) + matrix.sum(1) - intersection
    with np.errstate(invalid="ignore"):
        iou: np.ndarray = intersection / union
    return iou


def mean_with_support(values: np.ndarray, matrix: np.ndarray) -> float:
    """The mean of values per class (K,) over the classes that the truth has; NaN where it has none."""
    return mean_defined(values[matrix.sum(1) > 0])


def mean_iou(matrix: np.ndarray, ignored: Collection[int]) -> float:
    """Pixels of ignored classes left out, mean over the classes with support."""
    matrix = counted_rows(matrix, ignored)
    return mean_with_support(iou_per_class(matrix), matrix)


def mean_iou_of_present(matrix: np.ndarray, ignored: Collection[int]) -> float:
    """Pixels of ignored classes left out, mean over the classes in truth or prediction, ignored ones among them."""
    return mean_defined(iou_per_class(counted_rows(matrix, ignored)))


def mean_iou_of_all_pixels(matrix: np.ndarray, ignored: Collection[int]) -> float:
    """Pixels of ignored classes are scored too; mean over the classes that count and occur."""
    return mean_defined(np.delete(iou_per_class(matrix), list(ignored)))


def accuracy(matrix: np.ndarray, ignored: Collection[int]) -> float:
    """The share of the labelled pixels that are right."""
    matrix = counted_rows(matrix, ignored)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")
