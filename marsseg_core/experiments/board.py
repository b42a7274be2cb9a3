"""Gather all runs under a folder for one page: settings, scores, curves, and where their pictures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.metrics import metric_table
from ..runs.records import FOLD, SEED, Record, RecordedSplit, find_runs, read_record
from .curves import History, curves_of, rounded


@dataclass(frozen=True)
class Board:
    """All runs of a folder.

    Attributes:
        folder: the folder; addresses on the page are relative to it
        runs: a mapping for each run, as the page's script reads it
        unreadable: the runs that could not be read, with the reason
    """

    folder: Path
    runs: tuple[Mapping[str, Any], ...]
    unreadable: tuple[tuple[Path, str], ...]


@waiting("Reading the runs")
def read_board(folder: Path) -> Board:
    """Read all runs in a folder and in its series and sweeps. Raises RequestError if there is none."""
    records: list[tuple[Record, RunFolder, History]] = []
    unreadable = []
    splits: dict[str, RecordedSplit] = {}
    for run in find_runs([folder]):
        try:
            record = read_record(run, splits)
            records.append((record, run, run.read_history() if run.history.is_file() else []))
        except RequestError as error:
            unreadable.append((run.path, str(error)))
    common = _common([_settings(record) for record, *_ in records])
    runs = tuple(_run(folder, *each, common) for each in records)
    return Board(folder, runs, tuple(unreadable))


def _settings(record: Record) -> dict[str, str]:
    return {**record.settings, SEED: record.seed, FOLD: record.fold}


def _common(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the settings that all runs have with the same value."""
    first: Mapping[str, str] = settings[0] if settings else {}
    return {name: text for name, text in first.items() if all(each.get(name) == text for each in settings)}


def _run(folder: Path, record: Record, run: RunFolder, history: History, common: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page needs of a run. The settings that all runs share are left out."""
    path = record.path.relative_to(folder)
    shows = metric_table().shows
    tiles = run.figures / "tiles.png"
    return {
        "name": path.as_posix(),
        "status": record.status,
        "settings": {name: text for name, text in _settings(record).items() if name not in common},
        "scores": {
            subset: {name: rounded(value) for name, value in scores.items() if shows(name) or "iou_" in name}
            for subset, scores in record.scores.items()
        },
        "epochs": len(history),
        "minutes": rounded(sum(row.get("seconds") or 0 for row in history) / 60),
        "curves": curves_of(history),
        "report": (path / run.report.name).as_posix() if run.report.is_file() else None,
        "tiles": (path / "figures" / "tiles.png").as_posix() if tiles.is_file() else None,
    }
