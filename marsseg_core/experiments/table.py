"""A comparison as CSV: one line for each run, in full precision."""

from __future__ import annotations

import csv
import io

from ..planning.metrics import metric_table
from .comparison import Comparison


def to_csv(comparison: Comparison) -> str:
    """RunGroup, rank, run, seed, fold, the settings that differ, and every reading of the compared part.

    An undefined reading, or the rank of a group scored on other items, is left empty.
    """
    table, part = metric_table(), comparison.part
    runs = [
        (position, group, run.completed(part, table))
        for position, group in enumerate(comparison.groups)
        for run in group.runs
    ]
    readings = dict.fromkeys(name for _, _, run in runs for name in run.readings[part])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "rank", "run", "seed", "fold", *comparison.differing, *readings])
    for position, group, run in runs:
        scores = run.readings[part]
        settings = [values[position] for values in comparison.differing.values()]
        values = [scores.get(name) for name in readings]
        writer.writerow([group.label, group.rank, run.path, run.seed, run.fold, *settings, *values])
    return text.getvalue()
