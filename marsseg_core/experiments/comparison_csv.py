"""Write a comparison as CSV, in full precision: one line for each run, or for each score of each group."""

from __future__ import annotations

import csv
import io

from ..planning.metrics import metric_table
from .comparison import Comparison, mean_interval
from .summary import spread_over_folds, spreads


def to_csv(comparison: Comparison) -> str:
    """Return a comparison as the text of a CSV file with a header.

    The columns are group, rank, run, seed, fold, the settings that differ, and every score of the compared subset. An
    undefined score is an empty cell, and so is the rank of a group that is scored on other items.
    """
    table, subset = metric_table(), comparison.subset
    runs = [
        (position, group, run.completed(subset, table))
        for position, group in enumerate(comparison.groups)
        for run in group.runs
    ]
    names = dict.fromkeys(name for _, _, run in runs for name in run.scores[subset])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "rank", "run", "seed", "fold", *comparison.differing, *names])
    for position, group, run in runs:
        scores = run.scores[subset]
        settings = [values[position] for values in comparison.differing.values()]
        values = [scores.get(name) for name in names]
        writer.writerow([group.label, group.rank, run.path, run.seed, run.fold, *settings, *values])
    return text.getvalue()


def groups_to_csv(comparison: Comparison) -> str:
    """Return the groups of a comparison as the text of a CSV file with a header: a line for each score of a group.

    The columns are group, rank, the settings that differ, the name of the score, and over the runs that define it:
    mean, sample standard deviation, number of runs, and the ends of the 95 % t-interval of the mean, cut at what is
    possible. Of a fold with several seeds, the interval counts the mean alone. What is undefined is an empty cell.
    """
    table, subset = metric_table(), comparison.subset
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "rank", *comparison.differing, "score", "mean", "std", "n", "low", "high"])
    for position, group in enumerate(comparison.groups):
        settings = [values[position] for values in comparison.differing.values()]
        scores = [run.completed(subset, table).scores[subset] for run in group.runs]
        for name, spread in spreads(scores).items():
            first = [group.label, group.rank, *settings, name]
            if spread is None:
                writer.writerow([*first, None, None, 0, None, None])
                continue
            over_folds = spread_over_folds(
                (run.fold, value)
                for run, values in zip(group.runs, scores, strict=True)
                if (value := values.get(name)) is not None
            )
            low, high = mean_interval(over_folds, *table.bounds(name)) or (None, None)
            writer.writerow([*first, spread.mean, spread.std, spread.n, low, high])
    return text.getvalue()
