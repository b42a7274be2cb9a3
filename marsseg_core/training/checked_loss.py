"""Wrap a loss for use outside a run: check its labels and logits, which no other code has checked."""

from __future__ import annotations

import functools
from typing import Any

from keras import ops

from ..conventions import VOID, LossFunction
from ..data.class_ids import check_class_ids
from ..errors import RequestError
from ..networks.keras_backend.functions import concrete


def checked_loss(function: LossFunction, name: str, num_classes: int, weight: float = 1.0) -> LossFunction:
    """Return `function` times `weight`, with its arguments checked.

    The returned loss takes labels (B, H, W) and logits (B, H, W, K). Labels are whole numbers (integers or floats) in
    0 … K − 1, or 255 for void.

    The loss raises RequestError for wrong shapes, and for wrong labels where their values are known. In a compiled step
    the values are not known: there, a batch with a wrong label has the loss NaN and no gradient.
    """
    where = f"loss {name}"

    @functools.wraps(function)
    def loss(labels: Any, logits: Any) -> Any:
        values = concrete(labels)
        labels, logits = (
            array if hasattr(array, "shape") else ops.convert_to_tensor(array) for array in (labels, logits)
        )
        _check_shapes(_shape(labels), _shape(logits), num_classes, where)
        if values is not None:
            check_class_ids(values, num_classes, where=where)
            return weight * function(labels, logits)
        numbers = ops.cast(labels, "float32")
        in_range = ops.logical_and(numbers >= 0, numbers < num_classes)
        is_class = ops.logical_and(in_range, ops.equal(numbers, ops.floor(numbers)))
        valid = ops.logical_or(is_class, ops.equal(numbers, VOID))
        value = function(ops.where(valid, ops.cast(labels, "int32"), VOID), logits)
        return ops.where(ops.all(valid), weight * value, float("nan"))

    return loss


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    """Return the shape of a tensor, with None for unknown sizes; None if even the number of axes is unknown."""
    rank = len(tensor.shape) if getattr(tensor.shape, "rank", 0) is not None else None
    return None if rank is None else tuple(tensor.shape)


def _check_shapes(
    labels: tuple[int | None, ...] | None, logits: tuple[int | None, ...] | None, num_classes: int, where: str
) -> None:
    if logits is not None and (len(logits) != 4 or logits[-1] not in (None, num_classes)):
        raise RequestError(
            f"Logits for {num_classes} classes must have the shape (B, H, W, {num_classes}), not {logits}.", where=where
        )
    if labels is not None and len(labels) != 3:
        one_hot = len(labels) == 4 and labels[-1] == num_classes
        hint = "Convert one-hot labels to class ids with argmax(axis=-1)." if one_hot else None
        raise RequestError(f"Labels must have the shape (B, H, W), not {labels}.", where=where, hint=hint)
    if labels is not None and logits is not None:
        pairs = zip(labels, logits, strict=False)
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise RequestError(f"Labels of shape {labels} do not match logits of shape {logits}.", where=where)
