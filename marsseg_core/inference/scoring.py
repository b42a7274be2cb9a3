"""Score the networks of finished runs, on a subset of their data or on another data set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import keras
import numpy as np

from ..errors import RequestError
from ..evaluation.confusion import Confusion, check_finite
from ..evaluation.decoding import Decoding
from ..evaluation.evaluate import evaluate
from ..evaluation.intervals import Intervals
from ..export.engine import use_engine
from ..export.exporters import Engine
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.keras_backend.devices import ask_for_determinism
from ..networks.load import load
from ..networks.predictor import Predictor
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.catalog import Catalog
from ..registry.session import Session
from ..runs.decoding import RECORDED, decoding_of, uses_tta
from ..runs.other_data import TrainingImages
from ..runs.recorded_data import recorded_scaling
from .ensemble import check_channels, with_channels
from .image_sources import ALL, checked_subset
from .scored_data import NEEDED_KINDS, DataReader, ScoredImages, check_classes, images_to_score

_logger = get_logger(__name__)

ENSEMBLE: Final = "ensemble"
"""What the scores of an ensemble have as the name of their run."""


@dataclass(frozen=True)
class Score:
    """The confusion matrix of a run on a subset of a data set, and the metrics to compute from it.

    `run` and `data` are the names by which the user requested them, `titles` has the name of each scored image,
    `colours` are those of the classes of the run's data, if they have any, and `intervals` are set if they were asked.
    `trained` says how many of the images are training images, `other_masks` that a subset of the run is scored with the
    masks of other data, and `transductive` that the run learned from images of its validation and test subsets.
    `ensemble` has the names of the runs whose ensemble it is.
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
    ensemble: tuple[str, ...] = ()


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
    alone: bool = True,
    ensemble: bool = False,
) -> list[Score]:
    """Score each run on each source, their ensemble, or both.

    Args:
        runs: the run folders
        sources: data sets, as text like that of `--data` or as Python objects; None means the data of the run
        subset: "all", or a subset that the run recorded; then the images must be those of the run
        session: the catalog of installed components
        metrics: metrics to compute in addition to those of the run's plan
        tta: whether to use test-time augmentation; None: as the plan of each run says, in an ensemble as one of them
            says
        decoding: one of `runs.decoding.CHOICES`
        engine: what computes the predictions, from `export.find_engine`; None is Keras
        interval: whether to compute the intervals of the scores
        alone: whether to score each run by itself
        ensemble: whether to score the mean of the probabilities of all runs; its scores come last, and have the
            metrics of the first run. The runs must have passed `scored_together.check_scored_together`.

    Raises:
        RequestError: the data differs from that of the run or has other classes, or files of a run have changed
    """
    subset = checked_subset(subset)
    needs_run_data = None in sources or subset != ALL
    needed = NEEDED_KINDS if needs_run_data else ()
    plans = [resolve(Request(base=str(run.path)), session, only=needed) for run in runs]
    if any(plan.training.deterministic for plan in plans):
        ask_for_determinism()
    reader = DataReader(session)
    scores: list[Score] = []
    subjects: list[_Subject] = []
    for run, plan in zip(runs, plans, strict=True):
        run.check_unchanged(run.plan, run.split, run.cleaning, run.network)
        _warn_if_unfinished(run)
        network, decoded = load(run.path, session), decoding_of([run], decoding)
        use_engine(network, run, engine, session)
        images = [images_to_score(run, plan, source, subset, reader) for source in sources]
        for each in images:
            check_classes(run, network, each.data)
        table = _table(plan, metrics, session.catalog)
        flipped = plan.training.tta if tta is None else tta
        subject = _Subject((run,), (network,), images, table, decoded, flipped, plan.training.batch)
        if alone:
            scores += subject.scores(sources, subset, interval)
        if ensemble:  # otherwise, the memory of the network is free again
            subjects.append(subject)
            check_channels([runs[0], run], [subjects[0].networks[0], network])
    if ensemble:
        together = _together(subjects, decoding_of(runs, decoding), uses_tta(runs, tta))
        scores += together.scores(sources, subset, interval)
    return scores


@dataclass(frozen=True)
class _Subject:
    """What predicts, a run or an ensemble, and how: the images of each source, metrics, decoding, flips, batch size."""

    runs: Sequence[RunFolder]
    networks: Sequence[keras.Model]
    images: Sequence[ScoredImages]
    table: MetricTable
    decoding: Decoding
    tta: bool
    batch: int

    def scores(self, sources: Sequence[Given | None], subset: str, interval: bool) -> list[Score]:
        """Score the images of each source. Warn of training images among them."""
        names = tuple(run.title for run in self.runs)
        title = ENSEMBLE if len(names) > 1 else names[0]
        scores = []
        for source, images in zip(sources, self.images, strict=True):
            confusion = self.confusion(images)
            score = Score(
                run=title,
                data=source if isinstance(source, str) else images.data.source,
                subset=subset,
                confusion=confusion,
                table=self.table.for_data(images.data.ignore_classes),
                decoding=self.decoding,
                tta=self.tta,
                titles=images.titles,
                colours=self.runs[0].class_colours(),
                intervals=confusion.intervals() if interval else None,
                trained=images.trained,
                other_masks=images.other_masks,
                transductive=any(run.transductive for run in self.runs),
                ensemble=names if len(names) > 1 else (),
            )
            if score.trained is not None:
                _logger.warning(f"{title} on {score.data}: {score.trained}. This is not a score on new images.")
            scores.append(score)
        return scores

    @waiting("Scoring the network")
    def confusion(self, images: ScoredImages) -> Confusion:
        """Predict the images and count the classes of their pixels."""
        data, items = images.data, images.items
        metrics, (network, *others) = self.table.computed(), self.networks
        if not others and data.images.shape[1:] == network.input_shape[1:]:
            return evaluate(network, data, items, self.batch, metrics, decoding=self.decoding, tta=self.tta)
        batch = None if images.overlap is None else self.batch
        predictor = Predictor(self.networks, tta=self.tta, overlap=images.overlap, batch=batch)
        shown = (with_channels(np.asarray(data.images[item]), predictor.channels) for item in items)
        groups = None if data.groups is None else data.groups[items]
        confusion = Confusion(data.class_names, data.ignore_classes, metrics, groups=groups)
        for item, probabilities in zip(items, predictor.probabilities(shown), strict=True):
            check_finite(probabilities, f"{data.title(item)} of {data.source}")
            confusion.update(data.masks[item][None], self.decoding.of_probabilities(probabilities)[None])
        return confusion


def _together(subjects: Sequence[_Subject], decoding: Decoding, tta: bool) -> _Subject:
    """Return the ensemble of runs. Its metrics are those of the first run."""
    runs = [run for subject in subjects for run in subject.runs]
    # Like `ensemble.scaling_of`: a run that scaled no values takes images that another scaled.
    reads = next((number for number, run in enumerate(runs) if recorded_scaling(run) is not None), 0)
    images = [
        replace(of_runs[reads], trained=TrainingImages.of_any([each.trained for each in of_runs]))
        for of_runs in zip(*(subject.images for subject in subjects), strict=True)
    ]
    networks = [network for subject in subjects for network in subject.networks]
    batch = min(subject.batch for subject in subjects)
    return _Subject(runs, networks, images, subjects[0].table, decoding, tta, batch)


def _warn_if_unfinished(run: RunFolder) -> None:
    with suppress(RequestError):  # a score does not need a metrics.json that can be read
        if not run.of_pack and not run.finished:
            _logger.warning(f"{run.title} is not finished: what is scored is its network so far.")


def _table(plan: Plan, metrics: str | None, catalog: Catalog) -> MetricTable:
    """Return the metrics of a run's plan and the requested ones. Warn of metrics of the plan that are not installed."""
    try:
        table = plan.metrics
    except RequestError as error:
        _logger.warning(f"{error.what} It is left out.")
        table = metric_table(catalog)
    return table if metrics is None else table.asking(metrics, catalog, where=f"--metrics {metrics}")
