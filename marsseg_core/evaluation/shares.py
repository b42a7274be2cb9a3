"""Choose the offsets of a decoding without labels: each class gets the area that the network expects.

Where a network is unsure of a rare class, it gives the class a small probability in many places and the largest one in
few. The plain argmax then shows less of it than the probabilities add up to. With these offsets, each class has as many
pixels as its mean probability says, and these are the pixels that suit it best: of all maps with these areas, the
decoded one has the largest mean logarithm of the probabilities. (The offsets are the dual variables of that transport
problem. Its dual function is concave, and rises with each step of the search.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from .confusion import check_finite
from .decoding import log_probabilities
from .thinning import thinning

MOST_VALUES: Final = 2**22
"""Keep at most so many logits, of 4 classes those of a million pixels; else use every n-th pixel of each image."""

LIMIT: Final = 4.0
"""Choose offsets from −4 to 4, that is factors of the probability from 1/55 to 55."""

_MOST_CYCLES: Final = 50
_ENOUGH: Final = 1e-5


def expected_pixels(probabilities: Iterable[np.ndarray], counted: Sequence[int], pixels: int) -> np.ndarray:
    """Collect the logarithms (P, C) float32 of the probabilities (H, W, K) of each image, among the classes that count.

    `counted` are these classes, and `pixels` the number of pixels of all images. At most about `MOST_VALUES` are kept.
    Raises RunError where the probabilities of an image are not finite.
    """
    kept = [np.zeros((0, len(counted)), np.float32)]
    for number, image in enumerate(probabilities):
        check_finite(image, f"image {number} of those that the decoding is chosen from")
        every = thinning(pixels * len(counted), MOST_VALUES, image.shape[1])
        values = log_probabilities(image.reshape(-1, image.shape[-1])[::every][:, counted])
        highest = values.max(axis=1, keepdims=True)
        kept.append(values - highest - np.log(np.exp(values - highest).sum(axis=1, keepdims=True)))
    return np.concatenate(kept)


def expected_shares(logarithms: np.ndarray) -> np.ndarray:
    """Return the mean probability (C,) of each class at pixels with these logarithms of probabilities (P, C)."""
    shares: np.ndarray = np.exp(logarithms).mean(axis=0, dtype=np.float64)
    return shares


def offsets_for(logarithms: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the offsets (C,) with which the classes have these shares (C,) of the pixels.

    The class with the largest share has the offset 0. Of the others, each in turn takes the offset that gives it its
    share, or where several do, the one closest to 0, until none changes any more. None is beyond `LIMIT`.

    Args:
        logarithms: (P, C) the logarithms of the probabilities
        shares: the shares of the classes, with the sum 1
    """
    number, classes = logarithms.shape
    offsets = np.zeros(classes)
    if not number:
        return offsets
    rarest_first = np.argsort(shares, kind="stable").tolist()
    for _ in range(_MOST_CYCLES if classes > 1 else 0):
        before = offsets.copy()
        for c in rarest_first[:-1]:
            others = np.delete(np.arange(classes), c)
            # The class is decoded at the pixels whose margin is smaller than its offset.
            margins = (logarithms[:, others] + offsets[others].astype(np.float32)).max(axis=1) - logarithms[:, c]
            offsets[c] = _closest_to_0(margins, round(shares[c] * number))
        if np.abs(offsets - before).max() < _ENOUGH:
            break
    return offsets


def _closest_to_0(margins: np.ndarray, count: int) -> float:
    """Return the offset closest to 0, within the limit, with `count` of the margins at or below it."""
    positions = [position for position in (count - 1, count) if 0 <= position < len(margins)]
    ordered = np.partition(margins, positions)
    low = float(ordered[count - 1]) if count else -LIMIT
    high = float(ordered[count]) if count < len(margins) else LIMIT
    return float(np.clip(min(max(0.0, low), high), -LIMIT, LIMIT))
