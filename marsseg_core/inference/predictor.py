"""Class probabilities of images of any size, by one network or by several together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, product
from operator import itemgetter
from typing import Final, TypeVar

import keras
import numpy as np
from scipy.special import softmax

from ..data.arrays import scale
from ..networks.keras_backend import fixed_settings
from .tiling import TileAxis, cut, tile_axis

T = TypeVar("T")

# The axes of a batch (B, H, W, …) that each flip turns: none, left and right, up and down, both.
FLIPS: Final = ((), (2,), (1,), (1, 2))


class Predictor:
    """The mean of the probabilities that networks give, each in tiles of the size it takes.

    With `tta` (test-time augmentation) each tile is seen in four ways, as it is and mirrored, and what is said is
    mirrored back and averaged. `overlap` is the part that neighbouring tiles share, `batch` the tiles predicted at
    once.
    """

    def __init__(
        self, networks: Sequence[keras.Model], *, tta: bool = False, overlap: float = 0.5, batch: int = 16
    ) -> None:
        self._networks = [_Tiled(network, FLIPS if tta else FLIPS[:1], overlap, batch) for network in networks]
        self._batch = batch

    @property
    def channels(self) -> int:
        """The channels of the images that the networks take."""
        return self._networks[0].channels

    def predict(self, images: Iterable[np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
        """Give the probabilities of each image (H, W, C) uint8, in order, as row strips (h, W, K) float32.

        The strips come from top to bottom; those of one image are to be taken before the next image is asked for.

        Images that fit into a tile are predicted in batches and come as one row strip; of a larger one memory holds
        only as many rows as a tile has. The channels must be those that the networks take. Where a network's logits are
        not all finite, the probabilities are NaN (`evaluation.confusion.check_finite` refuses them).
        """
        for fits, group in groupby(images, self._fits):
            if not fits:
                yield from (_mean_strips([network.row_strips(image) for network in self._networks]) for image in group)
                continue
            for batch in _batched(group, self._batch):
                of_each = [network.small(batch) for network in self._networks]
                yield from (iter([_mean(maps)]) for maps in zip(*of_each, strict=True))

    def probabilities(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same with each image's probabilities in one array (H, W, K)."""
        return (np.concatenate(list(row_strips)) for row_strips in self.predict(images))

    def _fits(self, image: np.ndarray) -> bool:
        return all(image.shape[0] <= n.height and image.shape[1] <= n.width for n in self._networks)


class _Tiled:
    """One network, which takes batches of tiles of one size."""

    def __init__(self, network: keras.Model, flips: Sequence[tuple[int, ...]], overlap: float, batch: int) -> None:
        self._network = network
        self.height, self.width, self.channels = map(int, network.input_shape[1:])
        self._flips = flips
        self._overlap = overlap
        self._batch = batch

    def small(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probabilities (H, W, K) of at most a batch of images, none larger than a tile."""
        corners = [((i.shape[0] - self.height) // 2, (i.shape[1] - self.width) // 2) for i in images]
        tiles = [cut(image, *corner, self.height, self.width) for image, corner in zip(images, corners, strict=True)]
        found = self._predict(np.stack(tiles))
        return [
            one[-row : image.shape[0] - row, -column : image.shape[1] - column]
            for one, image, (row, column) in zip(found, images, corners, strict=True)
        ]

    def row_strips(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """The probabilities of an image of any size, in row strips (h, W, K) from top to bottom."""
        height, width = image.shape[:2]
        down, across = (tile_axis(height, self.height, self._overlap), tile_axis(width, self.width, self._overlap))
        tiles = self._tiles(image, down, across)
        following = [*down.starts[1:].tolist(), height]
        held: np.ndarray | None = None  # the rows that are not complete, from row `done` on
        done = 0
        for position, row in groupby(tiles, itemgetter(0)):
            start = int(down.starts[position])
            strip = self._strip([found for _, found in row], across, width)
            top, bottom = max(start, 0), min(start + self.height, height)
            inside = slice(top - start, bottom - start)
            strip = strip[inside] * down.weights[position, inside, None, None]
            if held is not None:
                strip[: len(held)] += held
            complete = max(following[position], 0) - done
            if complete:
                yield strip[:complete]
            held, done = strip[complete:], done + complete

    def _tiles(self, image: np.ndarray, down: TileAxis, across: TileAxis) -> Iterator[tuple[int, np.ndarray]]:
        """(row of tiles, probabilities of a tile), row by row and from left to right."""
        for chosen in _batched(product(range(len(down.starts)), across.starts.tolist()), self._batch):
            cuts = [cut(image, int(down.starts[row]), left, self.height, self.width) for row, left in chosen]
            yield from zip((row for row, _ in chosen), self._predict(np.stack(cuts)), strict=True)

    def _strip(self, tiles: Sequence[np.ndarray], across: TileAxis, width: int) -> np.ndarray:
        """A row of tiles, blended: (tile height, width, K)."""
        strip = np.zeros((self.height, width, tiles[0].shape[-1]), np.float32)
        for tile, start, weights in zip(tiles, across.starts.tolist(), across.weights, strict=True):
            left, right = max(start, 0), min(start + self.width, width)
            inside = slice(left - start, right - start)
            strip[:, left:right] += tile[:, inside] * weights[inside, None]
        return strip

    def _predict(self, tiles: np.ndarray) -> np.ndarray:
        """(n, h, w, C) uint8, at most a batch → (n, h, w, K) float32."""
        images = scale(tiles)
        # A short batch is filled up: each new shape would cost a trace.
        filled = np.concatenate([images, np.zeros((self._batch - len(images), *images.shape[1:]), np.float32)])
        return _mean([self._flipped(filled, axes)[: len(images)] for axes in self._flips])

    def _flipped(self, images: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        with fixed_settings():
            logits = np.asarray(self._network.predict_on_batch(np.flip(images, axes)), np.float32)
        return np.flip(_probabilities(logits), axes)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits (…, K) → probabilities (…, K); NaN where one of the K is not finite."""
    sound = np.where(np.isfinite(logits).all(axis=-1, keepdims=True), logits, np.nan)
    return np.asarray(softmax(sound, axis=-1))


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last of which may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray:
    return maps[0] if len(maps) == 1 else np.asarray(np.mean(np.stack(maps), axis=0))


def _mean_strips(of_each: Sequence[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """The mean of the same rows in row strips that may end at different ones."""
    held = [next(row_strips) for row_strips in of_each]
    while True:
        rows = min(map(len, held))
        yield _mean([strip[:rows] for strip in held])
        pairs = zip(held, of_each, strict=True)
        rest = [strip[rows:] if len(strip) > rows else next(row_strips, None) for strip, row_strips in pairs]
        held = [strip for strip in rest if strip is not None]
        if len(held) < len(of_each):
            return
