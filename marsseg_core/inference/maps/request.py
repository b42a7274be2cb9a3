"""What a user requests of a map, and what it opens: in the command's process and in those of workers."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...data.ranges import Range, parse_range
from ...data.raster import Raster
from ...errors import RequestError
from ...evaluation.decoding import Decoding
from ...export.exporters import find_engine
from ...registry.session import open_session
from ...runs.decoding import decoding_of, uses_tta
from ..ensemble import load_networks, open_runs, scaling_of

if TYPE_CHECKING:
    from ...networks.predictor import Predictor


@dataclass(frozen=True)
class MapRequest:
    """The image to predict, and how.

    Attributes:
        runs: the run folders
        source: the image
        bands: the numbers of its bands; None: those that are certain
        range: the values of black and white
        tta: whether to average over flipped copies; None: as the run was scored
        decoding: how values become classes
        with_ignored: whether ignored classes are predicted
        tile_overlap: the overlap of tiles; None chooses
        batch: images predicted at the same time; None: what the memory allows
        pixels: the pixels of each network that are computed at once; None: what `batch` says
        engine: what computes the networks: Keras, or the runtime of an exporter
        plugins: plugin files
        trust: whether the plugin files of the runs may be executed
    """

    runs: tuple[str, ...]
    source: str
    bands: tuple[int, ...] | None = None
    range: str | None = None
    tta: bool | None = None
    decoding: str = "run"
    with_ignored: bool = False
    tile_overlap: float | None = None
    batch: int | None = None
    pixels: tuple[int, ...] | None = None
    engine: str = "keras"
    plugins: tuple[str, ...] = ()
    trust: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the arguments of `of_json`."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> MapRequest:
        """Return a request from its values, in which lists stand for tuples."""
        arguments: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**arguments)


class MapPrediction:
    """The runs and the image of a request, opened. Use it in a `with` block, which closes the image.

    Raises RequestError where they do not exist, do not fit together, or cannot be read.
    """

    def __init__(self, request: MapRequest) -> None:
        self.request = request
        self.wanted_range = None if request.range is None else parse_range(request.range, "--range")
        self.folders, self.classes = open_runs(request.runs)
        self.session = open_session(plugins=request.plugins, trust=request.trust)
        self.engine = find_engine(request.engine, self.session.catalog)
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

    @property
    def ignore_classes(self) -> tuple[int, ...]:
        """Return the ids of the classes that no pixel gets."""
        return () if self.request.with_ignored else self.classes.ignore_classes

    @cached_property
    def decoding(self) -> Decoding:
        """Return how values become classes."""
        return decoding_of(self.folders, self.request.decoding)

    @cached_property
    def predictor(self) -> Predictor:
        """Load the networks, and return their predictor."""
        from ...networks.predictor import Predictor

        request = self.request
        return Predictor(
            load_networks(self.folders, self.session, self.engine),
            tta=uses_tta(self.folders, request.tta),
            overlap=request.tile_overlap,
            batch=request.batch,
            labels_only=not self.decoding.offsets,
            pixels=request.pixels,
        )

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
            f"'{text}' are no numbers of bands.", where="--bands", hint="Use numbers from 1, as in --bands 3,2,1."
        )
    bands = tuple(map(int, words))
    if 0 in bands:
        raise RequestError("Bands are numbered from 1.", where="--bands")
    if len(bands) not in (1, 3):
        raise RequestError(f"A network takes one grey band or three colours, not {len(bands)} bands.", where="--bands")
    return bands
