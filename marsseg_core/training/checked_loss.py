"""A loss outside of a run: what it is given is checked, since nothing before it did."""

from __future__ import annotations

import functools
from typing import Any

from keras import ops

from ..conventions import VOID, LossFunction
from ..data.class_ids import check_class_ids
from ..errors import RequestError
from ..networks.keras_backend import concrete


def checked_loss(function: LossFunction, name: str, num_classes: int, weight: float = 1.0) -> LossFunction:
    """The loss times its weight, which takes labels (B, H, W) and logits (B, H, W, K) and nothing else.

    Labels are whole numbers, integers or floats, in 0 … K − 1 or 255. RequestError says what is wrong with shapes, at
    any time, and with labels where their values are known. In a compiled step they are not: a batch with another label
    in it has the loss NaN and no gradient there, on every backend.
    """
    where = f"loss {name}"

    @functools.wraps(function)
    def loss(labels: Any, logits: Any) -> Any:
        values = concrete(labels)
        labels, logits = (each if hasattr(each, "shape") else ops.convert_to_tensor(each) for each in (labels, logits))
        _check_shapes(_shape(labels), _shape(logits), num_classes, where)
        if values is not None:
            check_class_ids(values, num_classes, where=where)
            return weight * function(labels, logits)
        numbers = ops.cast(labels, "float32")
        known = ops.logical_and(numbers >= 0, numbers < num_classes)
        known = ops.logical_or(ops.logical_and(known, ops.equal(numbers, ops.floor(numbers))), ops.equal(numbers, VOID))
        value = function(ops.where(known, ops.cast(labels, "int32"), VOID), logits)
        return ops.where(ops.all(known), weight * value, float("nan"))

    return loss


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    """What is known of a shape; None where not even the number of axes is."""
    rank = len(tensor.shape) if getattr(tensor.shape, "rank", 0) is not None else None
    return None if rank is None else tuple(tensor.shape)


def _check_shapes(
    labels: tuple[int | None, ...] | None, logits: tuple[int | None, ...] | None, num_classes: int, where: str
) -> None:
    if logits is not None and (len(logits) != 4 or logits[-1] not in (None, num_classes)):
        raise RequestError(f"Logits are (B, H, W, {num_classes}) for {num_classes} classes, not {logits}.", where=where)
    if labels is not None and len(labels) != 3:
        one_hot = len(labels) == 4 and labels[-1] == num_classes
        hint = "One-hot labels become numbers of classes by argmax(axis=-1)." if one_hot else None
        raise RequestError(f"Labels are (B, H, W), not {labels}.", where=where, hint=hint)
    if labels is not None and logits is not None:
        pairs = zip(labels, logits, strict=False)
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise RequestError(f"Labels of {labels} do not fit logits of {logits}.", where=where)
