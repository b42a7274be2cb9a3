"""Say how far scores would move on other places of the same kind: percentile bootstrap intervals over places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .resampling import Counts, draw_samples

CONFIDENCE: Final = 0.95
DRAWS: Final = 2000

LEAST_PLACES: Final = 10
"""Give no interval for scores of fewer places: it would be far too narrow."""

_SEED: Final = 0

Interval = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """Hold 95 % percentile bootstrap intervals of the mean IoU and of the IoU of each class.

    Each draw takes as many places as there are, with replacement, and computes the scores of all their images. An
    interval is None where fewer than 10 places have labelled pixels (of the class).

    Attributes:
        resampled: What is drawn: "places" (the groups of the data), or "images" where the data have no groups.
        places: The number of places with labelled pixels.
        places_of_class: The number of places with labelled pixels of each class that counts.
        miou: The ends of the interval of `miou`.
        iou: The ends of the interval of the IoU of each class that counts.
        draws: The number of draws.
    """

    resampled: str
    places: int
    places_of_class: Mapping[str, int]
    miou: Interval | None
    iou: Mapping[str, Interval | None]
    draws: int = DRAWS

    def to_json(self) -> dict[str, Any]:
        """Return the intervals as `marsseg evaluate --interval --json` prints them."""
        return {
            "confidence": CONFIDENCE,
            "resampled": self.resampled,
            "places": self.places,
            "draws": self.draws,
            "miou": self.miou and list(self.miou),
            "iou": {name: interval and list(interval) for name, interval in self.iou.items()},
        }


def intervals_of(images: Counts, places: np.ndarray, class_names: tuple[str, ...], resampled: str) -> Intervals:
    """Compute the intervals of images.

    Args:
        images: The counts (N, C) of each image, of the classes that count.
        places: (N,) the place of each image.
        class_names: The names of the C classes.
        resampled: What a place is, for the result.
    """
    labelled = images.true.sum(axis=1) > 0  # an image without labels tells nothing
    numbers = np.unique(places[labelled], return_inverse=True)[1].ravel()
    number = int(numbers.max(initial=-1)) + 1
    counts = Counts(*(_sums(each[labelled], numbers, number) for each in (images.right, images.predicted, images.true)))
    holding = (counts.true > 0).sum(axis=0).tolist()
    miou: Interval | None = None
    ious: list[Interval | None] = [None] * len(class_names)
    if number >= LEAST_PLACES:
        # Products of matrices are fast for floats alone; sums of pixels are exact in float64.
        drawn = [counts.of_samples(each.astype(float)) for each in draw_samples(number, DRAWS, _SEED)]
        miou = _interval(np.concatenate([each.mean_ious() for each in drawn]))
        values = np.concatenate([each.ious() for each in drawn])
        ious = [_interval(values[:, c]) if holding[c] >= LEAST_PLACES else None for c in range(len(class_names))]
    by_class = dict(zip(class_names, holding, strict=True))
    return Intervals(resampled, number, by_class, miou, dict(zip(class_names, ious, strict=True)))


def _sums(values: np.ndarray, places: np.ndarray, number: int) -> np.ndarray:
    """Add up the values (N, C) of the images of each place, (places, C)."""
    sums = np.zeros((number, values.shape[1]))
    np.add.at(sums, places, values)
    return sums


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(low), float(high)
