"""Compare runs: group them by plan, rank the groups, and compute paired differences to the best group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from string import ascii_uppercase
from textwrap import shorten
from typing import Any, Final

from ..conventions import HEADLINE
from ..data.split_options import DRAWN, GIVEN
from ..data.subsets import subset_called
from ..errors import RequestError, counted, nearest
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..planning.metrics import MetricTable, metric_table
from ..planning.options import SECTIONS
from ..registry.parameters import NONE_WORD, to_text
from ..runs.records import Record, RecordedSplit, find_runs, read_record
from ..shown import HtmlRepr
from .differing import ABSENT, differing_names
from .summary import Spread, spread_over_folds

SUBSETS: Final = ("test", "validation")
CONFIDENCE: Final = 0.95

# Among the scores that are shown also, this stands for the IoU of each class.
CLASSES: Final = "classes"

# The number of groups, and the length of the title of each, in the `repr` of a comparison.
_REPR_GROUPS: Final = 8
_REPR_LETTERS: Final = 80

# How many runs an error lists with the reason.
_REASONS: Final = 5


@dataclass(frozen=True)
class Difference:
    """The mean difference of a group's scores to those of the best group, over pairs of runs.

    The runs of a pair have the same seed and fold, and are scored on the same items. Where a fold has several pairs,
    their differences are averaged first: the mean and its interval are those of the folds.

    Attributes:
        pairs: The number of pairs.
        mean: The mean of the score minus the score in the best group; None without a pair.
        low: The lower end of the 95 % t-interval of the mean; None for less than two pairs.
        high: The upper end of this interval; None for less than two pairs.
        folds: The number of folds, where the pairs of each are averaged first; or else None.
    """

    pairs: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    folds: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as it is written to JSON."""
        folds = {} if self.folds is None else {"folds": self.folds}
        return {"pairs": self.pairs, **folds, "mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class RunGroup:
    """The runs of one plan, with different seeds or folds.

    Attributes:
        label: A letter, in the order of rank: A for the best group.
        runs: The runs.
        values: The compared score of each run.
        rank: 1 for the best group; None for a group that is scored on other items than most runs.
        difference: The difference to the best group; None for the best group itself, and where `rank` is None.
    """

    label: str
    runs: tuple[Record, ...]
    values: tuple[float, ...]
    rank: int | None
    difference: Difference | None

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the settings that the runs have in common: all but seed and fold."""
        return self.runs[0].settings

    @property
    def transductive(self) -> bool:
        """Return whether the runs learned from images of their validation and test subsets, without the labels."""
        return self.runs[0].transductive

    @property
    def decoding(self) -> str:
        """Return how the logits of the runs became classes: "argmax" or "offsets"."""
        return self.settings["training.decoding"]

    @property
    def spread(self) -> Spread:
        """Return the mean and the standard deviation of the compared score."""
        return Spread.of(self.values)

    @property
    def over_folds(self) -> Spread:
        """Return the spread from which the interval of the mean follows: of several folds, that of their means."""
        return spread_over_folds(zip((run.fold for run in self.runs), self.values, strict=True))


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(HtmlRepr):
    """A comparison of groups of runs.

    Attributes:
        by: The name of the compared score.
        subset: The subset that is scored: "test" or "validation".
        groups: The groups, the best one first; those without a rank are last.
        differing: For each setting that differs between the groups: its text in each group, in the order of `groups`.
        skipped: The runs that are in no group, each with the reason.
        other_data: The runs that are scored on other items than most, each with the reason.
        unreadable: The runs of `skipped` whose files are damaged, missing or changed.
        also: The names of more scores that tables show.
    """

    by: str
    subset: str
    groups: tuple[RunGroup, ...]
    differing: Mapping[str, tuple[str, ...]]
    skipped: tuple[tuple[Path, str], ...]
    other_data: tuple[tuple[Path, str], ...]
    unreadable: tuple[Path, ...] = ()
    also: tuple[str, ...] = ()

    def title(self, group: RunGroup) -> str:
        """Return the letter of a group and its values of the settings that differ, such as "B · dense · width 0.5"."""
        position = self.groups.index(group)
        texts = {name: values[position] for name, values in self.differing.items() if values[position] != ABSENT}
        return " · ".join([group.label, *(_short_setting(name, text) for name, text in texts.items())])

    def __repr__(self) -> str:
        lines = [f"Comparison({self.subset} {self.by}: {counted(len(self.groups), 'group')})"]
        for group in self.groups[:_REPR_GROUPS]:
            title = shorten(self.title(group), _REPR_LETTERS, placeholder="…")
            lines.append(f"  {group.rank or ABSENT}  {group.spread} (n={group.spread.n})  {title}")
        more = len(self.groups) - _REPR_GROUPS
        return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])

    def spread_of(self, group: RunGroup, name: str) -> Spread | None:
        """Return the mean and the standard deviation of another score over the runs of a group that define it."""
        values = _values(group.runs, name, self.subset)
        return Spread.of(values) if values else None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as `marsseg compare --json` prints it."""
        return {
            "by": self.by,
            "subset": self.subset,
            "also": list(self.also),
            "std": "sample",
            "confidence": CONFIDENCE,
            "groups": [self._group_json(position, group) for position, group in enumerate(self.groups)],
            "skipped": [{"run": str(path), "reason": reason} for path, reason in self.skipped],
            "other_data": [{"run": str(path), "reason": reason} for path, reason in self.other_data],
            "unreadable": [str(path) for path in self.unreadable],
        }

    def _group_json(self, position: int, group: RunGroup) -> dict[str, Any]:
        return {
            "group": group.label,
            "rank": group.rank,
            **group.spread.to_json(),
            "also": {name: (also := self.spread_of(group, name)) and also.to_json() for name in self.also},
            "decoding": group.decoding,
            "settings": {name: values[position] for name, values in self.differing.items()},
            "difference": group.difference and group.difference.to_json(),
            "runs": [
                {"run": str(run.path), "seed": run.seed, "fold": run.fold, "value": value}
                for run, value in zip(group.runs, group.values, strict=True)
            ],
        }


@waiting("Reading the runs")
def compare_runs(
    paths: Sequence[Path], *, by: str = HEADLINE, subset: str = "test", also: Sequence[str] = ()
) -> Comparison:
    """Compare the finished runs in `paths`: run folders, packs, or folders that contain runs and series.

    `by` is the name of the score to compare, `subset` the subset that it is computed on, and `also` has the names of
    more scores to show; `classes` stands for the IoU of each class.

    Raises RequestError for a path without a run, for an unknown subset or score, for a score whose metric is not
    installed (so that it is unknown whether higher is better), or where no run has the score.
    """
    # The direction of the default score is known: higher is better. So no metric is imported for it.
    table = None if by == HEADLINE and set(also) <= {CLASSES} else metric_table()
    by = table.canonical(by) if table else by
    subset = subset_called(subset)
    if subset not in SUBSETS:
        raise RequestError(
            f"There is no subset '{subset}' to compare.", where="--subset", hint=f"One of {', '.join(SUBSETS)}."
        )
    records, skipped = _read(find_runs(paths))
    unreadable = tuple(path for path, _ in skipped)
    scored = []
    for record in records:
        if reason := record.why_unscored(subset):
            skipped.append((record.path, reason))
        else:
            scored.append(record.completed(subset, table) if table else record)
    if not scored:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in skipped[:_REASONS])
        more = f"; and {len(skipped) - _REASONS:,} more" if len(skipped) > _REASONS else ""
        raise RequestError(f"No run has scores of the {subset} subset: {reasons}{more}.", where="compare")
    by = _recorded_score(by, scored, subset, "--by")
    names = tuple(dict.fromkeys(name for each in also for name in _shown_scores(each, scored, subset, table)))
    if table and table.of(by) is None:
        raise RequestError(
            f"The metric '{by}' is not installed, so it is unknown whether higher is better.",
            where="--by",
            hint="Install the plugin with which the runs computed it.",
        )
    defined = []
    for record in scored:
        if record.scores[subset].get(by) is None:
            skipped.append((record.path, f"{by} is undefined"))
        else:
            defined.append(record)
    grouped, repeated = _grouped(defined)
    if not grouped:
        raise RequestError(f"{by} is undefined in all runs.", where="--by")
    groups, other_data = _ranked(grouped, by, subset, rises=table is None or table.rises(by))
    return Comparison(by, subset, groups, _differing(groups), tuple(skipped + repeated), other_data, unreadable, names)


def _read(runs: Sequence[RunFolder]) -> tuple[list[Record], list[tuple[Path, str]]]:
    """Return the records of the runs that can be read, and the other runs with the reason."""
    records, broken = [], []
    splits: dict[str, RecordedSplit] = {}
    for run in runs:
        try:
            records.append(read_record(run, splits))
        except RequestError as error:
            broken.append((Path(run.title), str(error)))
    return records, broken


def score_called(by: str, known: Collection[str]) -> str:
    """Return the known score of this name, in which underscores may stand for the spaces of a class.

    If none or several fit, `by` is returned as it is.
    """
    fitting = [name for name in known if name.replace(" ", "_") == by]
    return fitting[0] if by not in known and len(fitting) == 1 else by


def _shown_scores(name: str, records: Sequence[Record], subset: str, table: MetricTable | None) -> Iterable[str]:
    """Return the names of the scores that a text of `also` means: one, or the IoU of each class that counts."""
    if name != CLASSES:
        return [_recorded_score(table.canonical(name) if table else name, records, subset, "--also")]
    return dict.fromkeys(
        f"iou_{each}"
        for record in records
        for position, each in enumerate(record.classes)
        if position not in record.ignore_classes
    )


def _recorded_score(by: str, records: Sequence[Record], subset: str, option: str) -> str:
    """Return the name of a score in the records. Raises RequestError if there is none."""
    known = dict.fromkeys(name for record in records for name in record.scores[subset])
    by = score_called(by, known)
    if by in known:
        return by
    raise RequestError(f"No run has a score '{by}'.", where=option, hint=nearest(by, known, listing="Scores"))


def _grouped(records: Sequence[Record]) -> tuple[list[list[Record]], list[tuple[Path, str]]]:
    """Return the runs of each plan as one group, and the runs that repeat another one, with the reason.

    A run repeats another one if plan, seed, fold and data are the same. It is left out, as it would count twice.
    """
    groups: dict[Hashable, dict[Hashable, Record]] = {}
    repeated = []
    for record in records:
        # Equal settings do not imply equal data and split: a file may have changed between two runs, or another version
        # of marsseg may split it differently. The mean over such runs would be meaningless.
        group = groups.setdefault((record.data, *sorted(record.settings.items())), {})
        first = group.setdefault((record.seed, record.fold), record)
        if first is not record:
            repeated.append((record.path, f"the same plan, seed and fold as {first.path}"))
    return [list(group.values()) for group in groups.values()], repeated


def _ranked(
    grouped: Sequence[Sequence[Record]], by: str, subset: str, *, rises: bool
) -> tuple[tuple[RunGroup, ...], tuple[tuple[Path, str], ...]]:
    """Return the groups in the order of rank, and the runs that cannot be ranked, with the reason.

    Only groups that are scored on the same items as most runs have a rank. The other groups come last.
    """
    counts = Counter(_rank_key(run, subset) for group in grouped for run in group)
    common = counts.most_common(1)[0][0]

    def order(group: Sequence[Record]) -> tuple[bool, float]:
        mean = Spread.of(_values(group, by, subset)).mean
        return any(_rank_key(run, subset) != common for run in group), -mean if rises else mean

    groups: list[RunGroup] = []
    for position, runs in enumerate(sorted(grouped, key=order)):
        comparable = not order(runs)[0]
        best = groups[0].runs if groups else None
        groups.append(
            RunGroup(
                letters(position),
                tuple(runs),
                tuple(_values(runs, by, subset)),
                rank=position + 1 if comparable else None,
                difference=difference(runs, best, by, subset) if comparable and best is not None else None,
            )
        )
    typical = next(run for group in grouped for run in group if _rank_key(run, subset) == common)
    other_data = [
        (run.path, _why_unranked(run, typical, subset))
        for group in grouped
        for run in group
        if _rank_key(run, subset) != common
    ]
    return tuple(groups), tuple(other_data)


def _values(runs: Sequence[Record], by: str, subset: str) -> list[float]:
    return [value for run in runs if (value := run.scores[subset].get(by)) is not None]


def _rank_key(run: Record, subset: str) -> Hashable:
    """Return what is equal for two runs that can be ranked: what they are scored on.

    For runs on folds, these are the options that define the folds, and not the items: each fold has others. A file
    gives the folds themselves; without one, they are drawn, whether or not the data come with a split.
    """
    if run.fold == NONE_WORD:
        return run.scored_on(subset)
    drawn = run.settings["split.subsets"] in (GIVEN, DRAWN)
    options = ["folds", "seed"] if drawn else ["folds", "subsets_hash"]
    if subset == "validation":
        options += ["seed", "validation"]
    folds = tuple((key, run.settings[f"split.{key}"]) for key in options)
    return run.fingerprint, run.classes, run.ignore_classes, folds


def _why_unranked(run: Record, typical: Record, subset: str) -> str:
    """Return why a run cannot be ranked with one that is scored like most, in a few words."""
    folds = NONE_WORD not in (run.fold, typical.fold)
    same_data = (run.fingerprint, *run.classes) == (typical.fingerprint, *typical.classes)
    if folds and same_data and run.ignore_classes == typical.ignore_classes:
        return "other folds of the data"  # the items of two folds always differ
    return deviation(run, typical, subset)


def deviation(run: Record, typical: Record, subset: str) -> str:
    """Return how the data of a run deviates from that of a run that is scored like most, in a few words."""
    if run.classes != typical.classes:
        reordered = sorted(run.classes) == sorted(typical.classes)
        return f"{'the classes in another order' if reordered else 'other classes'}: {', '.join(run.classes)}"
    if run.ignore_classes != typical.ignore_classes:
        names = ", ".join(run.classes[c] for c in run.ignore_classes) or "none"
        return f"other ignored classes: {names}"
    what = "other data" if run.fingerprint != typical.fingerprint else "other items of the data"
    return what + _differing_names(run.names.get(subset), typical.names.get(subset))


def _differing_names(names: frozenset[str] | None, common: frozenset[str] | None) -> str:
    """Return how many of a run's named items are not those of most runs; an empty text if one has no names."""
    if names is None or common is None:
        return ""
    if names == common:
        return f": its {len(names):,} items have the same names"
    other = len(names - common)
    verb = "is" if other == 1 else "are"
    return f": {other:,} of its {len(names):,} items {verb} not among the {len(common):,} of most runs"


def difference(runs: Sequence[Record], best: Sequence[Record], by: str, subset: str) -> Difference:
    """Return the difference of a group's scores to those of the best group.

    It is taken over the pairs of runs that have the same seed and fold and are scored on the same items, where several
    pairs of one fold count once, with their mean.
    """
    best_by_seed_and_fold = {(run.seed, run.fold): run for run in best}
    pairs = [(run, other) for run in runs if (other := best_by_seed_and_fold.get((run.seed, run.fold))) is not None]
    pairs = [(run, other) for run, other in pairs if run.items[subset] == other.items[subset]]
    if not pairs:
        return Difference(0)
    paired_runs, paired_best = zip(*pairs, strict=True)
    paired_values = zip(_values(paired_runs, by, subset), _values(paired_best, by, subset), strict=True)
    differences = [value - best_value for value, best_value in paired_values]
    spread = spread_over_folds(zip((run.fold for run in paired_runs), differences, strict=True))
    if spread.std is None:
        return Difference(1, spread.mean)
    half = half_width(spread)
    folds = spread.n if spread.n < len(pairs) else None
    return Difference(len(pairs), spread.mean, spread.mean - half, spread.mean + half, folds)


def mean_interval(spread: Spread, least: float, greatest: float) -> tuple[float, float] | None:
    """Return the 95 % t-interval of a mean of scores between `least` and `greatest`; None for a single score."""
    if spread.std is None:
        return None
    half = half_width(spread)
    return max(spread.mean - half, least), min(spread.mean + half, greatest)


def half_width(spread: Spread) -> float:
    """Return half the width of the 95 % t-interval of a mean over at least two values."""
    from scipy.stats import t

    assert spread.std is not None
    return float(t.ppf((1 + CONFIDENCE) / 2, spread.n - 1)) * spread.std / sqrt(spread.n)


def _differing(groups: Sequence[RunGroup]) -> dict[str, tuple[str, ...]]:
    """Return the settings that differ between groups, each with its text in every group.

    A parameter of a component is compared only between the groups whose plan has this component. Whether groups are
    transductive is shown for all groups if one of them is, even where they do not differ.
    """
    differing = {}
    if any(group.transductive for group in groups):
        differing["semi.transductive"] = tuple(to_text(group.transductive) for group in groups)
    for name in differing_names([group.settings for group in groups]):
        differing[name] = tuple(group.settings.get(name, ABSENT) for group in groups)
    return differing


def _short_setting(name: str, text: str) -> str:
    """Return a setting in a few words, such as "dense", "width 0.5", "bottleneck none" or "split.seed 1"."""
    kind, dot, rest = name.partition(".")
    if not dot:
        return f"{name} {text}" if text == NONE_WORD else text
    return f"{name if kind in SECTIONS else rest.rpartition('.')[2]} {text}"


def letters(position: int) -> str:
    """Return the label of the group at a position, counted from 0: A, B, …, Z, AA, AB, … ."""
    before, letter = divmod(position, len(ascii_uppercase))
    return (letters(before - 1) if before else "") + ascii_uppercase[letter]
