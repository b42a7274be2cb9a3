"""Predict class probabilities of images of any size, with one network or the mean of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, product
from operator import itemgetter
from typing import Final, TypeVar

import keras
import numpy as np
from scipy.special import softmax

from ..data.arrays import scale
from .fast import fast_network
from .keras_backend import fixed_settings
from .tiling import TileAxis, cut, tile_axis

T = TypeVar("T")

# The axes of a batch (B, H, W, …) that each flip reverses: none, horizontal, vertical, both.
FLIPS: Final = ((), (2,), (1,), (1, 2))


class Predictor:
    """Predict the mean probabilities of several networks, each in tiles of its input size.

    Args:
        networks: the networks; all take images with the same number of channels
        tta: test-time augmentation: predict each tile and its three mirror images, and average the four results
        overlap: the share of a tile that its neighbour also covers, in 0 … 1 (excluded)
        batch: the number of tiles that are predicted at once
    """

    def __init__(
        self, networks: Sequence[keras.Model], *, tta: bool = False, overlap: float = 0.5, batch: int = 16
    ) -> None:
        self._networks = [_TiledNetwork(network, FLIPS if tta else FLIPS[:1], overlap, batch) for network in networks]
        self._batch = batch

    @property
    def channels(self) -> int:
        """Return the number of channels of the images that the networks take."""
        return self._networks[0].channels

    def predict(self, images: Iterable[np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
        """Yield the probabilities of each image (H, W, C) uint8, in order, as row strips (h, W, K) float32.

        The strips come from top to bottom. Consume all strips of an image before you request the next image.

        Images that fit into a tile are predicted in batches, and each comes as one row strip. Of a larger image, memory
        holds only as many rows as a tile has. The images must have the channels that the networks take. Where a
        network's logits are not all finite, the probabilities are NaN (`evaluation.confusion.check_finite` finds them).
        """
        for fits, group in groupby(images, self._fits):
            if not fits:
                yield from (_mean_strips([network.row_strips(image) for network in self._networks]) for image in group)
                continue
            for batch in _batched(group, self._batch):
                predictions = [network.predict_small(batch) for network in self._networks]
                yield from (iter([_mean(maps)]) for maps in zip(*predictions, strict=True))

    def probabilities(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the probabilities of each image as one array (H, W, K)."""
        return (np.concatenate(list(row_strips)) for row_strips in self.predict(images))

    def _fits(self, image: np.ndarray) -> bool:
        return all(image.shape[0] <= n.height and image.shape[1] <= n.width for n in self._networks)


class _TiledNetwork:
    """Predict images of any size with one network, which takes tiles of one size."""

    def __init__(self, network: keras.Model, flips: Sequence[tuple[int, ...]], overlap: float, batch: int) -> None:
        self._network = fast_network(network)
        self.height, self.width, self.channels = map(int, network.input_shape[1:])
        self._flips = flips
        self._overlap = overlap
        self._batch = batch

    def predict_small(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the probabilities (H, W, K) of at most a batch of images, none larger than a tile."""
        corners = [((i.shape[0] - self.height) // 2, (i.shape[1] - self.width) // 2) for i in images]
        tiles = [cut(image, *corner, self.height, self.width) for image, corner in zip(images, corners, strict=True)]
        predicted = self._predict(np.stack(tiles))
        return [
            tile[-row : image.shape[0] - row, -column : image.shape[1] - column]
            for tile, image, (row, column) in zip(predicted, images, corners, strict=True)
        ]

    def row_strips(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the probabilities of an image of any size, in row strips (h, W, K) from top to bottom."""
        height, width = image.shape[:2]
        down, across = (tile_axis(height, self.height, self._overlap), tile_axis(width, self.width, self._overlap))
        tiles = self._tiles(image, down, across)
        next_starts = [*down.starts[1:].tolist(), height]
        pending: np.ndarray | None = None  # rows to which the next row of tiles also contributes, from row `done` on
        done = 0
        for position, row in groupby(tiles, itemgetter(0)):
            start = int(down.starts[position])
            strip = self._strip([tile for _, tile in row], across, width)
            top, bottom = max(start, 0), min(start + self.height, height)
            inside = slice(top - start, bottom - start)
            strip = strip[inside] * down.weights[position, inside, None, None]
            if pending is not None:
                strip[: len(pending)] += pending
            complete = max(next_starts[position], 0) - done
            if complete:
                yield strip[:complete]
            pending, done = strip[complete:], done + complete

    def _tiles(self, image: np.ndarray, down: TileAxis, across: TileAxis) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the probabilities of each tile with the index of its row, row by row and from left to right."""
        for batch in _batched(product(range(len(down.starts)), across.starts.tolist()), self._batch):
            cuts = [cut(image, int(down.starts[row]), left, self.height, self.width) for row, left in batch]
            yield from zip((row for row, _ in batch), self._predict(np.stack(cuts)), strict=True)

    def _strip(self, tiles: Sequence[np.ndarray], across: TileAxis, width: int) -> np.ndarray:
        """Blend a row of tiles to a strip (tile height, width, K)."""
        strip = np.zeros((self.height, width, tiles[0].shape[-1]), np.float32)
        for tile, start, weights in zip(tiles, across.starts.tolist(), across.weights, strict=True):
            left, right = max(start, 0), min(start + self.width, width)
            inside = slice(left - start, right - start)
            strip[:, left:right] += tile[:, inside] * weights[inside, None]
        return strip

    def _predict(self, tiles: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, h, w, K) float32 of tiles (n, h, w, C) uint8, at most a batch."""
        images = scale(tiles)
        # A short batch is filled with zeros, since the backend would trace the network again for each new shape.
        filled = np.concatenate([images, np.zeros((self._batch - len(images), *images.shape[1:]), np.float32)])
        return _mean([self._flipped(filled, axes)[: len(images)] for axes in self._flips])

    def _flipped(self, images: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        with fixed_settings():
            logits = np.asarray(self._network.predict_on_batch(np.flip(images, axes)), np.float32)
        return np.flip(_probabilities(logits), axes)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Convert logits (…, K) to probabilities (…, K); all K are NaN where one of the logits is not finite."""
    finite = np.where(np.isfinite(logits).all(axis=-1, keepdims=True), logits, np.nan)
    return np.asarray(softmax(finite, axis=-1))


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`. The last list may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray:
    return maps[0] if len(maps) == 1 else np.asarray(np.mean(np.stack(maps), axis=0))


def _mean_strips(networks: Sequence[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield the mean of the row strips of several networks, which may have different heights."""
    pending = [next(row_strips) for row_strips in networks]
    while True:
        rows = min(map(len, pending))
        yield _mean([strip[:rows] for strip in pending])
        pairs = zip(pending, networks, strict=True)
        rest = [strip[rows:] if len(strip) > rows else next(row_strips, None) for strip, row_strips in pairs]
        pending = [strip for strip in rest if strip is not None]
        if len(pending) < len(networks):
            return
