"""Run a series: one plan several times, with different seeds or on different folds, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ..components.given import GivenData, GivenNetwork
from ..data.split_options import MOST_RUNS
from ..errors import RequestError, RunError
from ..files.run_folder import FINISHED, INTERRUPTED, SERIES_PLAN, SERIES_SUMMARY, RunFolder, create_run_folder
from ..messages import get_logger
from ..networks.processes import refuse_processes
from ..planning.plan import Plan
from ..runs.metric_values import metric_values
from ..runs.transductive import transductive_sentence
from ..shown import HtmlRepr
from .continuation import execute_or_resume
from .members import WORKERS, MemberWorkers
from .summary import Spread, spreads

if TYPE_CHECKING:
    from ..data.arrays import SegmentationData

_logger = get_logger(__name__)


Kind = Literal["seeds", "folds"]

FAILED: Final = "failed"


@dataclass(repr=False)
class Series(HtmlRepr):
    """A series of runs, finished or interrupted.

    Means and standard deviations are taken over the finished runs.

    Attributes:
        kind: What differs between the runs: "seeds" or "folds".
        path: The folder of the series.
        planned: The names of the run folders in `path`, of all planned runs.
        metrics: The content of metrics.json of each run that ended, by the name of its folder.
        status: "finished", "interrupted" or "failed".
    """

    kind: Kind
    path: Path
    planned: tuple[str, ...]
    metrics: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    status: str = INTERRUPTED

    @property
    def summary(self) -> str:
        """Return how many of the runs are finished, in one line."""
        return f"{len(self.finished)} of {len(self.planned)} {self.kind} finished"

    def __repr__(self) -> str:
        lines = [
            f"  {subset}: miou {scores['miou']}" for subset, scores in self.subsets().items() if scores.get("miou")
        ]
        return "\n".join([f"Series({str(self.path)!r}: {self.summary})", *lines, *([self.note] if self.note else [])])

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def finished(self) -> tuple[str, ...]:
        """Return the names of the folders of the finished runs."""
        return tuple(name for name, metrics in self.metrics.items() if metrics["status"] == FINISHED)

    @property
    def transductive(self) -> bool:
        """Return whether the finished runs learned from images of their validation and test subsets."""
        return any(self.metrics[name].get("transductive") for name in self.finished)

    @property
    def note(self) -> str:
        """Return what must be said with the scores: that the runs are transductive. Empty if they are not."""
        return transductive_sentence("all runs" if self.transductive else "")

    @property
    def interrupted(self) -> bool:
        """Return whether the series was interrupted before all of its runs were finished."""
        return self.status == INTERRUPTED

    def subsets(self) -> dict[str, dict[str, Spread | None]]:
        """Return the mean and the standard deviation of each score over the finished runs, for each subset."""
        subsets_of_runs = [self.metrics[name]["subsets"] for name in self.finished]
        names = dict.fromkeys(subset for subsets in subsets_of_runs for subset in subsets)
        return {subset: spreads([metric_values(subsets[subset]) for subsets in subsets_of_runs]) for subset in names}

    def to_json(self) -> dict[str, Any]:
        """Return the series as it is written to summary.json."""
        statuses = {name: self.metrics[name]["status"] if name in self.metrics else None for name in self.planned}
        subsets = {
            subset: {name: spread and spread.to_json() for name, spread in scores.items()}
            for subset, scores in self.subsets().items()
        }
        return {
            "schema": 2,
            "series": self.kind,
            "status": self.status,
            "std": "sample",
            "runs": statuses,
            **({"transductive": True} if self.transductive else {}),
            "subsets": subsets,
        }


def plan_series(plan: Plan, seeds: int | None, folds: int | None) -> tuple[Kind, dict[str, Plan]]:
    """Return the kind of a series and the plans of its runs, by the names of their folders.

    Exactly one of `seeds` and `folds` must be a number; RequestError otherwise.
    """
    refuse_processes("a series")
    if seeds is not None and folds is not None:
        raise RequestError(
            "A series has either several seeds or several folds, not both.",
            where="--seeds, --folds",
            hint="Run one series with --folds for each --seed, then compare them: marsseg compare FOLDER FOLDER.",
        )
    if folds is not None:
        return "folds", fold_plans(plan, folds)
    if seeds is None:
        raise RequestError("A series needs a number of seeds or folds.", where="--seeds")
    return "seeds", seed_plans(plan, seeds)


def seed_plans(plan: Plan, count: int) -> dict[str, Plan]:
    """Return copies of the plan with `count` successive seeds, from its own seed on, by the names of their folders.

    Raises RequestError for less than two or too many seeds, or for a seed above 2³² − 1.
    """
    _check_count(count, "seeds")
    first = plan.training.seed
    if first + count > 2**32:
        raise RequestError(f"{count} seeds from {first} on exceed the largest seed, 2³² − 1.", where="--seeds")
    return {
        f"seed-{seed}": replace(plan, training=replace(plan.training, seed=seed))
        for seed in range(first, first + count)
    }


def fold_plans(plan: Plan, count: int) -> dict[str, Plan]:
    """Return copies of the plan for each of `count` folds, by the names of their folders.

    Raises RequestError for less than two or too many folds, or if the split options do not fit this number.
    """
    _check_count(count, "folds")
    try:
        return {
            f"fold-{fold}": replace(plan, split=replace(plan.split, folds=count, fold=fold))
            for fold in range(1, count + 1)
        }
    except ValueError as cause:
        raise RequestError(f"The split does not fit {count} folds: {cause}.", where="--folds") from cause


def _check_count(count: int, what: str) -> None:
    if count < 2:
        raise RequestError(f"A series needs at least 2 {what}, not {count}.", where=f"--{what}")
    if count > MOST_RUNS:
        raise RequestError(f"A series has at most {MOST_RUNS:,} {what}, not {count:,}.", where=f"--{what}")


def run_series(
    kind: Kind,
    plans: Mapping[str, Plan],
    *,
    out: Path | None = None,
    workers: MemberWorkers | None = None,
) -> Series:
    """Run the plans, and return the series: one after the other, on data that is read once, or by `workers`.

    Each run has its own folder inside `out`, or inside a new folder in runs/ where `out` is None. The names of all runs
    and the first plan are written before the first run, so that the series can be resumed. summary.json is written
    again after each run. The series ends early if a run is interrupted, or, with its error, if a run fails; the runs
    that ended before stay in the folder. With `workers`, a run that fails lets the others end first.
    """
    from ..data.splits import make_split
    from ..networks.keras_backend.settings import avoid_importing_tensorflow
    from ..networks.precision import settle_precision
    from ..runs.data import read_data
    from ..runs.pretrained import settle_weights

    avoid_importing_tensorflow()
    plans = dict(zip(plans, settle_weights(settle_precision([*plans.values()])), strict=True))
    first = next(iter(plans.values()))
    if workers is not None:
        _refuse_objects(first)
        workers.executor.check()
    data = read_data(first)
    for plan in plans.values():
        make_split(data, plan.split)  # refuse an impossible split now, and not after hours
    folder = create_run_folder(f"{first.name}-{kind}", out)
    series = Series(kind, folder.path, tuple(plans))
    try:
        with folder.claimed():
            write_summary(series)
            for plugin in first.plugins:
                folder.write_bytes(folder.plugins / plugin.name, plugin.source)
            folder.write_text(folder.path / SERIES_PLAN, first.to_toml())
            if workers is not None:
                return spread_members(series, plans, workers)
            return run_members(series, plans, data)
    finally:
        # The files of workers may say why no run has begun. Their series can be resumed.
        if not any((folder.path / name).exists() for name in (*plans, WORKERS)):
            shutil.rmtree(folder.path, ignore_errors=True)


def _refuse_objects(plan: Plan) -> None:
    """Raise RequestError for data or a network passed in Python: another process cannot have it."""
    for kind, components in plan.resolved.items():
        if any(isinstance(each.component, GivenData | GivenNetwork) for each in components):
            raise RequestError(
                f"Other processes cannot have a {kind} that was passed as a Python object.",
                where="on",
                hint="Give its name instead, or leave `on` and `jobs` out.",
            )


def run_members(series: Series, plans: Mapping[str, Plan], data: SegmentationData, *, moved: bool = False) -> Series:
    """Run the members of a series that are not finished: resume those that have begun. Return the series.

    `moved` says whether the plans name a new place of the data, which each resumed run records.
    """
    series.status = INTERRUPTED
    try:
        for position, (name, plan) in enumerate(plans.items(), start=1):
            if name in series.finished:
                continue
            _logger.info(f"Run {position} of {len(plans)}: {name}")
            folder = RunFolder(series.path / name)
            folder.discard_beginning()
            run = execute_or_resume(folder, plan, begun=folder.begun, data=data, moved=moved)
            series.metrics[name] = run.metrics
            write_summary(series)
            if series.metrics[name]["status"] != FINISHED:
                return series
        series.status = FINISHED
    except Exception:
        series.status = FAILED
        raise
    finally:
        write_summary(series)
    return series


def spread_members(series: Series, plans: Mapping[str, Plan], workers: MemberWorkers, *, moved: bool = False) -> Series:
    """Let workers run the members of a series that are not finished, like `run_members`. Return the series.

    After Ctrl-C, the series is interrupted. Raises RunError if runs have failed, when the others have ended.
    """

    def ended(name: str) -> None:
        series.metrics[name] = RunFolder(series.path / name).read_metrics()
        _logger.info(f"{name} is finished: {len(series.finished)} of {len(plans)}")
        write_summary(series)

    names = [name for name in plans if name not in series.finished]
    plan = next(iter(plans.values()))
    # The plugin files are those of this command: its workers may execute their copies.
    arguments = {"trust": bool(plan.plugins), "training": {"workers": plan.training.workers}, "moved": moved}
    series.status = INTERRUPTED
    try:
        errors = workers.execute(series.path, names, ended, **arguments)
        series.status = FAILED if errors else FINISHED
    except KeyboardInterrupt:
        for member in (RunFolder(series.path / name) for name in names):
            if member.begun and member.metrics.is_file():
                series.metrics[member.path.name] = member.read_metrics()
        return series
    except Exception:
        series.status = FAILED
        raise
    finally:
        write_summary(series)
    if errors:
        raise RunError(
            f"{len(errors)} of {len(plans)} runs failed. {errors[0]}",
            where=str(series.path),
            hint=f"To run them again: marsseg run --resume {series.path}{' --trust' if plan.plugins else ''}",
        )
    return series


def write_summary(series: Series) -> None:
    """Write the summary.json of a series."""
    RunFolder(series.path).write_json(series.path / SERIES_SUMMARY, series.to_json())
