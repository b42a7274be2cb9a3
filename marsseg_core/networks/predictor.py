"""Predict class probabilities of images of any size, with one network or the mean of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice, product
from operator import itemgetter
from typing import Final, TypeVar

import keras
import numpy as np

from ..data.arrays import scale
from .compiled import compiled
from .cost import cost_of
from .local import Locality, locality
from .memory import pixels_at_once
from .tiling import TileAxis, best_tile, cut, seam_axis, tile_axis

T = TypeVar("T")

# The axes of a batch (B, H, W, …) that each flip reverses: none, horizontal, vertical, both.
FLIPS: Final = ((), (2,), (1,), (1, 2))

# The overlap of tiles of the network's own size. Trainings score images larger than their crops with it.
HALF: Final = 0.5

# A row of tiles over the whole width of an image has at most this many times the pixels of a call.
_STRIP_CALLS: Final = 16


class Predictor:
    """Predict the mean probabilities of several networks, each in tiles.

    Args:
        networks: the networks; all take images with the same number of channels
        tta: test-time augmentation: predict each tile and its three mirror images, and average the four results
        overlap: the share of a tile that its neighbour also covers, in 0 … 1 (excluded), for tiles of the size that the
            network takes. None chooses: larger tiles that overlap only at their seams where the network is local
            (`local.locality`), or else tiles that share one half.
        batch: the number of tiles of the network's size that are predicted at once, or of larger tiles with together as
            many pixels. None chooses it for the memory there is (`memory.pixels_at_once`).
        labels_only: only the order of the classes at a pixel matters. Then an image comes as its logits where these
            have the same order as the probabilities: with one network, without `tta`, if the image fits into a tile.
    """

    def __init__(
        self,
        networks: Sequence[keras.Model],
        *,
        tta: bool = False,
        overlap: float | None = None,
        batch: int | None = None,
        labels_only: bool = False,
    ) -> None:
        flips = FLIPS if tta else FLIPS[:1]
        self._networks = [_TiledNetwork(network, flips, overlap, batch) for network in networks]
        self._as_logits = labels_only and len(networks) == 1 and not tta
        self._batch = max(network.batch for network in self._networks)

    @property
    def channels(self) -> int:
        """Return the number of channels of the images that the networks take."""
        return self._networks[0].channels

    def predict(self, images: Iterable[np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
        """Yield the probabilities of each image (H, W, C) uint8, in order, as row strips (h, W, K) float32.

        The strips come from top to bottom. Consume all strips of an image before you request the next image.

        Images that fit into the networks are predicted in batches, and each comes as one row strip. A larger image
        comes in strips no higher than the network's own images, and memory holds as many rows as a tile has. The images
        must have the channels that the networks take. Where a network's logits are not all finite, the probabilities
        are NaN (`evaluation.confusion.check_finite` finds them).
        """
        for fits, group in groupby(images, self._fits):
            if not fits:
                yield from (_mean_strips([network.row_strips(image) for network in self._networks]) for image in group)
                continue
            for batch in _batched(group, self._batch):
                predictions = [network.predict_small(batch, self._as_logits) for network in self._networks]
                yield from (iter([_mean(maps)]) for maps in zip(*predictions, strict=True))

    def probabilities(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the probabilities of each image as one array (H, W, K)."""
        return (np.ascontiguousarray(np.concatenate(list(row_strips))) for row_strips in self.predict(images))

    def _fits(self, image: np.ndarray) -> bool:
        return all(image.shape[0] <= n.height and image.shape[1] <= n.width for n in self._networks)


@dataclass(frozen=True)
class _Grid:
    """The tiles of one image: their positions down and across, their size, and how many are predicted at once."""

    down: TileAxis
    across: TileAxis
    height: int
    width: int
    batch: int


class _TiledNetwork:
    """Predict images of any size with one network, which takes images of one size."""

    def __init__(
        self, network: keras.Model, flips: Sequence[tuple[int, ...]], overlap: float | None, batch: int | None
    ) -> None:
        self._network, self._compiled = network, compiled(network)
        self.height, self.width, self.channels = map(int, network.input_shape[1:])
        self._flips = flips
        self._overlap = overlap
        own = self.height * self.width
        self._pixels = batch * own if batch is not None else pixels_at_once(cost_of(network).activation_bytes / own)
        self.batch = max(1, self._pixels // own)
        self._traced: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)  # numbers of tiles, by size of a tile

    @cached_property
    def _locality(self) -> Locality | None:
        return locality(self._network)

    def predict_small(self, images: Sequence[np.ndarray], as_logits: bool) -> list[np.ndarray]:
        """Return the probabilities or logits (H, W, K) of images, none larger than the network's."""
        corners = [((i.shape[0] - self.height) // 2, (i.shape[1] - self.width) // 2) for i in images]
        tiles = np.stack(
            [cut(image, *corner, self.height, self.width) for image, corner in zip(images, corners, strict=True)]
        )
        predicted = self._logits(scale(tiles)) if as_logits else _classes_last(self._predict(tiles, self.batch))
        return [
            tile[-row : image.shape[0] - row, -column : image.shape[1] - column]
            for tile, image, (row, column) in zip(predicted, images, corners, strict=True)
        ]

    def row_strips(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the probabilities of an image of any size, in row strips (h, W, K) from top to bottom."""
        for strip in self._blended(image, self._grid(*image.shape[:2])):
            rows = _classes_last(strip)
            yield from (rows[start : start + self.height] for start in range(0, len(rows), self.height))

    def _grid(self, height: int, width: int) -> _Grid:
        if self._overlap is not None or self._locality is None:
            overlap = HALF if self._overlap is None else self._overlap
            axes = (tile_axis(height, self.height, overlap), tile_axis(width, self.width, overlap))
            return _Grid(*axes, self.height, self.width, self.batch)
        stride, reach = self._locality.stride, self._locality.reach
        size, own = (height, width), (self.height, self.width)
        seam = min(2 * reach, *(length // 2 for length in own))
        seams = tuple(seam if length > shortest else 0 for length, shortest in zip(size, own, strict=True))
        tile = best_tile(size, own, seams, stride, self._pixels, _STRIP_CALLS * self._pixels)
        down, across = (seam_axis(*axis, stride) for axis in zip(size, tile, seams, strict=True))
        return _Grid(down, across, *tile, max(1, self._pixels // (tile[0] * tile[1])))

    def _blended(self, image: np.ndarray, grid: _Grid) -> Iterator[np.ndarray]:
        """Yield the blended rows of tiles (K, h, W), each as far as no later row of tiles contributes to it."""
        height, width = image.shape[:2]
        tiles = self._tiles(image, grid)
        next_starts = [*grid.down.starts[1:].tolist(), height]
        pending: np.ndarray | None = None  # rows to which the next row of tiles also contributes, from row `done` on
        done = 0
        for position, row in groupby(tiles, itemgetter(0)):
            start = int(grid.down.starts[position])
            strip = self._strip([tile for _, tile in row], grid, width)
            top, bottom = max(start, 0), min(start + grid.height, height)
            inside = slice(top - start, bottom - start)
            strip = strip[:, inside]
            strip *= grid.down.weights[position, inside, None]
            if pending is not None:
                strip[:, : pending.shape[1]] += pending
            complete = max(next_starts[position], 0) - done
            if complete:
                yield strip[:, :complete]
            pending, done = strip[:, complete:], done + complete

    def _tiles(self, image: np.ndarray, grid: _Grid) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the probabilities of each tile with the index of its row, row by row and from left to right."""
        places = product(enumerate(grid.down.starts.tolist()), grid.across.starts.tolist())
        for batch in _batched(places, grid.batch):
            cuts = [cut(image, top, left, grid.height, grid.width) for (_, top), left in batch]
            yield from zip((row for (row, _), _ in batch), self._predict(np.stack(cuts), grid.batch), strict=True)

    def _strip(self, tiles: Sequence[np.ndarray], grid: _Grid, width: int) -> np.ndarray:
        """Blend a row of tiles to a strip (K, tile height, width)."""
        strip = np.zeros((len(tiles[0]), grid.height, width), np.float32)
        for tile, start, weights in zip(tiles, grid.across.starts.tolist(), grid.across.weights, strict=True):
            left, right = max(start, 0), min(start + grid.width, width)
            inside = slice(left - start, right - start)
            strip[..., left:right] += tile[..., inside] * weights[inside]
        return strip

    def _predict(self, tiles: np.ndarray, batch: int) -> np.ndarray:
        """Return the probabilities (n, K, h, w) float32 of tiles (n, h, w, C) uint8, at most `batch` in one call.

        The mirror images of few tiles share a call.
        """
        images = scale(tiles)
        views = np.concatenate([np.flip(images, axes) for axes in self._flips]) if len(self._flips) > 1 else images
        parts = [_softmax(self._logits(views[start : start + batch])) for start in range(0, len(views), batch)]
        predicted = parts[0] if len(parts) == 1 else np.concatenate(parts)
        maps = np.split(predicted, len(self._flips))
        flips = (tuple(axis + 1 for axis in axes) for axes in self._flips)  # now the axes come after the classes
        return _mean([np.flip(view, axes) for view, axes in zip(maps, flips, strict=True)])

    def _logits(self, images: np.ndarray) -> np.ndarray:
        """Predict a batch. Fill a short one to a size that was compiled before: compiling another takes longer."""
        count = len(images)
        traced = self._traced[images.shape[1:3]]
        filled = min((size for size in traced if size >= count), default=count)
        traced.add(filled)
        if filled > count:
            images = np.concatenate([images, np.zeros((filled - count, *images.shape[1:]), np.float32)])
        return self._compiled.logits(images)[:count]


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Convert logits (n, h, w, K) to probabilities (n, K, h, w); all K are NaN where one of the logits is not finite.

    With the classes before the pixels, NumPy takes a quarter of the time that it or a graph takes with them last.
    """
    planes = np.ascontiguousarray(np.moveaxis(logits, -1, 1))
    finite = np.isfinite(planes)
    if not finite.all():
        planes = np.where(finite.all(axis=1, keepdims=True), planes, np.float32(np.nan))
    planes -= planes.max(axis=1, keepdims=True)
    np.exp(planes, out=planes)
    planes /= planes.sum(axis=1, keepdims=True)
    return planes


def _classes_last(planes: np.ndarray) -> np.ndarray:
    return np.moveaxis(planes, -3, -1)


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`. The last list may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _mean(maps: Sequence[np.ndarray]) -> np.ndarray:
    if len(maps) == 1:
        return maps[0]
    total: np.ndarray = maps[0] + maps[1]
    for other in maps[2:]:
        total += other
    total /= len(maps)
    return total


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
