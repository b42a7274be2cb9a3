"""Choose the offsets of a decoding on labelled pixels, so that they raise the mean IoU.

One class after the other, the offset is searched on a grid. All values of the grid are tried in one pass: given the
offsets of the other classes, a pixel is decoded as this class above a threshold of its own. Cumulative counts of these
thresholds give the exact IoU of each class for every value.

Few labels can raise the mean IoU by chance. So the search itself is tested on bootstrap samples of the places (or
images) that the pixels are from: an offset is accepted only if searching in a sample raises, for most samples, the mean
IoU of the places that are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .resampling import Counts, draw_samples, places_of
from .thinning import thinning

# The offsets that are tried: from −4 to 4, that is factors of the probability from 1/55 to 55.
GRID: Final = np.round(np.arange(-40, 41) / 10, 1)
_STEP: Final = 0.1

LEAST_GAIN: Final = 0.001
"""Accept an offset only if it raises the mean IoU by this much."""

LEAST_SHARE: Final = 0.9
"""Accept an offset only if, for this share of the samples, the search raises the mean IoU of what is not in them."""

LEAST_PLACES: Final = 8
"""Choose no offsets from fewer places (or images): a bootstrap of so few says nothing."""

MOST_VALUES: Final = 2**24
"""Keep at most so many logits, of 4 classes those of 4 million pixels; else use every n-th pixel of each image."""

_MOST_PLACES: Final = 200
_RESAMPLES: Final = 200
_MOST_CYCLES: Final = 4


@dataclass(frozen=True)
class LabelledPixels:
    """Hold the logits and the truth of P labelled pixels, for the C classes that count.

    Attributes:
        logits: (P, C) float16, relative to the largest logit of each pixel
        truth: (P,) the position of the true class among the classes that count
        places: (P,) the place (or image) of each pixel, from 0 on
    """

    logits: np.ndarray
    truth: np.ndarray
    places: np.ndarray

    @property
    def number(self) -> int:
        """Return the number of places."""
        return int(self.places.max(initial=-1)) + 1


@dataclass(frozen=True)
class Move:
    """Record one accepted offset: the position of its class, its value, its gain in mean IoU, and in how many samples.

    `share` is the share of the bootstrap samples for which the same search raises the mean IoU of the other places.
    """

    position: int
    offset: float
    gain: float
    share: float


@dataclass(frozen=True)
class Choice:
    """Hold the chosen offsets (C,), and the accepted moves in their order."""

    offsets: np.ndarray
    moves: tuple[Move, ...]


def joined_places(items: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return the place of each item, numbered from 0: its group, or itself; more than 200 places are joined."""
    numbers: np.ndarray = places_of(items, groups) % _MOST_PLACES
    return numbers


def labelled_pixels(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], counted: Sequence[int], places: np.ndarray, pixels: int
) -> LabelledPixels:
    """Collect the labelled pixels of masks (B, H, W) and logits (B, H, W, K).

    `counted` are the classes that count, `places` the place of each image, and `pixels` the number of labelled pixels
    of all batches. At most about `MOST_VALUES` logits are kept.
    """
    position = np.full(256, -1, np.int16)
    position[list(counted)] = np.arange(len(counted))
    logits: list[np.ndarray] = [np.zeros((0, len(counted)), np.float16)]
    truth: list[np.ndarray] = [np.zeros(0, np.int16)]
    lengths = []
    for masks, batch in batches:
        for mask, image in zip(masks, batch, strict=True):
            labels = position[mask]
            every = thinning(pixels * len(counted), MOST_VALUES, mask.shape[1])
            kept = np.flatnonzero(labels.ravel() >= 0)[::every]
            values = image.reshape(-1, image.shape[-1])[kept][:, counted]
            # The differences decide. Close to 0, where they do, float16 has a resolution of 0.001 and better.
            logits.append((values - values.max(axis=1, keepdims=True)).astype(np.float16))
            truth.append(labels.ravel()[kept])
            lengths.append(len(kept))
    # Places without a labelled pixel tell nothing: they do not count.
    numbers = np.unique(np.repeat(places[: len(lengths)], lengths), return_inverse=True)[1]
    return LabelledPixels(np.concatenate(logits), np.concatenate(truth), numbers)


def choose_offsets(pixels: LabelledPixels, seed: int) -> Choice:
    """Search the offsets that raise the mean IoU of the pixels, one class after the other, the rarest first.

    The result has no offset but 0 where there are fewer than `LEAST_PLACES` places. `seed` draws the bootstrap samples.
    """
    classes = pixels.logits.shape[1]
    offsets, moves = np.zeros(classes), list[Move]()
    number = pixels.number
    if number < LEAST_PLACES or classes < 2:
        return Choice(offsets, ())
    (samples,) = draw_samples(number, _RESAMPLES, seed)
    support = np.bincount(pixels.truth, minlength=classes)
    order = [c for c in np.argsort(support, kind="stable").tolist() if support[c]]
    unchanged = 0
    for c in order * _MOST_CYCLES:
        counts = count(pixels, offsets, c, number)
        gains = counts.of_all().mean_ious()
        current = int(np.argmin(np.abs(GRID - offsets[c])))
        gains -= gains[current]
        best = int(np.argmax(gains))
        share = share_that_rises(counts, samples, current) if gains[best] >= LEAST_GAIN else 0.0
        if share >= LEAST_SHARE:
            offsets[c] = GRID[best]
            moves.append(Move(c, float(GRID[best]), float(gains[best]), share))
            unchanged = 0
        else:
            unchanged += 1
        if unchanged == len(order):
            break
    return Choice(offsets, tuple(moves))


def share_that_rises(counts: Counts, samples: np.ndarray, current: int) -> float:
    """Return the share of the samples (S, B) whose best value raises the mean IoU of the places that are not in them.

    `counts` (B, G, C) are those of each value of the grid, and `current` the position of the value so far. Samples with
    all places say nothing, and do not count.
    """
    others = samples == 0
    some = others.any(axis=1)
    # Products of matrices are fast for floats alone; sums of pixels are exact in float64.
    samples, others = samples[some].astype(float), others[some].astype(float)
    best = counts.of_samples(samples).mean_ious().argmax(axis=1)
    scores = counts.of_samples(others).mean_ious()
    rises = scores[np.arange(len(best)), best] > scores[:, current]
    return float(rises.mean()) if len(rises) else 0.0


def count(pixels: LabelledPixels, offsets: np.ndarray, c: int, places: int) -> Counts:
    """Count each place for each value of the grid as the offset of class `c`: (B, G, C), and `true` (B, 1, C)."""
    classes, values = pixels.logits.shape[1], len(GRID)
    columns = [pixels.logits[:, k].astype(np.float32) + np.float32(offsets[k]) for k in range(classes)]
    other = next(k for k in range(classes) if k != c)
    rival, largest = np.full(len(pixels.truth), other, np.int64), columns[other]
    for k in range(classes):
        if k not in (c, other):
            np.putmask(rival, columns[k] > largest, k)
            largest = np.maximum(largest, columns[k])
    threshold = largest - pixels.logits[:, c].astype(np.float32)
    # The first value of the grid above the threshold: from there on the pixel is decoded as class c, before as `rival`.
    first = np.clip(np.floor((threshold - GRID[0]) / _STEP) + 1, 0, values).astype(np.int64)

    def by_class(kept: np.ndarray | slice, of: np.ndarray) -> np.ndarray:
        """Return (B, C, G + 1) the pixels of each place and class by the value from which on they are of class c."""
        cells = (pixels.places[kept] * classes + of[kept]) * (values + 1) + first[kept]
        shape = (places, classes, values + 1)
        return np.bincount(cells, minlength=places * classes * (values + 1)).reshape(shape)

    every = slice(None)
    as_rival, right = by_class(every, rival), by_class(rival == pixels.truth, rival)
    true = by_class(every, pixels.truth)
    predicted, hits = (each[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:] for each in (as_rival, right))
    predicted[:, c] = as_rival.sum(axis=1).cumsum(axis=1)[:, :values]
    hits[:, c] = true[:, c].cumsum(axis=1)[:, :values]
    return Counts(np.moveaxis(hits, 1, 2), np.moveaxis(predicted, 1, 2), true.sum(axis=2)[:, None])
