"""What a worker does: execute the run of a trial, or score the test subset of one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..experiments.continuation import execute_or_resume, prepare
from ..files.run_folder import FINISHED, RunFolder
from ..hooks import announce
from ..networks.processes import processes
from ..networks.startup import start_keras
from ..planning.metrics import PREFIX
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.session import open_session
from ..runs.metric_values import metric_values

if TYPE_CHECKING:
    from ..planning.plan import Plan


def execute_trial(
    *,
    folder: str,
    plan: str,
    disabled: Sequence[str],
    trust: bool,
    pruning: Mapping[str, Any] | None,
    scores_test: bool = False,
) -> dict[str, Any]:
    """Execute a trial, or resume it if it was begun before.

    Args:
        folder: the run folder
        plan: the plan that was drawn for it
        disabled: the texts of `--disable`
        trust: whether the plugin files beside the plan may be executed
        pruning: the arguments of `TrialReporter`; None if no trial is pruned
        scores_test: whether the test subset is scored when the training has ended

    Returns:
        The state ("finished" or "pruned"), the objective, the scores of the test subset, the number of epochs, the
        processor time, and whether the run is transductive.

    Raises:
        KeyboardInterrupt: the worker is stopped
        MarssegError: the run fails
    """
    session = open_session(disable=disabled, trust=trust)
    run_folder, resolved = RunFolder(Path(folder)), resolve(Request(base=plan), session)
    begun, finished = prepare(run_folder, resolved)
    from .pruning import TrialReporter

    began = time.process_time()
    if begun:
        resolved = resolve(Request(base=folder), session)
    if finished:
        return _outcome(resolved, run_folder.read_metrics(), "finished", began)
    hooks, reporter = announce(resolved), None
    if pruning is not None and processes().leads:
        reporter = TrialReporter(**pruning)
        hooks.add(reporter, "the pruner of the sweep")
    run = execute_or_resume(run_folder, resolved, begun=begun, hooks=hooks, score_test=scores_test)
    if run.metrics["status"] == FINISHED:
        return _outcome(resolved, run.metrics, "finished", began)
    if reporter is None or not reporter.pruned:
        raise KeyboardInterrupt
    return _outcome(resolved, run.metrics, "pruned", began)


def score_trial(*, folder: str, disabled: Sequence[str], trust: bool) -> dict[str, Any]:
    """Score the test subset of a finished trial, unless this was done; return its scores by name."""
    run_folder = RunFolder.open(folder)
    metrics = run_folder.read_metrics()
    if "test" not in metrics["subsets"]:
        start_keras()
        from ..networks.keras_backend.settings import clear_session
        from ..training.ended import score_test

        session = open_session(disable=disabled, trust=trust)
        metrics = score_test(run_folder, resolve(Request(base=folder), session))
        clear_session()
    return metric_values(metrics["subsets"]["test"])


def _outcome(plan: Plan, metrics: Mapping[str, Any], state: str, began: float) -> dict[str, Any]:
    column = str(metrics.get("best_by", plan.metrics.best_by))
    scores = metric_values(metrics["subsets"].get("validation", {}))
    value = scores.get(column.removeprefix(PREFIX))
    if value is None and state == "finished":
        raise RunError(f"The objective {column} is undefined.")
    return {
        "state": state,
        "value": value,
        "test": metric_values(metrics["subsets"].get("test", {})),
        "epochs": metrics["epochs"],
        "processor_seconds": time.process_time() - began,
        "transductive": bool(metrics.get("transductive")),
    }
