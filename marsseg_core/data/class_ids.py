"""Check labels that do not come from a checked data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..conventions import VOID
from ..errors import RequestError


def check_class_ids(labels: Any, num_classes: int, *, where: str) -> None:
    """Raise RequestError, with the first wrong label, if a label is neither a class 0 … num_classes - 1 nor void.

    Numbers of any type are accepted, and floats if they are whole: Keras passes labels as float32.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        raise RequestError(f"Labels must be class ids (numbers), not {labels.dtype}.", where=where)
    valid = (labels >= 0) & (labels < num_classes)
    if labels.dtype.kind == "f":
        valid &= labels == np.floor(labels)
    valid |= labels == VOID
    if not valid.all():
        raise RequestError(
            f"A label is {labels[~valid].flat[0]}; the classes are 0 to {num_classes - 1}.",
            where=where,
            hint=f"Pixels without a label must be {VOID} (void).",
        )
