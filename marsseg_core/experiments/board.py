"""Gather all runs under a folder for one page: settings, scores, curves, and where their pictures are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import RequestError
from ..files.pack import is_pack
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.metrics import metric_table
from ..registry.kinds import PLAN_KINDS
from ..runs.records import FOLD, SEED, Record, RecordedSplit, find_runs, read_record
from ..runs.transductive import transductive_sentence
from .comparison import deviation, letters
from .curves import History, curves_of, rounded
from .differing import differing_names

_SUBSET: Final = "test"

# A table with more columns shows less: the page tells the other settings of the runs that are chosen there.
_MOST_COLUMNS: Final = 16

# The page rounds scores itself. Of values that are rounded twice, the last digit may differ from that in other tables.
_DIGITS: Final = 9


@dataclass(frozen=True)
class Board:
    """All runs of a folder.

    Attributes:
        folder: the folder; addresses on the page are relative to it
        runs: a mapping for each run, as the page's script reads it
        columns: the settings that differ and that the table shows
        scored_on: what each letter of the runs' "scored_on" stands for; empty if all runs are scored on the same images
        unreadable: the runs that could not be read, with the reason
        note: what must be said with the scores: which runs are transductive; empty if none is
    """

    folder: Path
    runs: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...]
    scored_on: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[Path, str], ...]
    note: str


def runs_of_board(folder: Path) -> list[RunFolder]:
    """Find all runs in a folder and in its series and sweeps. Raises RequestError if there is none, or for a pack."""
    if is_pack(folder):
        raise RequestError(
            f"'{folder}' is a pack, and a board is a page about the runs in a folder.",
            hint="marsseg compare takes packs.",
        )
    return find_runs([folder])


@waiting("Reading the runs")
def read_board(folder: Path) -> Board:
    """Read all runs in a folder and in its series and sweeps. Raises RequestError if there is none, or for a pack."""
    records: list[tuple[Record, RunFolder, History]] = []
    unreadable = []
    splits: dict[str, RecordedSplit] = {}
    for run in runs_of_board(folder):
        try:
            record = read_record(run, splits)
            records.append((record, run, run.read_history() if run.history.is_file() else []))
        except RequestError as error:
            unreadable.append((run.path, str(error)))
    found = [record for record, *_ in records]
    settings = [_settings(record) for record in found]
    common = _common(settings)
    letter_of, scored_on = _scored_on(found)
    runs = tuple(_run(folder, *each, common, letter) for each, letter in zip(records, letter_of, strict=True))
    transductive = [run["name"] for run, record in zip(runs, found, strict=True) if record.transductive]
    note = transductive_sentence(", ".join(transductive))
    return Board(folder, runs, _columns(settings), scored_on, tuple(unreadable), note)


def _columns(settings: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the settings that differ: first the components, then seed and fold, then the others but no versions."""
    first = [*(kind.option for kind in PLAN_KINDS), SEED, FOLD]
    names = [name for name in differing_names(settings) if not name.startswith("version.")]
    return tuple(sorted(names, key=lambda name: first.index(name) if name in first else len(first))[:_MOST_COLUMNS])


def _scored_on(records: Sequence[Record]) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Return a letter for the test images of each run, and what each letter stands for.

    Runs with one letter are scored on the same items of the same data. A stands for the items of most runs. If all runs
    have the same, nothing needs to be told.
    """
    keys = [run.scored_on(_SUBSET) for run in records]
    first = dict(zip(reversed(keys), reversed(records), strict=True))
    order = [key for key, _ in Counter(keys).most_common()]
    letter_of = {key: letters(position) for position, key in enumerate(order)}
    if len(order) < 2:
        return [letter_of[key] for key in keys], ()
    typical = first[order[0]]
    texts = []
    for key in order:
        record = first[key]
        other = "" if record is typical else f"; {deviation(record, typical, _SUBSET)}"
        texts.append((letter_of[key], f"{len(record.items[_SUBSET]):,} test images of {record.source}{other}"))
    return [letter_of[key] for key in keys], tuple(texts)


def _settings(record: Record) -> dict[str, str]:
    return {**record.settings, SEED: record.seed, FOLD: record.fold}


def _common(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the settings that all runs have with the same value."""
    first: Mapping[str, str] = settings[0] if settings else {}
    return {name: text for name, text in first.items() if all(each.get(name) == text for each in settings)}


def _run(
    folder: Path, record: Record, run: RunFolder, history: History, common: Mapping[str, str], letter: str
) -> dict[str, Any]:
    """Return what the page needs of a run. The settings that all runs share are left out."""
    path = record.path.relative_to(folder)
    shows = metric_table().shows
    tiles = run.figures / "tiles.png"
    return {
        "name": path.as_posix(),
        "status": record.status,
        "scored_on": letter,
        "settings": {name: text for name, text in _settings(record).items() if name not in common},
        "scores": {
            subset: {name: rounded(value, _DIGITS) for name, value in scores.items() if shows(name) or "iou_" in name}
            for subset, scores in record.scores.items()
        },
        "epochs": len(history),
        "minutes": rounded(sum(row.get("seconds") or 0 for row in history) / 60),
        "curves": curves_of(history),
        "report": _address(path / run.report.name) if run.report.is_file() else None,
        "tiles": _address(path / "figures" / "tiles.png") if tiles.is_file() else None,
    }


def _address(path: Path) -> str:
    """Return the address of a file, in which signs such as # stand for themselves."""
    return quote(path.as_posix(), errors="surrogateescape")
