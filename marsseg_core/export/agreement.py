"""Compare what an exported network computes in its own runtime with what marsseg computes, and measure both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np

from ..errors import RunError
from ..evaluation.confusion import decode
from .form import Form

LARGEST_DIFFERENCE: Final = 1e-4
"""The largest difference of an output in float32, as a share of the largest output."""

LEAST_EQUAL: Final = 0.9999
"""The least share of pixels with the same label."""

# A time is the median of so many calls, after one that is not counted; or of fewer, where they take longer than this.
_CALLS: Final = 9
_SECONDS: Final = 1.0

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Agreement:
    """How far an exported network agrees with its network.

    Attributes:
        images: the number of compared images
        difference: the largest difference of an output, as a share of the largest output; None for labels
        equal_labels: the share of pixels with the same label
    """

    images: int
    difference: float | None
    equal_labels: float

    @property
    def sufficient(self) -> bool:
        """Return whether an export in float32 counts. A difference that is not a number does not."""
        return (self.difference is None or self.difference <= LARGEST_DIFFERENCE) and self.equal_labels >= LEAST_EQUAL


def compare(network: keras.Model, form: Form, exported: Function, batches: Iterable[np.ndarray]) -> Agreement:
    """Compare the outputs for batches of images as the form takes them.

    Raises RunError where the runtime returns an output of another shape.
    """
    count, pixels, equal = 0, 0, 0
    difference, scale = 0.0, float(np.finfo(np.float32).tiny)
    reference = form.reference(network)
    for images in batches:
        expected, found = reference(images), exported(images)
        if found.shape != expected.shape:
            raise RunError(f"The exported network returns {found.shape} for {images.shape}, not {expected.shape}.")
        if form.output != "labels":
            scale = max(scale, float(np.abs(expected).max()))
            difference = float(np.fmax(difference, np.abs(found - expected).max()))
            if not np.isfinite(found).all():
                difference = float("inf")
            expected, found = (decode(each, form.ignore_classes) for each in (expected, found))
        count += len(images)
        pixels += expected.size
        equal += int((found == expected).sum())
    share = None if form.output == "labels" else difference / scale
    return Agreement(count, share, equal / pixels)


def seconds(function: Function, image: np.ndarray) -> float:
    """Return the time of a call for one image, (1, H, W, C), in seconds."""
    function(image)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < _CALLS and (not times or time.perf_counter() - begin < _SECONDS):
        start = time.perf_counter()
        function(image)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
