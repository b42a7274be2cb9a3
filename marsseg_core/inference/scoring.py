"""Scores of finished runs, on what they kept for a subset or on another data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np

from ..data.arrays import SegmentationData
from ..errors import RequestError
from ..evaluation.confusion import Confusion, check_finite
from ..evaluation.evaluate import evaluate
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.keras_backend import ask_for_determinism
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.resolver import Request, resolve
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.session import Session
from ..runs.data import read_data
from ..runs.load import load
from ..runs.recorded_data import recorded_scaling, recorded_split
from .ensemble import with_channels
from .image_sources import ALL, check_subset
from .predictor import Predictor

_logger = get_logger(__name__)


# What of a plan a score depends on, beside the network: nothing else needs to be installed.
_NEEDED: Final = (kinds.DATASET,)


@dataclass(frozen=True)
class Score:
    """What a run scored on a subset of a data set, by the metrics of `table`.

    `run` and `data` are as they were asked for.
    """

    run: str
    data: str
    subset: str
    confusion: Confusion
    table: MetricTable


def score_runs(
    runs: Sequence[RunFolder],
    sources: Sequence[Given | None],
    subset: str,
    session: Session,
    *,
    metrics: str | None = None,
    tta: bool = False,
) -> list[Score]:
    """Each run on each source: a data set as `--data` takes it or as it is given in Python, or None for the run's own.

    A subset other than "all" is what the run kept for it; RequestError where the data is not what the run was trained
    on, or has other classes, and where a run's files are not as it wrote them. `metrics` are computed
    besides those of the run's plan.
    """
    check_subset(subset)
    own_data = None in sources or subset != ALL
    needed = _NEEDED if own_data else ()
    plans = [resolve(Request(base=str(run.path)), session, only=needed) for run in runs]
    if any(plan.training.deterministic for plan in plans):
        ask_for_determinism()
    loaded: dict[str, SegmentationData] = {}
    scores = []
    for run, plan in zip(runs, plans, strict=True):
        run.check_unchanged(run.plan, run.split, run.cleaning, run.network)
        network = load(run.path, session)
        table = _table(plan, metrics, session.catalog)
        for source in sources:
            data_plan = _data_plan(run, plan, source, subset, session)
            key = f"{data_plan.one(kinds.DATASET)!r} {data_plan.cleaning!r}"
            if key not in loaded:
                loaded[key] = read_data(data_plan)
            data = loaded[key]
            _check_classes(run, network, data)
            items = np.arange(len(data)) if subset == ALL else recorded_split(run, data)[subset]
            confusion = _score(network, data, items, plan.training.batch, tta, table)
            name = source if isinstance(source, str) else data.source
            scores.append(Score(str(run.path), name, subset, confusion, table))
    return scores


def _table(plan: Plan, metrics: str | None, catalog: Catalog) -> MetricTable:
    """The metrics of a run's plan and those that are given; what the plan has from elsewhere is left out, and told."""
    try:
        table = plan.metrics
    except RequestError as error:
        _logger.warning(f"{error.what} It is left out.")
        table = metric_table(catalog)
    return table if metrics is None else table.asking(metrics, catalog, where=f"--metrics {metrics}")


def _data_plan(run: RunFolder, plan: Plan, source: Given | None, subset: str, session: Session) -> Plan:
    """A plan with the data to be scored: the run's own, at its place or at another; or a set as it is, with its values
    read as the run's were."""
    if source is None:
        return plan
    base = None if subset == ALL else str(run.path)
    request = Request(base=base, compositions={"data": source})
    return resolve(request, session, only=_NEEDED).with_scaling(recorded_scaling(run))


def _check_classes(run: RunFolder, network: keras.Model, data: SegmentationData) -> None:
    names, _ = run.classes()
    if network.output_shape[-1] != len(names):
        raise RequestError(
            f"The network tells apart {network.output_shape[-1]} classes, the run {len(names)}: {', '.join(names)}.",
            where=str(run.network),
            hint="It is another run's. Put the run's own back.",
        )
    if names != data.class_names:
        raise RequestError(
            f"The run tells apart {', '.join(names)}; the data has {', '.join(data.class_names)}.",
            where=f"{run.path}, {data.source}",
            hint="It is scored on the same classes in the same order. A folder names them by a class file, or by "
            "classes=mars; of an .npz file they are named by --set data.npz.classes=….",
        )


def _score(
    network: keras.Model, data: SegmentationData, items: np.ndarray, batch: int, tta: bool, table: MetricTable
) -> Confusion:
    if data.images.shape[1:] == network.input_shape[1:] and not tta:
        return evaluate(network, data, items, batch, table.computed())
    predictor = Predictor([network], tta=tta, batch=batch)
    images = (with_channels(np.asarray(data.images[item]), predictor.channels) for item in items)
    confusion = Confusion(data.class_names, data.ignore_classes, table.computed())
    for item, probabilities in zip(items, predictor.probabilities(images), strict=True):
        check_finite(probabilities, f"item {item} of {data.source}")
        confusion.update(data.masks[item][None], probabilities[None])
    return confusion
