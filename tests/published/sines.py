"""Numbers that any framework can repeat: the weights and images that the recorded outputs belong to (NumPy only)."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

# sin(i²): nothing in it is smooth, as nothing in weights is. It repeats itself.
WAVES: Final = np.sin(np.arange(99_991, dtype=np.float64) ** 2)


def image(*shape: int) -> np.ndarray:
    """Numbers in [0, 1] of this shape, the last axis running fastest."""
    return (0.5 + 0.5 * Sines().take(*shape)).astype("float32")


class Sines:
    """The weights of one network: the index runs on from tensor to tensor."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, *shape: int) -> np.ndarray:
        self.used += prod(shape)
        return WAVES[np.arange(self.used - prod(shape), self.used) % len(WAVES)].reshape(shape)

    def kernel(self, *shape: int, inputs: int | None = None) -> np.ndarray:
        """Of a size that keeps that of the features; `inputs` go into one output, by default in shape (outputs, …)."""
        return self.take(*shape) * np.sqrt(4 / (inputs or prod(shape[1:])))

    def scale(self, count: int) -> np.ndarray:
        return 1 + 0.25 * self.take(count)

    def shift(self, *shape: int) -> np.ndarray:
        return 0.25 * self.take(*shape)

    def variance(self, count: int) -> np.ndarray:
        return 0.5 + np.abs(self.take(count))
