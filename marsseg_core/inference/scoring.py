"""Score the networks of finished runs, on a subset of their data or on another data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..errors import RequestError
from ..evaluation.confusion import Confusion, check_finite
from ..evaluation.decoding import ARGMAX, Decoding
from ..evaluation.evaluate import evaluate
from ..export.engine import use_engine
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.keras_backend import ask_for_determinism
from ..networks.load import load
from ..networks.predictor import HALF, Predictor
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.resolved import ResolvedComponent
from ..planning.resolver import Request, resolve
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.decoding import RECORDED, decoding_of
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

    `run` and `data` are the names by which the user requested them, `titles` has the name of each scored image, and
    `colours` are those of the classes of the run's data, if they have any.
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


def score_runs(
    runs: Sequence[RunFolder],
    sources: Sequence[Given | None],
    subset: str,
    session: Session,
    *,
    metrics: str | None = None,
    tta: bool | None = None,
    decoding: str = RECORDED,
    engine: ResolvedComponent | None = None,
) -> list[Score]:
    """Score each run on each source.

    Args:
        runs: the run folders
        sources: data sets, as text like that of `--data` or as Python objects; None means the data of the run
        subset: "all", or a subset that the run recorded; then the data must be that of the run
        session: the catalog of installed components
        metrics: metrics to compute in addition to those of the run's plan
        tta: whether to use test-time augmentation; None: as the plan of each run says
        decoding: one of `runs.decoding.CHOICES`
        engine: what computes the predictions, from `export.find_engine`; None is Keras

    Raises:
        RequestError: the data differs from that of the run or has other classes, or files of a run have changed
    """
    subset = checked_subset(subset)
    needs_run_data = None in sources or subset != ALL
    needed = _NEEDED_KINDS if needs_run_data else ()
    plans = [resolve(Request(base=str(run.path)), session, only=needed) for run in runs]
    if any(plan.training.deterministic for plan in plans):
        ask_for_determinism()
    loaded: dict[str, SegmentationData] = {}
    scores = []
    for run, plan in zip(runs, plans, strict=True):
        run.check_unchanged(run.plan, run.split, run.cleaning, run.network)
        network, decoded = load(run.path, session), decoding_of([run], decoding)
        use_engine(network, run, engine, session)
        table = _table(plan, metrics, session.catalog)
        flipped = plan.training.tta if tta is None else tta
        for source in sources:
            data_plan = _data_plan(run, plan, source, subset, session)
            key = f"{data_plan.one(kinds.DATASET)!r} {data_plan.cleaning!r}"
            if key not in loaded:
                hint = _HINT.format(run.title) if run.of_pack else None  # a pack is only read
                loaded[key] = read_data_of(run, data_plan, hint=hint) if source is None else read_data(data_plan)
            data = loaded[key]
            _check_classes(run, network, data)
            items = np.arange(len(data)) if subset == ALL else recorded_split(run, data)[subset]
            # The run's own data are scored as in its training, other data as `marsseg predict` predicts them.
            overlap = None if source is not None and subset == ALL else HALF
            confusion = _score(network, data, items, plan.training.batch, flipped, table, overlap, decoded)
            name = source if isinstance(source, str) else data.source
            titles = tuple(map(data.title, items.tolist()))
            shown, colours = table.for_data(data.ignore_classes), run.class_colours()
            scores.append(Score(run.title, name, subset, confusion, shown, decoded, flipped, titles, colours))
    return scores


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
    confusion = Confusion(data.class_names, data.ignore_classes, table.computed())
    for item, probabilities in zip(items, predictor.probabilities(images), strict=True):
        check_finite(probabilities, f"{data.title(item)} of {data.source}")
        confusion.update(data.masks[item][None], decoding.of_probabilities(probabilities)[None])
    return confusion
