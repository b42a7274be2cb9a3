"""Resume a series from its folder, and let its summary follow a run of it that is resumed alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError
from ..files.leftovers import remove_temporary_files
from ..files.run_folder import FINISHED, SERIES_PLAN, SERIES_SUMMARY, RunFolder
from ..networks.processes import refuse_processes
from ..planning.plan import Plan
from ..planning.python_components import Given
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.kinds import DATASET
from ..registry.session import Session
from .members import MemberWorkers
from .series import Kind, Series, run_members, spread_members, write_summary

_MEMBERS: Final[dict[Kind, str]] = {"seeds": r"seed-(\d+)", "folds": r"fold-(\d+)"}


def is_series(path: Path) -> bool:
    """Return whether a folder is that of a series."""
    if not os.path.isdir(path) or RunFolder(path).begun:
        return False
    return (path / SERIES_SUMMARY).is_file() or bool(_members_without_summary(path))


def _members_without_summary(path: Path) -> list[Path]:
    """Return the runs of a series that was killed in its first run, by a version that wrote no summary before it."""
    return sorted(plan.parent for kind in ("seed", "fold") for plan in path.glob(f"{kind}-*/plan.toml"))


def plans_of_series(
    path: Path, session: Session, data: Given | None = None, training: Mapping[str, Any] | None = None
) -> dict[str, Plan]:
    """Return the plans of all runs of a series, by the names of their folders.

    Args:
        path: the folder of the series
        session: the catalog, and whether plugin files in the folder are trusted
        data: the new place of the data, or the data passed in Python; None for those that the plan names
        training: options of the training to replace

    Raises:
        RequestError: the series does not record what is needed to resume it
    """
    series = read_series(path)
    bases = [path / SERIES_PLAN, *(path / name / "plan.toml" for name in series.planned)]
    base = next((file for file in bases if file.is_file()), None)
    if base is None:
        raise RequestError(
            "The series was killed before its plan was written.",
            where=str(path),
            hint="Nothing is lost: delete the folder, and start the series again.",
        )
    compositions = {} if data is None else {DATASET.option: data}
    plan = resolve(Request(str(base), compositions, {"training": training or {}}), session)
    numbers = {name: int(name.rpartition("-")[2]) for name in series.planned}
    if series.kind == "seeds":
        return {name: replace(plan, training=replace(plan.training, seed=seed)) for name, seed in numbers.items()}
    folds = len(numbers)
    return {name: replace(plan, split=replace(plan.split, folds=folds, fold=fold)) for name, fold in numbers.items()}


def resume_series(
    path: Path, plans: dict[str, Plan], *, moved: bool = False, workers: MemberWorkers | None = None
) -> Series:
    """Go on with a series: keep its finished runs, resume those that have begun, and run the others.

    Args:
        path: the folder of the series
        plans: the plans of all runs, as `plans_of_series` returns them
        moved: whether the plans name a new place of the data, which the series and all its runs record
        workers: where the runs are executed; None: one after the other in this process

    Raises:
        RequestError: the series is finished, another process is working on it, or its data has changed
        PluginError: a component of a plugin fails
        RunError: a run fails
    """
    from ..networks.keras_backend.settings import avoid_importing_tensorflow
    from ..runs.recorded_data import read_data_of, record_data, recorded_split
    from ..runs.unlabelled import has_other_unlabelled, read_unlabelled_of

    refuse_processes("a series")
    avoid_importing_tensorflow()
    folder = RunFolder(path)
    with folder.claimed():
        series = read_series(path)
        was_finished, all_finished = series.status == FINISHED, len(series.finished) == len(series.planned)
        if was_finished and all_finished and not moved:
            raise RequestError("The series is finished.", where=str(path), hint="Its summary.json has the scores.")
        remove_temporary_files(path, subfolders=False)  # each run removes its own
        plan = next(iter(plans.values()))
        data = read_data_of(folder, plan)
        if moved:
            for name in series.finished:
                member = RunFolder(path / name)
                split = recorded_split(member, data)
                if has_other_unlabelled(member, plan):
                    read_unlabelled_of(member, plan, data, split)
                record_data(member, plan)
            if (path / SERIES_PLAN).is_file():
                record_data(folder, plan, path / SERIES_PLAN)
        if workers is not None:
            return spread_members(series, plans, workers, moved=moved)
        return run_members(series, plans, data, moved=moved)


def read_series(path: Path) -> Series:
    """Read a series from its folder: its runs from summary.json, and their status and scores from their own files."""
    folder, file = RunFolder(path), path / SERIES_SUMMARY
    if not file.is_file():
        names = ", ".join(member.name for member in _members_without_summary(path))
        raise RequestError(
            f"The series does not record how many runs it has; it has begun {names}.",
            where=str(path),
            hint=f"Resume its runs one by one: marsseg run --resume {_members_without_summary(path)[0]}",
        )
    summary = folder.read_json(file)
    kind, planned, status = _checked(summary, file)
    series = Series(kind, path, planned, status=status)
    for name in planned:
        member = RunFolder(path / name)
        if member.begun and member.metrics.is_file():
            member.check_unchanged(member.metrics)
            series.metrics[name] = member.read_metrics()
    return series


def _checked(summary: Any, file: Path) -> tuple[Kind, tuple[str, ...], str]:
    """Return the kind, the names of the runs and the status in summary.json; RequestError for any other content."""
    try:
        kind, planned, status = summary["series"], tuple(summary["runs"]), str(summary["status"])
        if planned and all(re.fullmatch(_MEMBERS[kind], name) for name in planned):
            return kind, planned, status
    except (KeyError, TypeError):
        pass
    raise RequestError("summary.json is not as a series writes it.", where=str(file.parent))


def follow(run: Path) -> Series | None:
    """Write the summary of the series that a run belongs to again, if there is one, after the run was resumed alone.

    Return the series. Where another process is working on it, that one will write the summary itself.
    """
    run = run.absolute()
    with suppress(RequestError):
        if (run.parent / SERIES_SUMMARY).is_file():
            with RunFolder(run.parent).claimed():
                series = read_series(run.parent)
                if run.name in series.planned:
                    if len(series.finished) == len(series.planned):
                        series.status = FINISHED
                    write_summary(series)
                    return series
    return None
