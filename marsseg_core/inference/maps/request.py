"""What a user requests of a map, and what it opens: in the command's process and in those of workers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...data.ranges import Range
from ...data.raster import Raster
from ...errors import RequestError
from ...runs.decoding import uses_tta
from ..ensemble import scaling_of
from ..request import OpenedRuns, RunsRequest


@dataclass(frozen=True)
class MapRequest(RunsRequest):
    """The map to predict; `bands` are the numbers of its bands, None those that are certain."""

    bands: tuple[int, ...] | None = None


class MapPrediction(OpenedRuns):
    """The runs and the image of a request, opened. Use it in a `with` block, which closes the image.

    Raises RequestError where they do not exist, do not fit together, or cannot be read.
    """

    request: MapRequest

    def __init__(self, request: MapRequest) -> None:
        super().__init__(request)
        self.raster = Raster(Path(request.source), request.bands)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.raster.close()

    def scale(self) -> None:
        """Determine how the values of the image become 0 to 255, as requested or as the runs did."""
        self.raster.scale(self.wanted_range or Range.of(scaling_of(self.folders)))

    @property
    def size(self) -> tuple[int, int]:
        """Return the rows and columns of the image."""
        height, width, _ = self.raster.shape
        return height, width

    def record(self) -> dict[str, Any]:
        """Return everything on which the labels depend, for a file beside the map."""
        request, raster = self.request, self.raster
        return {
            "image": [_state(path) for path in raster.files()],
            "bands": raster.bands,
            "range": raster.scaling_text,
            "runs": [folder.network_hash() for folder in self.folders],
            "tta": uses_tta(self.folders, request.tta),
            "decoding": self.decoding.offsets,
            "with_ignored": request.with_ignored,
            "tile_overlap": request.tile_overlap,
            "batch": self.predictor.pixels,
            "engine": request.engine,
        }


def _state(path: Path) -> list[Any]:
    """Return the path, size and time of change of a file, to tell whether it is the same."""
    stat = path.stat()
    return [os.path.abspath(path), stat.st_size, stat.st_mtime_ns]


def parse_bands(text: str) -> tuple[int, ...]:
    """Parse the numbers of bands, such as "1" or "3,2,1". Raises RequestError where they are not one or three."""
    words = text.split(",")
    if not all(word.strip().isascii() and word.strip().isdecimal() for word in words):
        raise RequestError(
            f"'{text}' is not a list of band numbers.", where="--bands", hint="Use numbers from 1, as in --bands 3,2,1."
        )
    bands = tuple(map(int, words))
    if 0 in bands:
        raise RequestError("Bands are numbered from 1.", where="--bands")
    if len(bands) not in (1, 3):
        raise RequestError(f"A network takes one grey band or three colours, not {len(bands)} bands.", where="--bands")
    return bands
