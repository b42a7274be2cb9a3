"""Draw bootstrap samples of places, and add up the pixels of their images.

Images of one place are alike: two of them tell less than two images of two places. So the places are drawn, and not
the images. Images that belong to no group are a place each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

# The most numbers of one array of samples: 32 MB.
_MOST_NUMBERS: Final = 2**22


@dataclass(frozen=True)
class Counts:
    """Hold the pixels of each class that are right, predicted and true, in arrays (…, C)."""

    right: np.ndarray
    predicted: np.ndarray
    true: np.ndarray

    def ious(self) -> np.ndarray:
        """Return the IoU of each class, (…, C); 0 for a class that occurs neither in the truth nor predicted."""
        ious: np.ndarray = self.right / np.maximum(self.true + self.predicted - self.right, 1)
        return ious

    def mean_ious(self) -> np.ndarray:
        """Return the mean IoU over the classes that occur in the truth, (…)."""
        occurs = self.true > 0
        ious = np.where(occurs, self.ious(), 0)
        means: np.ndarray = ious.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
        return means

    def of_all(self) -> Counts:
        """Return the sums over the first axis, that of the places."""
        return Counts(self.right.sum(axis=0), self.predicted.sum(axis=0), self.true.sum(axis=0))

    def of_samples(self, samples: np.ndarray) -> Counts:
        """Return the counts of samples (S, …, C), of counts (B, …, C); `samples` (S, B) counts their places."""
        return Counts(*(np.tensordot(samples, each, axes=1) for each in (self.right, self.predicted, self.true)))


def places_of(items: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return the number of the place of each item, from 0 on: that of its group, or its own."""
    numbers: np.ndarray = np.unique(items if groups is None else groups[items], return_inverse=True)[1].ravel()
    return numbers


def draw_samples(places: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield bootstrap samples of places, (S, places): how often each place is in a sample; together `draws` samples."""
    random = np.random.default_rng(seed)
    at_once = max(1, _MOST_NUMBERS // places)
    for start in range(0, draws, at_once):
        yield random.multinomial(places, np.full(places, 1 / places), min(at_once, draws - start))
