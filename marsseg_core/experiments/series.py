"""A series: one plan run several times, with other seeds or on other folds, in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import RequestError
from ..files.run_folder import FINISHED, INTERRUPTED, RunFolder, create_run_folder
from ..messages import get_logger
from ..planning.plan import Plan
from ..runs.metric_values import metric_values
from ..shown import Shown
from .summary import Spread, spreads

_logger = get_logger(__name__)


Kind = Literal["seeds", "folds"]

SUMMARY: Final = "summary.json"
FAILED: Final = "failed"


@dataclass(repr=False)
class Series(Shown):
    """A series as far as it went.

    `metrics` holds what metrics.json does for each run that ended, by the name of its folder in `path`. Means and
    spreads are those of the finished ones.
    """

    kind: Kind
    path: Path
    planned: tuple[str, ...]
    metrics: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    status: str = INTERRUPTED

    @property
    def summary(self) -> str:
        """How far it is, in a few words."""
        return f"{len(self.finished)} of {len(self.planned)} {self.kind} finished"

    def __repr__(self) -> str:
        lines = [f"  {subset}: miou {found['miou']}" for subset, found in self.subsets().items() if found.get("miou")]
        return "\n".join([f"Series({str(self.path)!r}: {self.summary})", *lines])

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def finished(self) -> tuple[str, ...]:
        return tuple(name for name, metrics in self.metrics.items() if metrics["status"] == FINISHED)

    @property
    def interrupted(self) -> bool:
        return self.status == INTERRUPTED

    def subsets(self) -> dict[str, dict[str, Spread | None]]:
        """The spread of each score, for each subset."""
        scored = [self.metrics[name]["subsets"] for name in self.finished]
        names = dict.fromkeys(subset for subsets in scored for subset in subsets)
        return {subset: spreads([metric_values(subsets[subset]) for subsets in scored]) for subset in names}

    def to_json(self) -> dict[str, Any]:
        statuses = {name: self.metrics[name]["status"] if name in self.metrics else None for name in self.planned}
        subsets = {
            subset: {name: spread and spread.to_json() for name, spread in found.items()}
            for subset, found in self.subsets().items()
        }
        return {
            "schema": 2,
            "series": self.kind,
            "status": self.status,
            "std": "sample",
            "runs": statuses,
            "subsets": subsets,
        }


def plan_series(plan: Plan, seeds: int | None, folds: int | None) -> tuple[Kind, dict[str, Plan]]:
    """The plans of the runs of a series with several seeds, or on several folds, by the names of their folders."""
    if seeds is not None and folds is not None:
        raise RequestError(
            "A series has either several seeds or several folds.",
            where="--seeds, --folds",
            hint="Several --folds runs, each with its --seed, are compared together: marsseg compare FOLDER FOLDER.",
        )
    if folds is not None:
        return "folds", fold_plans(plan, folds)
    if seeds is None:
        raise RequestError("A series needs a number of seeds or folds.", where="--seeds")
    return "seeds", seed_plans(plan, seeds)


def seed_plans(plan: Plan, count: int) -> dict[str, Plan]:
    """The plan with `count` seeds, its own and those that follow it, by the names of their folders."""
    _at_least_two(count, "seeds")
    first = plan.training.seed
    if first + count > 2**32:
        raise RequestError(f"{count} seeds from {first} on pass the largest, 2³² − 1.", where="--seeds")
    return {
        f"seed-{seed}": replace(plan, training=replace(plan.training, seed=seed))
        for seed in range(first, first + count)
    }


def fold_plans(plan: Plan, count: int) -> dict[str, Plan]:
    """The plan on each of `count` folds, by the names of their folders."""
    _at_least_two(count, "folds")
    try:
        return {
            f"fold-{fold}": replace(plan, split=replace(plan.split, folds=count, fold=fold))
            for fold in range(1, count + 1)
        }
    except ValueError as cause:
        raise RequestError(f"The split does not go with {count} folds: {cause}.", where="--folds") from cause


def _at_least_two(count: int, what: str) -> None:
    if count < 2:
        raise RequestError(f"A series has at least 2 {what}, not {count}.", where=f"--{what}")


def run_series(
    kind: Kind,
    plans: Mapping[str, Plan],
    *,
    out: Path | None = None,
) -> Series:
    """Run the plans one after the other, each in its folder inside `out`, on data that is read once.

    After each run, summary.json holds what there is so far. A run that is interrupted
    ends the series, and so does one that fails, with its error; what was done before is kept.
    """
    from ..data.splits import make_split
    from ..networks.keras_backend import clear_session, keep_tensorflow_out, many_networks
    from ..runs.data import read_data
    from ..training.loop import execute

    keep_tensorflow_out()
    first = next(iter(plans.values()))
    data = read_data(first)
    for plan in plans.values():
        make_split(data, plan.split)  # refused now, not after hours
    folder = create_run_folder(f"{first.name}-{kind}", out)
    series = Series(kind, folder.path, tuple(plans))
    try:
        for position, (name, plan) in enumerate(plans.items(), start=1):
            _logger.info(f"Run {position} of {len(plans)}: {name}")
            with many_networks():
                series.metrics[name] = execute(plan, out=folder.path / name, data=data).metrics
            _write_summary(folder, series)
            # What a run leaves behind in Keras would grow from one to the next, and number its layers' names on.
            clear_session()
            if series.metrics[name]["status"] != FINISHED:
                return series
        series.status = FINISHED
    except Exception:
        series.status = FAILED
        raise
    finally:
        _write_summary(folder, series)
    return series


def _write_summary(folder: RunFolder, series: Series) -> None:
    """Write summary.json, unless there is no run yet: then the folder goes."""
    if not any(folder.path.iterdir()):
        with suppress(OSError):
            folder.path.rmdir()
        return
    folder.write_json(folder.path / SUMMARY, series.to_json())
