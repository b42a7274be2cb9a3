"""Score the networks of finished runs, on a subset of their data or on another data set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..errors import PluginError, RequestError
from ..evaluation.confusion import Confusion, check_finite
from ..evaluation.decoding import ARGMAX, Decoding
from ..evaluation.evaluate import evaluate
from ..evaluation.intervals import Intervals
from ..export.engine import use_engine
from ..export.exporters import Engine
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.keras_backend.devices import ask_for_determinism
from ..networks.load import load
from ..networks.predictor import HALF, Predictor
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.decoding import RECORDED, decoding_of
from ..runs.other_data import OwnData, TrainingImages, split_of_same_images, training_images_in
from ..runs.recorded_data import read_data_of, recorded_scaling, recorded_split
from .ensemble import with_channels
from .image_sources import ALL, checked_subset

_logger = get_logger(__name__)

# Apart from the network, a score needs only these components of a plan. The others need not be installed.
_NEEDED_KINDS: Final = (kinds.DATASET,)

_HINT: Final = "If you have the data: marsseg evaluate {} --data PATH --subset test."


@dataclass(frozen=True)
class Score:
    """The confusion matrix of a run on a subset of a data set, and the metrics to compute from it.

    `run` and `data` are the names by which the user requested them, `titles` has the name of each scored image,
    `colours` are those of the classes of the run's data, if they have any, and `intervals` are set if they were asked.
    `trained` says how many of the images are training images, `other_masks` that a subset of the run is scored with the
    masks of other data, and `transductive` that the run learned from images of its validation and test subsets.
    """

    run: str
    data: str
    subset: str
    confusion: Confusion
    table: MetricTable
    decoding: Decoding
    tta: bool
    titles: tuple[str, ...]
    colours: tuple[tuple[int, ...], ...] | None = None
    intervals: Intervals | None = None
    trained: TrainingImages | None = None
    other_masks: bool = False
    transductive: bool = False


def score_runs(
    runs: Sequence[RunFolder],
    sources: Sequence[Given | None],
    subset: str,
    session: Session,
    *,
    metrics: str | None = None,
    tta: bool | None = None,
    decoding: str = RECORDED,
    engine: Engine | None = None,
    interval: bool = False,
) -> list[Score]:
    """Score each run on each source.

    Args:
        runs: the run folders
        sources: data sets, as text like that of `--data` or as Python objects; None means the data of the run
        subset: "all", or a subset that the run recorded; then the images must be those of the run
        session: the catalog of installed components
        metrics: metrics to compute in addition to those of the run's plan
        tta: whether to use test-time augmentation; None: as the plan of each run says
        decoding: one of `runs.decoding.CHOICES`
        engine: what computes the predictions, from `export.find_engine`; None is Keras
        interval: whether to compute the intervals of the scores

    Raises:
        RequestError: the data differs from that of the run or has other classes, or files of a run have changed
    """
    subset = checked_subset(subset)
    needs_run_data = None in sources or subset != ALL
    needed = _NEEDED_KINDS if needs_run_data else ()
    plans = [resolve(Request(base=str(run.path)), session, only=needed) for run in runs]
    if any(plan.training.deterministic for plan in plans):
        ask_for_determinism()
    reader = _Reader(session)
    scores = []
    for run, plan in zip(runs, plans, strict=True):
        run.check_unchanged(run.plan, run.split, run.cleaning, run.network)
        _warn_if_unfinished(run)
        network, decoded = load(run.path, session), decoding_of([run], decoding)
        use_engine(network, run, engine, session)
        table = _table(plan, metrics, session.catalog)
        flipped = plan.training.tta if tta is None else tta
        colours, transductive = run.class_colours(), run.transductive
        for source in sources:
            data = reader.read(run, plan, source, subset)
            _check_classes(run, network, data)
            items, other_masks = _items(run, data, source, subset, partial(reader.own, run))
            trained = training_images_in(data, run, partial(reader.own, run)) if subset == ALL else None
            # The run's own data are scored as in its training, other data as `marsseg predict` predicts them.
            overlap = None if source is not None and subset == ALL else HALF
            confusion = _score(network, data, items, plan.training.batch, flipped, table, overlap, decoded)
            score = Score(
                run=run.title,
                data=source if isinstance(source, str) else data.source,
                subset=subset,
                confusion=confusion,
                table=table.for_data(data.ignore_classes),
                decoding=decoded,
                tta=flipped,
                titles=tuple(map(data.title, items.tolist())),
                colours=colours,
                intervals=confusion.intervals() if interval else None,
                trained=trained,
                other_masks=other_masks,
                transductive=transductive,
            )
            if trained is not None:
                _logger.warning(f"{score.data}: {trained} {run.title}. This is not a score on new images.")
            scores.append(score)
    return scores


def _warn_if_unfinished(run: RunFolder) -> None:
    with suppress(RequestError):  # a score does not need a metrics.json that can be read
        if not run.of_pack and not run.finished:
            _logger.warning(f"{run.title} is not finished: what is scored is its best network so far.")


def _items(
    run: RunFolder, data: SegmentationData, source: Given | None, subset: str, own: OwnData
) -> tuple[np.ndarray, bool]:
    """Return the items to score, and whether they are those of a subset of the run with other masks."""
    if subset == ALL:
        return np.arange(len(data)), False
    if source is None:
        return recorded_split(run, data)[subset], False
    split, other_masks = split_of_same_images(data, run, own)
    return split[subset], other_masks


class _Reader:
    """Read the data of runs and other data, each once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[str, SegmentationData] = {}

    def read(self, run: RunFolder, plan: Plan, source: Given | None, subset: str) -> SegmentationData:
        """Read a source for a run; None is the data of the run."""
        data_plan = _data_plan(run, plan, source, subset, self._session)
        key = f"{data_plan.one(kinds.DATASET)!r} {data_plan.cleaning!r}"
        if key not in self._read:
            hint = _HINT.format(run.title) if run.of_pack else None  # a pack is only read
            self._read[key] = read_data_of(run, data_plan, hint=hint) if source is None else read_data(data_plan)
        return self._read[key]

    def own(self, run: RunFolder) -> SegmentationData | None:
        """Return the data of a run; None if they cannot be read, or are no longer those of its training."""
        try:
            data = self.read(run, resolve(Request(base=str(run.path)), self._session, only=_NEEDED_KINDS), None, ALL)
            recorded_split(run, data)
        except (RequestError, PluginError):
            return None
        return data


def _table(plan: Plan, metrics: str | None, catalog: Catalog) -> MetricTable:
    """Return the metrics of a run's plan and the requested ones. Warn of metrics of the plan that are not installed."""
    try:
        table = plan.metrics
    except RequestError as error:
        _logger.warning(f"{error.what} It is left out.")
        table = metric_table(catalog)
    return table if metrics is None else table.asking(metrics, catalog, where=f"--metrics {metrics}")


def _data_plan(run: RunFolder, plan: Plan, source: Given | None, subset: str, session: Session) -> Plan:
    """Return a plan for reading the data that is scored.

    Without a `source`, that is the run's plan. For a subset, `source` is another place of the run's data, and is read
    as in the run's plan. For all items, it is read as it is. In both cases values are scaled as in the run.
    """
    if source is None:
        return plan
    base = None if subset == ALL else str(run.path)
    request = Request(base=base, compositions={"data": source})
    return resolve(request, session, only=_NEEDED_KINDS).with_scaling(recorded_scaling(run))


def _check_classes(run: RunFolder, network: keras.Model, data: SegmentationData) -> None:
    names, _ = run.classes()
    if network.output_shape[-1] != len(names):
        raise RequestError(
            f"The network predicts {network.output_shape[-1]} classes, but the run has {len(names)}: "
            f"{', '.join(names)}.",
            where=str(run.network),
            hint="The file belongs to another run. Restore the run's own network.",
        )
    if names != data.class_names:
        raise RequestError(
            f"The classes of the run are {', '.join(names)}; those of the data are {', '.join(data.class_names)}.",
            where=f"{run.path}, {data.source}",
            hint="Both must have the same classes in the same order. Name the classes of a folder by a class file or "
            "classes=mars, and those of an .npz file by --set data.npz.classes=….",
        )


@waiting("Scoring the network")
def _score(
    network: keras.Model,
    data: SegmentationData,
    items: np.ndarray,
    batch: int,
    tta: bool,
    table: MetricTable,
    overlap: float | None = HALF,
    decoding: Decoding = ARGMAX,
) -> Confusion:
    if data.images.shape[1:] == network.input_shape[1:]:
        return evaluate(network, data, items, batch, table.computed(), decoding=decoding, tta=tta)
    predictor = Predictor([network], tta=tta, overlap=overlap, batch=None if overlap is None else batch)
    images = (with_channels(np.asarray(data.images[item]), predictor.channels) for item in items)
    groups = None if data.groups is None else data.groups[items]
    confusion = Confusion(data.class_names, data.ignore_classes, table.computed(), groups=groups)
    for item, probabilities in zip(items, predictor.probabilities(images), strict=True):
        check_finite(probabilities, f"{data.title(item)} of {data.source}")
        confusion.update(data.masks[item][None], decoding.of_probabilities(probabilities)[None])
    return confusion
