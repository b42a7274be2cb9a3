"""Convert images of any type of numbers to uint8, one chunk at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .ranges import RANGE_HINT, ImageChunk, finite, refuse
from .scaling import Scaling, exact, numbers_of, scaled_values

# If the highest value is below this share of the range, the range is probably wrong. Detects 12-bit values read as 16.
_SMALL_SHARE: Final = 1 / 16


@dataclass
class Seen:
    """Hold what was noticed of the values that were converted.

    Attributes:
        values: how many values were scaled
        outside: how many of them were outside the range
        highest: the highest value that was scaled
        unscaled_highest: the highest value that was not
    """

    values: int = 0
    outside: int = 0
    highest: float = -np.inf
    unscaled_highest: float = -np.inf

    def add(self, other: Seen) -> None:
        """Add what was noticed of other values."""
        self.values += other.values
        self.outside += other.outside
        self.highest = max(self.highest, other.highest)
        self.unscaled_highest = max(self.unscaled_highest, other.unscaled_highest)


class Converter:
    """Convert images of any type of numbers to uint8, chunk by chunk; `doubts` then returns warnings about the range.

    Args:
        scaling: the result of `determine_scaling` for the source of the images

    Attributes:
        scaling: the same
        seen: what was noticed of the values so far
    """

    def __init__(self, scaling: Scaling | None) -> None:
        self.scaling = scaling
        self.seen = Seen()

    def __call__(self, chunk: ImageChunk) -> np.ndarray:
        """Convert the images of a chunk.

        Args:
            chunk: n images

        Returns:
            (n, …) uint8

        Raises:
            RequestError: if values are NaN or infinite, or are outside 0…255 and the scaling is not for such numbers
        """
        values, scaling = chunk.read(), self.scaling
        if scaling is None or (scaling.per == "set" and scaling.numbers != numbers_of(values.dtype)):
            return self._unscaled(values, chunk)
        finite(values, chunk)
        if scaling.per == "image":
            return np.stack([self._stretched(image, scaling) for image in values])
        scaled, outside = scaled_values(values, scaling.low, scaling.high)
        self.seen.add(Seen(values.size, outside, highest=float(values.max())))
        return scaled

    def _unscaled(self, values: np.ndarray, chunk: ImageChunk) -> np.ndarray:
        """Round values that are 0…255 already."""
        self.seen.add(Seen(unscaled_highest=float(values.max())))
        if values.dtype == np.uint8:
            return values
        finite(values, chunk)
        outside = ((values < 0) | (values > 255)).any(axis=tuple(range(1, values.ndim)))
        if outside.any():
            refuse((chunk, int(outside.argmax())), "has values outside 0 to 255", RANGE_HINT)
        rounded: np.ndarray = np.rint(values).astype(np.uint8)
        return rounded

    def _stretched(self, image: np.ndarray, scaling: Scaling) -> np.ndarray:
        """Scale an image by percentiles of its own values."""
        low, high = np.percentile(image, [scaling.low, scaling.high])
        # An image with a single value becomes black.
        return scaled_values(image, low, high)[0] if low < high else np.zeros(image.shape, np.uint8)

    @property
    def kept(self) -> Scaling | None:
        """Return the scaling as it is stored with the data: None if it changes no value."""
        is_identity = (
            self.scaling is not None and self.scaling.per == "set" and (self.scaling.low, self.scaling.high) == (0, 255)
        )
        return None if is_identity else self.scaling

    def doubts(self, *, counted: bool = True) -> list[str]:
        """Return a warning for each sign that the range is wrong.

        Args:
            counted: whether each value was converted once, so that their number can be named and not only their share

        Returns:
            Sentences.
        """
        lines = []
        seen = self.seen
        if seen.outside:
            share = f"{100 * seen.outside / seen.values:.3g} %"
            what = f"{seen.outside:,} values ({share}) lie" if counted else f"{share} of the values lie"
            lines.append(f"{what} outside the range and are clipped.")
        ends = [(seen.unscaled_highest, 0.0, 255.0)]
        if self.scaling is not None and self.scaling.per == "set":
            ends.append((seen.highest, self.scaling.low, self.scaling.high))
        for highest, low, high in ends:
            if 0 < highest - low < _SMALL_SHARE * (high - low):
                lines.append(
                    f"The values reach only {highest:.6g} of {high:.10g}: the images are nearly black. "
                    f"If {highest:.6g} is white, set range={exact(low)}..{highest:.6g}."
                )
        return lines
