"""Write a comparison as CSV: one line for each run, in full precision."""

from __future__ import annotations

import csv
import io

from ..planning.metrics import metric_table
from .comparison import Comparison


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
