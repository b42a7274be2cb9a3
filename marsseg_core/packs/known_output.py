"""The test of a pack: an image with the logits that a network gave for it where the pack was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np

from ..data.arrays import scale
from ..errors import RequestError
from ..files.npy import read_known_npy
from ..files.pack import TEST_INPUT, TEST_OUTPUT
from ..networks.compiled import compiled

# By how much the logits may differ on another machine, as a share of the largest. In float32 backends differ by
# rounding, and some GPUs multiply with 10 bits; the others keep 8 or 11 bits between layers.
_TOLERANCES: Final = {"float32": 1e-3, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
_WIDEST: Final = max(_TOLERANCES.values())

_SEED: Final = 0
_COARSE: Final = 8


@dataclass(frozen=True)
class Repeated:
    """How the logits of a network for the test image compare with those in the pack.

    Attributes:
        difference: the largest difference, as a share of the largest logit
        labels: the share of the pixels with the same class
    """

    difference: float
    labels: float


def draw_test_image(shape: tuple[int, int, int]) -> np.ndarray:
    """Draw the test image (H, W, C) uint8: coarse blobs with fine noise, the same everywhere.

    It belongs to nobody, unlike an image of the data, and has all values and both coarse and fine structure.
    """
    height, width, channels = shape
    generator = np.random.default_rng(_SEED)
    coarse = generator.integers(0, 256, (-(-height // _COARSE), -(-width // _COARSE), channels))
    blobs = coarse.repeat(_COARSE, axis=0).repeat(_COARSE, axis=1)[:height, :width]
    noise = generator.integers(-32, 33, shape)
    image: np.ndarray = np.clip(blobs + noise, 0, 255).astype(np.uint8)
    return image


def logits_of(network: keras.Model, image: np.ndarray) -> np.ndarray:
    """Return the logits (H, W, K) float32 of an image (H, W, C) uint8, computed as `marsseg predict` does."""
    logits: np.ndarray = compiled(network).logits(scale(image[None]))[0]
    return np.ascontiguousarray(logits, np.float32)


def tolerance_of(network: keras.Model) -> float:
    """Return by how much the logits may differ elsewhere, for the float type that the network computes in."""
    policies = {layer.dtype_policy.name for layer in network.layers}
    return max(_TOLERANCES.get(name, _WIDEST) for name in policies)


def repeat(network: keras.Model, folder: Path) -> Repeated:
    """Predict the test image of a run in a pack once more, and compare the logits.

    Raises RequestError where the arrays in the pack cannot be read or do not fit the network.
    """
    image = read_known_npy(folder / TEST_INPUT, np.dtype(np.uint8), tuple(network.input_shape[1:]))
    expected = read_known_npy(folder / TEST_OUTPUT, np.dtype("<f4"), tuple(network.output_shape[1:]))
    logits = logits_of(network, image)
    if not (np.isfinite(expected).all() and np.isfinite(logits).all()):
        raise RequestError("The logits of the test image are not all finite.", where=str(folder))
    largest = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    difference = float(np.abs(logits - expected).max()) / largest
    return Repeated(difference, float((logits.argmax(-1) == expected.argmax(-1)).mean()))
