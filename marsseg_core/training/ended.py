"""Work on runs that have ended: write their report again, score their test subset, record where their data lie now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..data.arrays import SegmentationData
from ..data.split import Split
from ..errors import RequestError, RunError
from ..evaluation.confusion import Confusion
from ..evaluation.decoding import ARGMAX
from ..evaluation.evaluate import evaluate_decodings
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..hooks import load_hooks
from ..messages import get_logger
from ..networks.keras_backend.devices import ask_for_determinism
from ..networks.keras_backend.settings import avoid_importing_tensorflow, fixed_settings, preserve_random_state
from ..networks.load import load
from ..planning.plan import Plan
from ..registry.distribution import DISTRIBUTION
from ..registry.kinds import DATASET, METHOD, OBSERVER
from ..runs.decoding import recorded_decoding
from ..runs.log import run_log
from ..runs.recorded_data import read_data_of, record_data, recorded_split
from ..runs.run import Run
from ..runs.unlabelled import has_other_unlabelled, read_unlabelled_of
from .assembly import training_batches

_logger = get_logger(__name__)

_REPORT = "report"


@fixed_settings()
@preserve_random_state()
def write_report(folder: RunFolder, plan: Plan, *, moved: bool = False) -> Run:
    """Write the figures and the page of a run that has ended, with the observer `report`.

    Args:
        folder: the run folder
        plan: the plan in the folder's plan.toml
        moved: whether the plan names a new place of the data, which is recorded

    Returns:
        The run, with its history and scores.

    Raises:
        RequestError: the run has not ended or has no network, another process is working on it, or its data or one of
            its files has changed
        PluginError: a component cannot be loaded, or fails
        RunError: the observer fails, or the disk is full
    """
    entry = plan.catalog.find(OBSERVER, _REPORT, prefer=DISTRIBUTION)
    avoid_importing_tensorflow()
    with folder.claimed(), run_log() as log:
        run = _with_scores(_open_ended(folder, plan))
        folder.remove_leftovers()
        log.begin(folder)
        if moved:
            record_move(run)
        hooks = load_hooks([entry])
        hooks("marsseg_run_finished", run=run)
        if hooks.warnings:
            raise RunError("The report was not written.", where=str(folder.path), hint="The warning says why.")
        folder.log("report written")
    return run


@fixed_settings()
@preserve_random_state()
def relocate(folder: RunFolder, plan: Plan) -> Run:
    """Record the new place of a finished run's data, or of those without labels, and return the run.

    `plan` names the place.

    Raises RequestError where the data there are not the data of the run.
    """
    avoid_importing_tensorflow()
    with folder.claimed(), run_log() as log:
        run = _with_scores(_open_ended(folder, plan))
        if has_other_unlabelled(folder, plan):
            read_unlabelled_of(folder, plan, run.data, run.split)
        log.begin(folder)
        record_move(run)
    return run


def record_move(run: Run) -> None:
    """Record in the run folder that the data lie where the plan of `run` says."""
    place = getattr(run.plan.one(DATASET), "path", run.data.source)
    others = f", those without labels from {run.plan.training.unlabelled}" if run.plan.resolved[METHOD] else ""
    record_data(run.folder, run.plan)
    _logger.info(f"The data of the run are read from {place}{others} from now on.")


@fixed_settings()
@preserve_random_state()
def score_test(folder: RunFolder, plan: Plan) -> dict[str, Any]:
    """Score the test subset of a finished run that left this out, and return the new content of metrics.json.

    Raises RequestError where the run is not finished, or its data or one of its files has changed.
    """
    avoid_importing_tensorflow()
    with folder.claimed(), run_log() as log:
        run = _open_ended(folder, plan)
        if not folder.finished:
            raise RequestError(
                "The run is not finished.",
                where=str(folder.path),
                hint=f"Resume it: marsseg run --resume {folder.path}",
            )
        log.begin(folder)
        scores, plain = score_subsets(run, ("test",))
        for key, confusions in (("subsets", scores), ("argmax", plain)):
            if key in run.metrics:
                run.metrics[key] |= {subset: confusion.to_json() for subset, confusion in confusions.items()}
        folder.write_json(folder.metrics, run.metrics)
        folder.log("the test subset was scored")
    return run.metrics


@waiting("Scoring the network")
def score_subsets(run: Run, subsets: Iterable[str]) -> tuple[dict[str, Confusion], dict[str, Confusion]]:
    """Score the network of a run on its subsets, with the decoding of the run and with the plain argmax."""
    training, metrics = run.plan.training, run.plan.metrics.computed()
    decodings = list(dict.fromkeys((run.decoding, ARGMAX)))  # two, or the plain argmax once
    scores: dict[str, Confusion] = {}
    plain: dict[str, Confusion] = {}
    for subset in subsets:
        confusions = evaluate_decodings(
            run.network, run.data, run.split[subset], training.batch, metrics, decodings, tta=training.tta
        )
        scores[subset], plain[subset] = confusions[0], confusions[-1]
    return scores, plain


def steps_per_epoch(plan: Plan, data: SegmentationData, split: Split) -> int:
    """Return the number of batches in each epoch of a training."""
    return len(training_batches(plan, data, split))


def _open_ended(folder: RunFolder, plan: Plan) -> Run:
    """Return a run as it was at its end, with its best network and its history, but without its scores."""
    if not folder.metrics.is_file():
        raise RequestError(
            "The run has not ended.", where=str(folder.path), hint=f"To resume it: marsseg run --resume {folder.path}"
        )
    folder.check_unchanged()
    metrics = folder.read_metrics()
    data = read_data_of(folder, plan)
    split = recorded_split(folder, data)
    if plan.training.deterministic:
        ask_for_determinism()
    network = load(folder.path, plan.session)
    run = Run(plan, folder, data, split, network, steps_per_epoch(plan, data, split), metrics=metrics)
    run.history = folder.read_history()
    run.best_epoch, run.best_by = metrics["best_epoch"], metrics.get("best_by", run.best_by)
    run.decoding = recorded_decoding(folder)
    return run


def _with_scores(run: Run) -> Run:
    """Return the run with its scores, which are computed again: its folder has only their values."""
    run.scores, _ = score_subsets(run, run.metrics["subsets"])
    return run
