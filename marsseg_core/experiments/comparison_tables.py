"""A comparison as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ..conventions import HEADLINE
from ..planning.metrics import metric_table
from ..runs.transductive import transductive_sentence
from .comparison import Comparison, Difference, mean_interval
from .summary import Spread
from .text_table import TextTable

_RIGHT: Final = ("n", "to the best", "pairs")


def ranking_table(comparison: Comparison) -> TextTable:
    """Return a row for each group, the best one first."""
    score = f"{comparison.subset} {comparison.by}"
    headers = ("rank", "group", score, *comparison.also, "n", "to the best", "95 % interval", "pairs")
    least, greatest = _bounds(comparison.by)
    rows = [
        (
            "–" if group.rank is None else str(group.rank),
            group.label,
            str(group.spread),
            *("" if (also := comparison.spread_of(group, name)) is None else str(also) for name in comparison.also),
            str(group.spread.n),
            *_cells(group.difference, most=max(group.spread.n, comparison.groups[0].spread.n), span=greatest - least),
        )
        for group in comparison.groups
    ]
    return TextTable(headers, tuple(rows), (*comparison.also, *_RIGHT))


def ranking_with_settings(comparison: Comparison) -> TextTable:
    """Return the ranking with two more things that a paper needs.

    The settings that differ are columns, which say what the groups are. Where a group has several runs, there is a
    column for the interval of the mean.
    """
    table = ranking_table(comparison)
    rank, group, score, *others = table.headers
    interval = [f"{score}, 95 % interval"] if _has_several(comparison) else []
    bounds = _bounds(comparison.by)
    rows = []
    for position, (each, row) in enumerate(zip(comparison.groups, table.rows, strict=True)):
        settings = [values[position] for values in comparison.differing.values()]
        cells = [interval_text(each.over_folds, *bounds) for _ in interval]
        rows.append((*row[:2], *settings, row[2], *cells, *row[3:]))
    headers = (rank, group, *comparison.differing, score, *interval, *others)
    return TextTable(headers, tuple(rows), (score, *interval, *others))


def interval_text(spread: Spread, least: float, greatest: float) -> str:
    """Return the interval of a mean, of which only what is possible is told; an empty text for a single score."""
    interval = mean_interval(spread, least, greatest)
    return "" if interval is None else f"{interval[0]:z.4f} to {interval[1]:z.4f}"


def table_for_papers(comparison: Comparison) -> TextTable:
    """Return the ranking with settings, without the columns that say nothing in a paper.

    The settings tell the groups apart, so their letters are left out. The ranks are the order of the rows; they stay
    where a group has none.
    """
    table = ranking_with_settings(comparison)
    ranked = all(group.rank is not None for group in comparison.groups)
    left_out = [name for name, out in (("rank", ranked), ("group", bool(comparison.differing))) if out]
    kept = [position for position, name in enumerate(table.headers) if name not in left_out]
    rows = tuple(tuple(row[position] for position in kept) for row in table.rows)
    return replace(table, headers=tuple(table.headers[position] for position in kept), rows=rows)


def caption(comparison: Comparison) -> str:
    """Return what the numbers of the ranking are, in a sentence or two."""
    first = f"{comparison.subset.capitalize()} {comparison.by}"
    if _has_several(comparison):
        first += ": mean ± sample standard deviation over n runs. The interval is the 95 % t-interval of the mean."
        if any(group.over_folds.n < group.spread.n for group in comparison.groups):
            first += " Of a fold with several seeds, the scores are averaged first."
    else:
        first += " of single runs."
    if not any(group.difference for group in comparison.groups):
        return first
    return f"{first} Differences to the best are means over pairs of runs with the same seed and fold."


def differing_table(comparison: Comparison) -> TextTable:
    """Return a row for each setting that differs, with its text in each group."""
    rows = [(name, *values) for name, values in comparison.differing.items()]
    return TextTable(("setting that differs", *(group.label for group in comparison.groups)), tuple(rows))


def left_out_tables(comparison: Comparison) -> Sequence[TextTable]:
    """Return the runs that are in no group, and those that have no rank, with the reasons; tables may be empty."""
    return (
        TextTable(("not compared", "reason"), tuple((str(path), reason) for path, reason in comparison.skipped)),
        TextTable(("not ranked", "scored on"), tuple((str(path), reason) for path, reason in comparison.other_data)),
    )


def transductive_note(comparison: Comparison) -> str:
    """Return what is to be said of transductive groups; an empty text where there is none."""
    return transductive_sentence(", ".join(group.label for group in comparison.groups if group.transductive))


def pairs_note(comparison: Comparison) -> str:
    """Return what is to be said of differences over fewer pairs than runs; an empty text where there is none."""
    best = comparison.groups[0].spread.n
    labels = [
        group.label
        for group in comparison.groups
        if group.difference is not None and 0 < group.difference.pairs < max(group.spread.n, best)
    ]
    if not labels:
        return ""
    return (
        f"Not all runs are in pairs: {', '.join(labels)}. The difference to the best is that of the runs with the same "
        "seed and fold alone, and not that of the means."
    )


def _has_several(comparison: Comparison) -> bool:
    return any(group.spread.n > 1 for group in comparison.groups)


def _bounds(by: str) -> tuple[float, float]:
    """Return the lowest and the highest possible score."""
    if by == HEADLINE:  # known without importing a metric
        return 0.0, 1.0
    return metric_table().bounds(by)


def _cells(difference: Difference | None, most: int, span: float) -> tuple[str, str, str]:
    """Return the cells of a difference. Of its interval, only what is possible is told.

    `most` is the number of runs of the larger one of its groups, and `span` the largest possible difference.
    """
    if difference is None:
        return "", "", ""
    pairs = f"{difference.pairs} of {most}" if 0 < difference.pairs < most else str(difference.pairs)
    if difference.mean is None:
        return "", "no run with the same seed, fold and items", pairs
    if difference.folds is not None:
        pairs += f" in {difference.folds} folds"
    mean = f"{difference.mean:+.4f}"
    if difference.low is None or difference.high is None:
        return mean, "needs at least two pairs", pairs
    return mean, f"{max(difference.low, -span):+.4f} to {min(difference.high, span):+.4f}", pairs
