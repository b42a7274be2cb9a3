"""Labels that come from outside of a data set: each a class or void, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..conventions import VOID
from ..errors import RequestError


def check_class_ids(labels: Any, num_classes: int, *, where: str) -> None:
    """RequestError names the first label that is neither one of the classes 0 … K − 1 nor void.

    Numbers of any type are taken, and floats as long as they are whole: Keras hands labels over as float32.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        raise RequestError(f"Labels are numbers of classes, not {labels.dtype}.", where=where)
    known = (labels >= 0) & (labels < num_classes)
    if labels.dtype.kind == "f":
        known &= labels == np.floor(labels)
    known |= labels == VOID
    if not known.all():
        raise RequestError(
            f"A label is {labels[~known].flat[0]}; the classes are 0 to {num_classes - 1}.",
            where=where,
            hint=f"Ground without a label is {VOID}.",
        )
