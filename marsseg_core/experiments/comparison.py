"""Runs against each other: grouped by plan, ranked, with paired differences to the best group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from string import ascii_uppercase
from textwrap import shorten
from typing import Any, Final

from ..conventions import HEADLINE
from ..errors import RequestError, nearest
from ..planning.metrics import metric_table
from ..planning.options import SECTIONS
from ..registry.parameters import NONE_WORD
from ..runs.records import Record, find_runs, read_record
from ..shown import Shown
from .summary import Spread

SUBSETS: Final = ("test", "validation")
CONFIDENCE: Final = 0.95
ABSENT: Final = "–"

# So many groups, and so many letters of each, stand in the text of a comparison.
_SHOWN_GROUPS: Final = 8
_SHOWN_LETTERS: Final = 80


@dataclass(frozen=True)
class Difference:
    """The mean of a group's scores minus the best group's, over `pairs` of runs with the same seed, fold and items.

    `low` and `high` bound the 95 % t-interval of that mean; None where fewer than two pairs give no estimate.
    """

    pairs: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class RunGroup:
    """The runs of one plan. `label` is a letter, in the order of rank.

    `rank` and `difference` are None for a group that is scored on other items than most, `difference` also for the
    best.
    """

    label: str
    runs: tuple[Record, ...]
    values: tuple[float, ...]
    rank: int | None
    difference: Difference | None

    @property
    def settings(self) -> Mapping[str, str]:
        return self.runs[0].settings

    @property
    def spread(self) -> Spread:
        return Spread.of(self.values)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Groups in their order; `differing` holds, for each setting that differs, its text in each of them.

    `apart` names the runs that are in no group, `elsewhere` those scored on other items, each with the reason.
    """

    by: str
    subset: str
    groups: tuple[RunGroup, ...]
    differing: Mapping[str, tuple[str, ...]]
    apart: tuple[tuple[Path, str], ...]
    elsewhere: tuple[tuple[Path, str], ...]

    def title(self, group: RunGroup) -> str:
        """A group's letter, and what is its own among the settings that differ."""
        position = self.groups.index(group)
        texts = {name: values[position] for name, values in self.differing.items() if values[position] != ABSENT}
        return " · ".join([group.label, *(_own(name, text) for name, text in texts.items())])

    def __repr__(self) -> str:
        lines = [f"Comparison({self.subset} {self.by}: {len(self.groups)} groups)"]
        for group in self.groups[:_SHOWN_GROUPS]:
            title = shorten(self.title(group), _SHOWN_LETTERS, placeholder="…")
            lines.append(f"  {group.rank or ABSENT}  {group.spread} (n={group.spread.n})  {title}")
        more = len(self.groups) - _SHOWN_GROUPS
        return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])

    def to_json(self) -> dict[str, Any]:
        return {
            "by": self.by,
            "subset": self.subset,
            "std": "sample",
            "confidence": CONFIDENCE,
            "groups": [self._group_json(position, group) for position, group in enumerate(self.groups)],
            "apart": [{"run": str(path), "reason": reason} for path, reason in self.apart],
            "scored_elsewhere": [{"run": str(path), "reason": reason} for path, reason in self.elsewhere],
        }

    def _group_json(self, position: int, group: RunGroup) -> dict[str, Any]:
        return {
            "group": group.label,
            "rank": group.rank,
            **group.spread.to_json(),
            "settings": {name: values[position] for name, values in self.differing.items()},
            "difference": group.difference and group.difference.to_json(),
            "runs": [
                {"run": str(run.path), "seed": run.seed, "fold": run.fold, "value": value}
                for run, value in zip(group.runs, group.values, strict=True)
            ],
        }


def compare_runs(paths: Sequence[Path], *, by: str = HEADLINE, subset: str = "test") -> Comparison:
    """Compare the finished runs in `paths`: run folders, or folders of runs and series.

    Raises RequestError for a path without a run, an unknown subset or score, one of which nothing installed says
    whether more of it is better, or where no run has a score.
    """
    # By the headline, whose direction is known, no metric's code is needed.
    table = None if by == HEADLINE else metric_table()
    by = table.canonical(by) if table else by
    if subset not in SUBSETS:
        raise RequestError(
            f"There is no subset '{subset}' to compare.", where="--subset", hint=f"One of {', '.join(SUBSETS)}."
        )
    records, apart = _read(find_runs(paths))
    scored = []
    for record in records:
        if reason := _unscored(record, subset):
            apart.append((record.path, reason))
        else:
            scored.append(record.completed(subset, table) if table else record)
    if not scored:
        lines = "; ".join(f"{path}: {reason}" for path, reason in apart[:5])
        raise RequestError(f"None of {len(apart)} runs has a score of its {subset} subset: {lines}.", where="compare")
    _check_metric(by, scored, subset)
    if table and table.of(by) is None:
        raise RequestError(
            f"No metric is installed that says whether more of '{by}' is better.",
            where="--by",
            hint="Install the plugin that the runs had it from.",
        )
    defined = []
    for record in scored:
        if record.scores[subset].get(by) is None:
            apart.append((record.path, f"{by} is undefined"))
        else:
            defined.append(record)
    grouped, repeated = _grouped(defined)
    if not grouped:
        raise RequestError(f"{by} is undefined in all {len(scored)} runs.", where="--by")
    groups, elsewhere = _ranked(grouped, by, subset, rises=table is None or table.rises(by))
    return Comparison(by, subset, groups, _differing(groups), tuple(apart + repeated), elsewhere)


def _read(paths: Sequence[Path]) -> tuple[list[Record], list[tuple[Path, str]]]:
    records, broken = [], []
    for path in paths:
        try:
            records.append(read_record(path))
        except RequestError as error:
            broken.append((path, str(error)))
    return records, broken


def _unscored(record: Record, subset: str) -> str:
    """Why a run has no score to compare; empty where it has one."""
    if not record.finished:
        return record.status
    return "" if subset in record.scores else f"the {subset} subset was not scored"


def _check_metric(by: str, records: Sequence[Record], subset: str) -> None:
    known = dict.fromkeys(name for record in records for name in record.scores[subset])
    if by not in known:
        raise RequestError(f"No run has a score '{by}'.", where="--by", hint=nearest(by, known, listing="Their scores"))


def _grouped(records: Sequence[Record]) -> tuple[list[list[Record]], list[tuple[Path, str]]]:
    """The runs of each plan; and those that repeat another with plan, seed, fold and data, which would count twice."""
    groups: dict[Hashable, dict[Hashable, Record]] = {}
    repeated = []
    for record in records:
        # The same words may mean other data, or another split: a file was changed between two runs, or another version
        # splits it differently. Their mean would be of nothing.
        group = groups.setdefault((record.data, *sorted(record.settings.items())), {})
        first = group.setdefault((record.seed, record.fold), record)
        if first is not record:
            repeated.append((record.path, f"the same plan, seed and fold as {first.path}"))
    return [list(group.values()) for group in groups.values()], repeated


def _ranked(
    grouped: Sequence[Sequence[Record]], by: str, subset: str, *, rises: bool
) -> tuple[tuple[RunGroup, ...], tuple[tuple[Path, str], ...]]:
    """The groups scored on what most runs are scored on, the best first; then the others, without a rank."""
    families = Counter(_family(run, subset) for group in grouped for run in group)
    common = families.most_common(1)[0][0]

    def order(group: Sequence[Record]) -> tuple[bool, float]:
        mean = Spread.of(_values(group, by, subset)).mean
        return any(_family(run, subset) != common for run in group), -mean if rises else mean

    groups: list[RunGroup] = []
    for position, runs in enumerate(sorted(grouped, key=order)):
        comparable = not order(runs)[0]
        best = groups[0].runs if groups else None
        groups.append(
            RunGroup(
                _letters(position),
                tuple(runs),
                tuple(_values(runs, by, subset)),
                rank=position + 1 if comparable else None,
                difference=difference(runs, best, by, subset) if comparable and best is not None else None,
            )
        )
    elsewhere = [
        (run.path, _deviation(_family(run, subset), common))
        for group in grouped
        for run in group
        if _family(run, subset) != common
    ]
    return tuple(groups), tuple(elsewhere)


def _values(runs: Sequence[Record], by: str, subset: str) -> list[float]:
    return [value for run in runs if (value := run.scores[subset][by]) is not None]


@dataclass(frozen=True)
class _Family:
    """What runs are scored on: the same items; or the folds of one division, of which each run has another."""

    fingerprint: str
    classes: tuple[str, ...]
    ignore_classes: tuple[int, ...]
    items: Hashable


def _family(run: Record, subset: str) -> _Family:
    data = run.fingerprint, run.classes, run.ignore_classes
    if run.fold == NONE_WORD:
        return _Family(*data, run.items[subset])
    division = [run.settings[f"split.{key}"] for key in ("folds", "seed")]
    if subset == "validation":
        division.append(run.settings["split.validation"])
    return _Family(*data, ("folds", *division))


def _deviation(found: _Family, common: _Family) -> str:
    if found.classes != common.classes:
        reordered = sorted(found.classes) == sorted(common.classes)
        return f"{'the classes in another order' if reordered else 'other classes'}: {', '.join(found.classes)}"
    if found.ignore_classes != common.ignore_classes:
        names = ", ".join(found.classes[c] for c in found.ignore_classes) or "none"
        return f"other ignored classes: {names}"
    return "other data" if found.fingerprint != common.fingerprint else "other items of the data"


def difference(runs: Sequence[Record], best: Sequence[Record], by: str, subset: str) -> Difference:
    """A group's scores minus the best group's, over the pairs with the same seed and fold, scored on the same items."""
    partners = {(run.seed, run.fold): run for run in best}
    pairs = [(run, partners[run.seed, run.fold]) for run in runs if (run.seed, run.fold) in partners]
    pairs = [(run, other) for run, other in pairs if run.items[subset] == other.items[subset]]
    if not pairs:
        return Difference(0)
    ours, theirs = zip(*pairs, strict=True)
    found = Spread.of([a - b for a, b in zip(_values(ours, by, subset), _values(theirs, by, subset), strict=True)])
    if found.std is None:
        return Difference(1, found.mean)
    half = half_width(found)
    return Difference(found.n, found.mean, found.mean - half, found.mean + half)


def half_width(spread: Spread) -> float:
    """Half the 95 % t-interval of a mean over at least two values."""
    from scipy.stats import t

    assert spread.std is not None
    return float(t.ppf((1 + CONFIDENCE) / 2, spread.n - 1)) * spread.std / sqrt(spread.n)


def _differing(groups: Sequence[RunGroup]) -> dict[str, tuple[str, ...]]:
    """The settings that differ. A parameter of a component counts only where that component is in the plan."""
    names = dict.fromkeys(name for group in groups for name in group.settings)
    found = {}
    for name in names:
        owner = name.rpartition(".")[0]
        owners = [group for group in groups if any(key.startswith(f"{owner}.") for key in group.settings)]
        texts = {group.settings.get(name, ABSENT) for group in (owners if owner else groups)}
        if len(texts) > 1:
            found[name] = tuple(group.settings.get(name, ABSENT) for group in groups)
    return found


def _own(name: str, text: str) -> str:
    """A setting in a few words: "dense", "width 0.5", "bottleneck none", "split.seed 1"."""
    kind, dot, rest = name.partition(".")
    if not dot:
        return f"{name} {text}" if text == NONE_WORD else text
    return f"{name if kind in SECTIONS else rest.rpartition('.')[2]} {text}"


def _letters(position: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    before, letter = divmod(position, len(ascii_uppercase))
    return (_letters(before - 1) if before else "") + ascii_uppercase[letter]
