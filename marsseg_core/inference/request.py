"""What a user requests of a prediction, and what it opens: in the command's process and in those of workers."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from ..data.limits import PIXEL_LIMIT
from ..data.ranges import parse_range
from ..errors import RequestError
from ..evaluation.decoding import Decoding
from ..export.exporters import find_engine
from ..files.pack import is_pack
from ..files.run_folder import RunFolder
from ..planning.recognition import given_as_source, named_dataset
from ..registry.kinds import DATASET
from ..registry.session import open_session
from ..runs.decoding import check_choice, decoding_of, uses_tta
from .ensemble import Classes, load_networks, open_runs
from .image_sources import checked_subset, find_source
from .preparing import unchanged

if TYPE_CHECKING:
    from ..networks.predictor import Predictor

_ORDER: Final = "Runs come first, the images last: marsseg predict RUN… IMAGES"


@dataclass(frozen=True)
class RunsRequest:
    """What to predict with runs, and how.

    Attributes:
        runs: the run folders
        source: what is predicted
        range: the values of black and white in image files
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
    def of_json(cls, values: dict[str, Any]) -> Self:
        """Return a request from its values, in which lists stand for tuples."""
        arguments: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**arguments)


class OpenedRuns:
    """The runs of a request, opened.

    Raises RequestError where they do not exist or do not fit together.
    """

    labels_only = True
    """Whether nothing is wanted of the networks but the order of the classes at each of their own pixels."""

    def __init__(self, request: RunsRequest) -> None:
        self.request = request
        self.wanted_range = None if request.range is None else parse_range(request.range, "--range")
        self.folders, self.classes = _open_runs(request)
        check_choice(request.decoding)
        self.session = open_session(plugins=request.plugins, trust=request.trust)
        if RunFolder(request.source).begun and not self.session.catalog.named(request.source, [DATASET]):
            what = f"'{request.source}' is a run, not images to predict."
            raise RequestError(what, where=f"source {request.source}", hint=_ORDER)
        self.engine = find_engine(request.engine, self.session.catalog)

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
        from ..networks.predictor import Predictor

        request = self.request
        return Predictor(
            load_networks(self.folders, self.session, self.engine),
            tta=uses_tta(self.folders, request.tta),
            overlap=request.tile_overlap,
            batch=request.batch,
            labels_only=self.labels_only and not self.decoding.offsets,
            pixels=request.pixels,
        )


def check_given(request: RunsRequest) -> None:
    """Raise RequestError for runs or images that are not there."""
    opened = OpenedRuns(request)
    if not os.path.exists(request.source):
        with given_as_source(request.source):
            named_dataset(request.source, f"--{DATASET.option} {request.source}", opened.session.catalog)


def _open_runs(request: RunsRequest) -> tuple[list[RunFolder], Classes]:
    try:
        return open_runs(request.runs)
    except RequestError as error:
        source = request.source
        if RunFolder(source).begun or (source.endswith(".zip") and is_pack(source)):
            error.hint = _ORDER
        raise


@dataclass(frozen=True)
class PredictionRequest(RunsRequest):
    """What to predict of image files or of a data set.

    Attributes:
        subset: the subset of the data set
        pixel_limit: the number of pixels from which on an image is refused
        overlay: whether to write overlays
        probabilities: whether to write probabilities
    """

    subset: str | None = None
    pixel_limit: int = PIXEL_LIMIT
    overlay: bool = False
    probabilities: bool = False


class Prediction(OpenedRuns):
    """The runs and the images of a request, opened.

    Raises RequestError where they do not exist, do not fit together, or cannot be read.
    """

    request: PredictionRequest

    def __init__(self, request: PredictionRequest) -> None:
        subset = None if request.subset is None else checked_subset(request.subset)
        super().__init__(request)
        self.images = find_source(
            request.source,
            self.session,
            self.folders,
            subset=subset,
            pixel_limit=request.pixel_limit,
            wanted=self.wanted_range,
        )
        # Between pixels, logits and probabilities are interpolated differently.
        self.labels_only = not request.probabilities and self.images.prepared is unchanged
