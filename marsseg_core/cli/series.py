"""`marsseg run --seeds N` and `--folds K`: run one plan several times, and print the mean scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import RequestError
from .configured import typed
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_table, print_text, say

if TYPE_CHECKING:
    from ..experiments.members import MemberWorkers
    from ..experiments.series import Kind, Series
    from ..planning.metrics import MetricTable
    from ..planning.plan import Plan
    from ..registry.session import Session


def print_dry(members: Mapping[str, Plan]) -> None:
    """Print the runs of a series, without running them."""
    print_text()
    rows = [
        (name, str(plan.training.seed), "all" if plan.split.fold is None else f"{plan.split.fold}/{plan.split.folds}")
        for name, plan in members.items()
    ]
    print_table(("run", "training.seed", "fold"), rows)


def member_workers(
    on: str | None, jobs: int | None, session: Session, disable: list[str] | None
) -> MemberWorkers | None:
    """Return the workers that --on and --jobs request; None without these options."""
    if on is None and jobs is None:
        return None
    from ..experiments.members import MemberWorkers
    from ..planning.executors import executor_of

    return MemberWorkers(executor_of(on or "local", session), jobs or 1, tuple(disable or ()))


def refuse_alone(workers: MemberWorkers | None, context: typer.Context) -> None:
    """Raise RequestError if --on or --jobs is typed for a single run. What a configuration file says is for others."""
    if workers is not None and typed(context, "on", "jobs"):
        raise RequestError(
            "A single run is executed in this process.",
            where="--on, --jobs",
            hint="They are for several runs: add --seeds or --folds.",
        )


def run_all(kind: Kind, members: Mapping[str, Plan], out: Path | None, workers: MemberWorkers | None) -> None:
    """Run a series and print the mean and standard deviation of each score."""
    load_keras()
    from ..experiments.series import run_series

    plan = next(iter(members.values()))
    print_result(run_series(kind, members, out=out, workers=workers), plan.metrics, trust=bool(plan.plugins))


def print_result(series: Series, table: MetricTable, *, trust: bool = False) -> None:
    """Write the page of a series, and print its scores.

    If it was interrupted, say how to resume it, and exit with the code for that.
    """
    if series.finished:
        from ..figures.series_page import write_series_page

        page = write_series_page(series, table)
        _print_series(series, _for_data(series, table))
        if page is not None:
            print_text(f"All scores and curves, as a page: {page}")
    if series.interrupted:
        say(
            "Interrupted: the finished runs are stored, and the network so far of the last run."
            if series.finished
            else f"Interrupted before the first run finished: {series.path} has no scores."
        )
        say(f"To resume: marsseg run --resume {series.path}{' --trust' if trust else ''}")
        raise typer.Exit(EXIT_INTERRUPTED)


def _for_data(series: Series, table: MetricTable) -> MetricTable:
    """Return the table for the ignored classes of a series; as it is where the first run's files are missing."""
    from ..files.run_folder import RunFolder

    try:
        _, ignore_classes = RunFolder(series.path / series.finished[0]).classes()
    except RequestError:
        return table
    return table.for_data(ignore_classes)


def _print_series(series: Series, table: MetricTable) -> None:
    subsets = series.subsets()
    names = dict.fromkeys(name for spreads in subsets.values() for name in spreads)
    rows = [
        (table.spaced(name), *(str(spreads.get(name) or "undefined") for spreads in subsets.values()))
        for name in names
        if table.shows(name)
    ]
    print_table(("score", *subsets), rows, right=tuple(subsets))
    print_text()
    finished, planned = len(series.finished), len(series.planned)
    of_planned = "" if finished == planned else f" of {planned}"
    print_text(f"{series.path}: mean ± sample standard deviation over {finished}{of_planned} {series.kind}")
    if series.note:
        print_text(series.note)
