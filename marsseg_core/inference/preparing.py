"""Predict image files at the scale of the images that the networks were trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

import numpy as np

from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..planning.invoke import call_component
from ..registry.session import Session
from ..runs.preparation import preparation_of

# Rows of a row strip.
_STRIP: Final = 256

_UNKNOWN: Final = "So it is not known whether its images were resized, and images are predicted as they are."


Preparing: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A function that brings an image (H, W, C) uint8 to the scale of the images that a network was trained on."""


def preparing(runs: Sequence[RunFolder], session: Session) -> tuple[Preparing, str]:
    """Return the function for image files that are predicted by these runs, and what it does; "" for nothing.

    Raises RequestError where the runs prepared their images differently, since then one image cannot be the input of
    all the networks.
    """
    dataset, preparation = preparation_of(runs[0], session, _UNKNOWN)
    for run in runs[1:]:
        _, other = preparation_of(run, session, _UNKNOWN)
        if other != preparation:
            raise RequestError(
                f"These runs cannot be combined: in {runs[0].title} {preparation or 'images stay as they are'}; in "
                f"{run.title} {other or 'images stay as they are'}.",
                where="ensemble",
            )
    if dataset is None or not preparation:
        return unchanged, ""
    prepared: Preparing = partial(call_component, dataset, dataset.component.prepared)
    # Windows and most tiles leave the scale of an image as it is.
    probe = np.zeros((200, 300, 1), np.uint8)
    if prepared(probe).shape == probe.shape:
        return unchanged, ""
    return prepared, preparation


def unchanged(image: np.ndarray) -> np.ndarray:
    """Return the image itself."""
    return image


def enlarged(row_strips: Iterator[np.ndarray], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Resize the values of an image (h, w, K) to the rows and columns of `shape`, bilinearly.

    Args:
        row_strips: the values, in row strips
        shape: begins with the new numbers of rows and columns

    Yields:
        The new values in row strips. Memory holds the old ones and a strip of the new ones.
    """
    values = np.concatenate(list(row_strips))
    left, right, share = _neighbours(values.shape[1], shape[1])
    for start in range(0, shape[0], _STRIP):
        above, below, part = (each[start : start + _STRIP] for each in _neighbours(len(values), shape[0]))
        rows = values[above] * (1 - part)[:, None, None] + values[below] * part[:, None, None]
        yield rows[:, left] * (1 - share)[:, None] + rows[:, right] * share[:, None]


def _neighbours(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each of `new` pixels, the two of `old` pixels around its centre, and the weight of the second."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    first = places.astype(int)
    return first, np.minimum(first + 1, old - 1), (places - first).astype(np.float32)
