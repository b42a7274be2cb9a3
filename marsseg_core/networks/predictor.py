"""Predict class probabilities of images of any size, with one network or the mean of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice, pairwise, product
from operator import itemgetter
from typing import Final, TypeVar

import keras
import numpy as np

from ..data.arrays import scale
from .compiled import compiled
from .cost import cost_of
from .local import Locality, locality
from .memory import pixels_at_once
from .tiling import Pixels, TileAxis, best_tile, cut, seam_axis, tile_axis

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
        pixels: of each network, how many pixels it computes at once, as another predictor's `pixels` says. None: what
            `batch` says.

    The prediction of an image depends on the images with which it shares a batch, in its last bits. It does not depend
    on any other image: so parts of a sequence that are cut between batches can be predicted by several predictors.
    """

    def __init__(
        self,
        networks: Sequence[keras.Model],
        *,
        tta: bool = False,
        overlap: float | None = None,
        batch: int | None = None,
        labels_only: bool = False,
        pixels: Sequence[int] | None = None,
    ) -> None:
        flips = FLIPS if tta else FLIPS[:1]
        limits = pixels or [_pixels_of(network, batch) for network in networks]
        self._networks = [
            _TiledNetwork(network, flips, overlap, limit) for network, limit in zip(networks, limits, strict=True)
        ]
        self._as_logits = labels_only and len(networks) == 1 and not tta
        self.batch = max(network.batch for network in self._networks)

    @property
    def channels(self) -> int:
        """Return the number of channels of the images that the networks take."""
        return self._networks[0].channels

    @property
    def pixels(self) -> list[int]:
        """Return how many pixels each network computes at once."""
        return [network.pixels for network in self._networks]

    def predict(self, images: Iterable[np.ndarray], *, goes_on: bool = False) -> Iterator[Iterator[np.ndarray]]:
        """Yield the probabilities of each image (H, W, C) uint8, in order, as row strips (h, W, K) float32.

        The strips come from top to bottom. Consume all strips of an image before you request the next image.

        Images that fit into the networks are predicted in batches, and each comes as one row strip. A larger image
        comes in strips no higher than the network's own images, and memory holds as many rows as a tile has. The images
        must have the channels that the networks take. Where a network's logits are not all finite, the probabilities
        are NaN (`evaluation.confusion.check_finite` finds them).

        Where the images go on with a sequence (`goes_on`), a short batch is filled to the size of the full ones before.
        """
        for fits, group in groupby(images, self.fits):
            if not fits:
                yield from map(self.predict_rows, group)
                continue
            for network in self._networks:
                network.begin([(network.height, network.width, network.batch)] if goes_on else [])
            for batch in _batched(group, self.batch):
                predictions = [network.predict_small(batch, self._as_logits) for network in self._networks]
                yield from (iter([_mean(maps)]) for maps in zip(*predictions, strict=True))

    def probabilities(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the probabilities of each image as one array (H, W, K)."""
        return (np.ascontiguousarray(np.concatenate(list(row_strips))) for row_strips in self.predict(images))

    def predict_rows(self, image: Pixels, rows: range | None = None) -> Iterator[np.ndarray]:
        """Yield the probabilities of successive rows of an image that does not fit, in row strips; None: all rows."""
        rows = rows or range(image.shape[0])
        return _mean_strips([network.row_strips(image, rows) for network in self._networks])

    def parts(self, image: Pixels, count: int) -> list[range]:
        """Cut the rows of an image that does not fit into at most `count` parts of about the same work."""
        return self._networks[0].parts(image, count)

    def fits(self, image: Pixels) -> bool:
        """Return whether an image is not larger than those of the networks, so that it is predicted in a batch."""
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
        self, network: keras.Model, flips: Sequence[tuple[int, ...]], overlap: float | None, pixels: int
    ) -> None:
        self._network, self._compiled = network, compiled(network)
        self.height, self.width, self.channels = map(int, network.input_shape[1:])
        self._flips = flips
        self._overlap = overlap
        self.pixels = pixels
        self.batch = max(1, pixels // (self.height * self.width))
        self._traced: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)  # numbers of tiles, by size of a tile

    def begin(self, traced: Iterable[tuple[int, int, int]]) -> None:
        """Forget which numbers of tiles were predicted before, apart from these: (height, width, number)."""
        self._traced.clear()
        for height, width, number in traced:
            self._traced[height, width].add(number)

    @cached_property
    def _locality(self) -> Locality | None:
        return locality(self._network)

    def predict_small(self, images: Sequence[np.ndarray], as_logits: bool) -> list[np.ndarray]:
        """Return the probabilities or logits (H, W, K) of images, none larger than the network's."""
        corners = [((i.shape[0] - self.height) // 2, (i.shape[1] - self.width) // 2) for i in images]
        tiles = np.stack(
            [cut(image, *corner, self.height, self.width) for image, corner in zip(images, corners, strict=True)]
        )
        predicted = (
            self._logits(scale(tiles), self.batch) if as_logits else _classes_last(self._predict(tiles, self.batch))
        )
        return [
            tile[-row : image.shape[0] - row, -column : image.shape[1] - column]
            for tile, image, (row, column) in zip(predicted, images, corners, strict=True)
        ]

    def row_strips(self, image: Pixels, rows: range) -> Iterator[np.ndarray]:
        """Yield the probabilities of successive rows of an image of any size, in row strips (h, W, K)."""
        for strip in self._blended(image, self._grid(*image.shape[:2]), rows):
            planes = _classes_last(strip)
            yield from (planes[start : start + self.height] for start in range(0, len(planes), self.height))

    def parts(self, image: Pixels, count: int) -> list[range]:
        """Cut the rows of an image where a row of tiles begins, into at most `count` parts."""
        height, starts = image.shape[0], np.maximum(self._grid(*image.shape[:2]).down.starts, 0)
        chosen = np.unique(starts[np.arange(count) * len(starts) // count])
        return [range(*pair) for pair in pairwise([*chosen.tolist(), height])]

    def _grid(self, height: int, width: int) -> _Grid:
        if self._overlap is not None or self._locality is None:
            overlap = HALF if self._overlap is None else self._overlap
            axes = (tile_axis(height, self.height, overlap), tile_axis(width, self.width, overlap))
            return _Grid(*axes, self.height, self.width, self.batch)
        stride, reach = self._locality.stride, self._locality.reach
        size, own = (height, width), (self.height, self.width)
        seam = min(2 * reach, *(length // 2 for length in own))
        seams = tuple(seam if length > shortest else 0 for length, shortest in zip(size, own, strict=True))
        tile = best_tile(size, own, seams, stride, self.pixels, _STRIP_CALLS * self.pixels)
        down, across = (seam_axis(*axis, stride) for axis in zip(size, tile, seams, strict=True))
        return _Grid(down, across, *tile, max(1, self.pixels // (tile[0] * tile[1])))

    def _blended(self, image: Pixels, grid: _Grid, rows: range) -> Iterator[np.ndarray]:
        """Yield the blended rows of tiles (K, h, W), each as far as no later row of tiles contributes to it."""
        height, width = image.shape[:2]
        next_starts = [*grid.down.starts[1:].tolist(), height]
        # The first row of tiles that contributes to one of the rows.
        first = int(np.argmax(grid.down.starts + grid.height > rows.start))
        pending: np.ndarray | None = None  # rows to which the next row of tiles also contributes, from row `done` on
        done = max(int(grid.down.starts[first]), 0)
        for position, row in groupby(self._tiles(image, grid, first), itemgetter(0)):
            start = int(grid.down.starts[position])
            strip = self._strip([tile for _, tile in row], grid, width)
            top, bottom = max(start, 0), min(start + grid.height, height)
            inside = slice(top - start, bottom - start)
            strip = strip[:, inside]
            strip *= grid.down.weights[position, inside, None]
            if pending is not None:
                strip[:, : pending.shape[1]] += pending
            complete = max(next_starts[position], 0) - done
            wanted = slice(max(rows.start - done, 0), min(rows.stop - done, complete))
            if wanted.start < wanted.stop:
                yield strip[:, wanted]
            pending, done = strip[:, complete:], done + complete
            if done >= rows.stop:
                return

    def _tiles(self, image: Pixels, grid: _Grid, first: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the probabilities of each tile with the index of its row, from row `first` on and from left to right.

        The batches are those of the whole image.
        """
        places = product(enumerate(grid.down.starts.tolist()), grid.across.starts.tolist())
        begin = first * len(grid.across.starts) // grid.batch * grid.batch
        self.begin([(grid.height, grid.width, grid.batch)] if begin else [])
        for batch in _batched(islice(places, begin, None), grid.batch):
            cuts = [cut(image, top, left, grid.height, grid.width) for (_, top), left in batch]
            tiles = zip((row for (row, _), _ in batch), self._predict(np.stack(cuts), grid.batch), strict=True)
            yield from ((row, tile) for row, tile in tiles if row >= first)

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
        parts = [_softmax(self._logits(views[start : start + batch], batch)) for start in range(0, len(views), batch)]
        predicted = parts[0] if len(parts) == 1 else np.concatenate(parts)
        maps = np.split(predicted, len(self._flips))
        flips = (tuple(axis + 1 for axis in axes) for axes in self._flips)  # now the axes come after the classes
        return _mean([np.flip(view, axes) for view, axes in zip(maps, flips, strict=True)])

    def _logits(self, images: np.ndarray, batch: int) -> np.ndarray:
        """Predict images. Fill a short batch to a size that was predicted before: compiling another takes longer."""
        count = len(images)
        traced = self._traced[images.shape[1:3]]
        filled = min((size for size in traced if size >= count), default=min(_rounded(count), batch))
        traced.add(filled)
        if filled > count:
            images = np.concatenate([images, np.zeros((filled - count, *images.shape[1:]), np.float32)])
        return self._compiled.logits(images)[:count]


def _pixels_of(network: keras.Model, batch: int | None) -> int:
    """Return how many pixels a network computes at once."""
    _, height, width, _ = network.input_shape
    own = height * width
    return batch * own if batch is not None else pixels_at_once(cost_of(network).activation_bytes / own)


def _rounded(count: int) -> int:
    """Return the least of 1, 2, 3, 4, 6, 8, 12, … that is not below a number: so few sizes are compiled."""
    power = 1 << (count - 1).bit_length()
    return 3 * power // 4 if count <= 3 * power // 4 else power


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
