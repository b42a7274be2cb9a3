"""Predict a map block by block, and write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...conventions import VOID
from ...data.raster import Raster
from ...evaluation.confusion import decode
from ...figures.colours import class_colours
from ...files.atomic import atomic_write, write_bytes
from ..ensemble import Classes, with_channels
from ..prediction import finite
from .areas import CellAreas, Ellipsoid, ellipsoid_of
from .geotiff import category_file, new_map
from .parts import Parts
from .request import MapPrediction

# Areas are added up in so many rows at a time, since they need eight bytes a pixel.
_SUMMED_ROWS = 64


class NetworkImage:
    """Show a raster as the image that a network with `channels` channels takes, in windows."""

    def __init__(self, raster: Raster, channels: int) -> None:
        self._raster = raster
        self._channels = channels
        self.shape: tuple[int, ...] = (*raster.shape[:2], channels)

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the pixels of a window, (h, w, channels) uint8."""
        return with_channels(self._raster[window], self._channels)


@dataclass
class MapSummary:
    """What a map holds.

    Attributes:
        pixels: (K,) the number of pixels of each class
        void: the number of pixels without data
        body: the ellipsoid of the areas; None if the image has no coordinate reference system with a grid
        square_metres: (K,) the area of each class
        outside: the number of pixels with a class whose place is not on the body, and which have no area
    """

    pixels: np.ndarray
    void: int
    body: Ellipsoid | None
    square_metres: np.ndarray
    outside: int = 0


def predict_blocks(
    prediction: MapPrediction,
    parts: Parts,
    numbers: range | None = None,
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> None:
    """Predict the blocks that are not there yet, among these or all, from top to bottom. Pixels without data are void.

    The labels are those of the whole image predicted in memory, wherever the prediction goes on. `progress` is called
    with the number of rows that this call has predicted. Raises RunError where the network's output is not finite.
    """
    before = 0
    for blocks in parts.missing(numbers):
        _predict_run(prediction, parts, blocks, progress, before)
        before += parts.height(blocks)


def write_map(
    out: Path, raster: Raster, parts: Parts, classes: Classes, finished: Callable[[Path], None]
) -> MapSummary:
    """Write the map from its blocks with its class names, and measure the areas of the classes.

    `finished` is called with the path of the whole file before it gets its name.
    """
    colours = class_colours(classes.names, own_colours=classes.colours)
    summary = _Areas(raster, len(classes.names))
    with atomic_write(out, ready=finished) as temporary, ExitStack() as open_map:
        dataset = open_map.enter_context(new_map(temporary, raster.dataset, classes.names, colours))
        for number in range(parts.count):
            top, bottom = parts.rows(number)
            labels = parts.read(number)
            dataset.write(labels, 1, window=((top, bottom), (0, raster.shape[1])))
            summary.add(labels, top, bottom)
    write_bytes(out.with_name(f"{out.name}.aux.xml"), category_file(classes.names))
    return summary.total


def _predict_run(
    prediction: MapPrediction, parts: Parts, blocks: range, progress: Callable[[int], None], before: int
) -> None:
    """Predict successive blocks. `before` is the number of rows that were predicted before them."""
    raster, number = prediction.raster, blocks.start
    first, bottom = parts.rows(number)
    row, waiting = first, list[np.ndarray]()
    for strip in _labels(prediction, range(first, first + parts.height(blocks))):
        while len(strip):
            piece, strip = strip[: bottom - row], strip[bottom - row :]
            waiting.append(piece)
            row += len(piece)
            progress(before + row - first)
            if row == bottom:
                labels = np.concatenate(waiting)
                labels[~raster.valid(slice(*parts.rows(number)), slice(0, raster.shape[1]))] = VOID
                parts.write(number, labels)
                number, waiting = number + 1, []
                bottom = parts.rows(number)[1]


def _labels(prediction: MapPrediction, rows: range) -> Iterator[np.ndarray]:
    """Yield the labels (h, W) of rows of the image, in row strips."""
    raster, predictor = prediction.raster, prediction.predictor
    image = NetworkImage(raster, predictor.channels)
    height, width = image.shape[:2]
    if predictor.fits(image):
        whole = next(predictor.predict([image[0:height, 0:width]]))
        strips = iter([np.concatenate([*whole])[rows.start : rows.stop]])
    else:
        strips = predictor.predict_rows(image, rows)
    for strip in finite(strips, raster.path.name):
        yield decode(prediction.decoding.of_probabilities(strip), prediction.ignore_classes)


class _Areas:
    """Add up pixels and areas of the classes, block by block."""

    def __init__(self, raster: Raster, num_classes: int) -> None:
        source: Any = raster.dataset
        grid = bool(source.crs) and not source.gcps[0] and not source.transform.is_identity
        body = ellipsoid_of(source.crs) if grid else None
        self._cells = None if body is None else CellAreas(source.crs, source.transform, raster.shape[:2], body)
        self.total = MapSummary(np.zeros(num_classes, np.int64), 0, body, np.zeros(num_classes))

    def add(self, labels: np.ndarray, top: int, bottom: int) -> None:
        """Count the labels (h, W) of rows `top` to `bottom`."""
        counts = np.bincount(labels.ravel(), minlength=VOID + 1)
        size = len(self.total.pixels)
        self.total.pixels += counts[:size]
        self.total.void += int(counts[VOID])
        if self._cells is None:
            return
        areas = self._cells.of_rows(top, bottom)
        for row in range(0, len(labels), _SUMMED_ROWS):
            some, cells = labels[row : row + _SUMMED_ROWS].ravel(), areas[row : row + _SUMMED_ROWS].ravel()
            if not (on_body := np.isfinite(cells)).all():
                self.total.outside += int((some[~on_body] != VOID).sum())
                some, cells = some[on_body], cells[on_body]
            self.total.square_metres += np.bincount(some, weights=cells, minlength=VOID + 1)[:size]
