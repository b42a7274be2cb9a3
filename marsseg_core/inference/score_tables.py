"""Scores of runs as tables: a column for each run and data set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ..evaluation.intervals import LEAST_PLACES, Intervals
from ..experiments.text_table import TextTable
from ..runs.transductive import transductive_sentence
from .scoring import Score


def scores_table(scores: Sequence[Score]) -> TextTable:
    """Return a row for each score that tables show, over all classes and for each class."""
    records = [score.confusion.to_json() for score in scores]
    rows = []
    for key in dict.fromkeys(chain(*records)):
        if not any(score.table.shows(key) for score in scores):
            continue
        example = next(record[key] for record in records if key in record)
        if key == "per_class":
            rows += _rows_per_class([record.get(key, {}) for record in records], scores)
        elif isinstance(example, dict):
            classes = dict.fromkeys(name for record in records for name in record[key])
            rows += [(f"{key} {name}", *(_cell(record[key].get(name, "")) for record in records)) for name in classes]
        elif not isinstance(example, list):
            rows.append((key, *(_cell(record.get(key, "")) for record in records)))
    columns = labels_of(scores)
    table = TextTable(("score", *columns), tuple(rows), columns)
    intervals = [score.intervals for score in scores if score.intervals is not None]
    return _with_intervals(table, intervals) if intervals else table


def _with_intervals(table: TextTable, intervals: Sequence[Intervals]) -> TextTable:
    """Return the table with a column of intervals after that of each score."""
    texts = [_interval_texts(each) for each in intervals]
    name, *columns = table.headers
    headers = tuple(chain(*((column, f"{column}, 95 % interval") for column in columns)))
    rows = tuple(
        (row, *chain(*((cell, its.get(row, "")) for cell, its in zip(cells, texts, strict=True))))
        for row, *cells in table.rows
    )
    return TextTable((name, *headers), rows, headers)


def _interval_texts(intervals: Intervals) -> dict[str, str]:
    """Return the cells of the intervals, by the names of their rows."""
    rows = {"miou": (intervals.miou, intervals.places)}
    rows |= {f"iou {name}": (each, intervals.places_of_class[name]) for name, each in intervals.iou.items()}
    return {
        name: f"too few {intervals.resampled}: {number}" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"
        for name, (ends, number) in rows.items()
    }


def labels_of(scores: Sequence[Score]) -> tuple[str, ...]:
    """Name scores by the run, the data or both, whichever differ; a single one by its subset."""
    differ = [len({getattr(score, name) for score in scores}) > 1 for name in ("run", "data")]
    if len(scores) == 1 or not any(differ):
        return tuple(score.subset for score in scores)
    return tuple(
        " on ".join(name for name, differs in zip((score.run, score.data), differ, strict=True) if differs)
        for score in scores
    )


def notes_below(scores: Sequence[Score]) -> list[str]:
    """Return what stands with the table: a line for each score, and one about transductive runs if there are any."""
    transductive = ", ".join(dict.fromkeys(score.run for score in scores if score.transductive))
    return [*map(_origin_of, scores), *filter(None, [transductive_sentence(transductive)])]


def _origin_of(score: Score) -> str:
    """Return which run was scored on what, and how, in one line."""
    offsets = f", decoding: {decoding_text(score)}" if score.decoding.offsets else ""
    flips = ", test-time augmentation" if score.tta else ""
    what = f"{score.subset} of {score.data}"
    if score.other_masks:
        what = f"the run's {score.subset} images, with the masks of {score.data}"
    trained = "" if score.trained is None else f" ({score.trained})"
    transductive = ", transductive" if score.transductive else ""
    return f"{score.run}: {what}{trained}{offsets}{flips}{transductive}{_resampled(score.intervals)}"


def _resampled(intervals: Intervals | None) -> str:
    """Return what intervals are drawn from, as the end of a line."""
    if intervals is None:
        return ""
    if intervals.miou is None:
        return f"; no interval: it needs {LEAST_PLACES} {intervals.resampled} with labels, not {intervals.places:,}"
    return f"; 95 % intervals: bootstrap over {intervals.places:,} {intervals.resampled}, {intervals.draws:,} draws"


def decoding_text(score: Score) -> str:
    """Return how logits became classes, with the names of the classes."""
    return score.decoding.describe(score.confusion.class_names)


def _rows_per_class(values: list[dict[str, dict[str, Any]]], scores: Sequence[Score]) -> list[tuple[str, ...]]:
    """Make the rows of the requested metrics with a value for each class: one row for each metric and class."""
    words = [word for word in dict.fromkeys(chain(*values)) if any(score.table.shows(f"{word}_") for score in scores)]
    return [
        (f"{word} {name}", *(_cell(each.get(word, {}).get(name, "")) for each in values))
        for word in words
        for name in dict.fromkeys(chain(*(each.get(word, {}) for each in values)))
    ]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:z.4f}"
    return "undefined" if value is None else f"{value:,}" if isinstance(value, int) else value
