"""Show runs, series, scores, comparisons, plans, data and components in a notebook: HTML with the figures inside.

What is shown fits a screen: long tables scroll. A higher layer registers functions of its own with `html_of`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import singledispatch
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from ..conventions import HEADLINE
from ..data.arrays import SegmentationData
from ..errors import MarssegError, counted
from ..evaluation.confusion import Confusion
from ..experiments.comparison import Comparison
from ..experiments.comparison_tables import differing_table, left_out_tables, ranking_table, transductive_note
from ..experiments.differing import ABSENT
from ..experiments.series import Series
from ..experiments.text_table import TextTable
from ..files.run_folder import RunFolder
from ..planning.metrics import MetricTable, metric_table
from ..planning.plan import Plan
from ..registry.listing import ComponentList
from ..runs.metric_values import metric_values, score_text
from ..runs.run import Run
from .canvas import Target, shortened
from .colours import OwnColours, class_colours, hex_code, paint
from .comparison import comparison_figure
from .curves import learning_curves
from .matrix import confusion_figure
from .page import HERE, render_template
from .panels import brightened
from .series_curves import Curve, series_curves
from .series_page import PAGE

# The number of images of a data set that are shown, and their width in pixels.
_IMAGES: Final = 4
_IMAGE_WIDTH: Final = 160

_FOLD_LETTERS: Final = 100


@dataclass(frozen=True)
class Heading:
    """A bold title, and a line below it."""

    title: str
    line: str


@dataclass(frozen=True)
class Table:
    """Rows of text. A cell such as "#d55e00" is shown in this colour. A table with a `fold` opens with a click."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    fold: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that is shown in a width in pixels."""

    png: bytes
    title: str
    width: int


@dataclass(frozen=True)
class Together:
    """Pictures side by side, such as an image and its mask, which no line break divides."""

    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Link:
    """A link to a file, by its path from the working directory, where a notebook is."""

    text: str
    path: str


Part = Heading | Table | Picture | Together | Link


@singledispatch
def html_of(value: Any) -> str:
    """Return the HTML of an object."""
    raise TypeError(f"a {type(value).__name__} cannot be shown as HTML")


@html_of.register
def _run(run: Run) -> str:
    data = run.data
    parts: list[Part] = [Heading(str(run.path), line_of(run.summary, run.note))]
    parts += _score_table(run.scores, run.plan.metrics)
    if run.history:
        parts.append(
            figure(
                lambda target: learning_curves(
                    run.history,
                    target,
                    class_names=data.class_names,
                    ignore_classes=data.ignore_classes,
                    own_colours=data.class_colours,
                    best_epoch=run.best_epoch,
                ),
                "Learning curves",
                width=700,
            )
        )
    if run.scores:
        subset, confusion = list(run.scores.items())[-1]
        parts.append(_matrix(confusion, f"Confusion matrix of the {subset} subset", data.class_colours))
    return whole(parts)


@html_of.register
def _confusion(confusion: Confusion) -> str:
    table = metric_table()
    always = {metric.entry.name for metric in table.computed()}
    table = replace(table, asked=frozenset(confusion.to_json()) - always)
    parts: list[Part] = [
        Heading(counted(len(confusion.per_image), "image"), ""),
        *_score_table({"value": confusion}, table),
    ]
    return whole([*parts, _matrix(confusion, "Confusion matrix")])


@html_of.register
def _comparison(comparison: Comparison) -> str:
    line = line_of(counted(len(comparison.groups), "group"), transductive_note(comparison))
    return whole(
        [
            Heading(f"{comparison.subset} {comparison.by}", line),
            _table(ranking_table(comparison)),
            *([_table(differing_table(comparison))] if comparison.differing else []),
            figure(lambda target: comparison_figure(comparison, target), "Comparison", width=800),
            *map(_table, left_out_tables(comparison)),
        ]
    )


@html_of.register
def _series(series: Series) -> str:
    subsets, table = series.subsets(), metric_table()
    names = dict.fromkeys(name for scores in subsets.values() for name in scores if table.shows(name))
    rows = [(table.spaced(name), *(str(scores.get(name) or ABSENT) for scores in subsets.values())) for name in names]
    parts: list[Part] = [
        Heading(str(series.path), line_of(series.summary, series.note)),
        Table(("score", *subsets), rows),
    ]
    if curves := _curves_of(series):
        parts.append(figure(lambda target: series_curves(curves, target), "Curves of the runs", width=700))
    if (page := series.path / PAGE).is_file():
        parts.append(Link("All scores and curves, as a page", os.path.relpath(page)))
    return whole(parts)


def _curves_of(series: Series) -> dict[str, Curve]:
    """Return what is drawn of each finished run; nothing of a run whose files are missing or damaged."""
    curves = {}
    for name in series.finished:
        with suppress(MarssegError):
            history = RunFolder(series.path / name).read_history()
            curves[name] = Curve(history, str(series.metrics[name].get("best_by", f"val_{HEADLINE}")))
    return curves


@html_of.register
def _plan(plan: Plan) -> str:
    return whole(
        [Heading("Plan", plan.summary), Table(("setting", "value", "origin"), plan.rows(), fold="All settings")]
    )


@html_of.register
def _data(data: SegmentationData) -> str:
    counts = data.label_counts.sum(axis=0)
    shares = counts / max(1, counts.sum())
    colours = class_colours(data.class_names, data.ignore_classes, data.class_colours)
    rows = [
        (name, hex_code(colours[c]), f"{shares[c]:.2%}", "ignored" if c in data.ignore_classes else "")
        for c, name in enumerate(data.class_names)
    ]
    rows.append(("void", "", f"{shares[-1]:.2%}", ""))
    items = np.linspace(0, len(data) - 1, min(_IMAGES, len(data))).astype(int)
    pictures = [
        Together(
            [
                _picture(brightened(data.images[item]), f"image {data.name(item)}"),
                _picture(paint(data.masks[item], colours), f"mask {data.name(item)}"),
            ]
        )
        for item in items.tolist()
    ]
    return whole([Heading("Data", data.summary), Table(("class", "colour", "share", ""), rows), *pictures])


@html_of.register
def _components(components: ComponentList) -> str:
    parts: list[Part] = [Heading("Components", components.summary)]
    for kind, members in components.by_kind().items():
        rows = [(each.name, each.summary, each.provider, each.status) for each in members]
        fold = shortened(f"{kind}: {', '.join(each.name for each in members)}", _FOLD_LETTERS)
        parts.append(Table(("name", "summary", "provider", "status"), rows, fold=fold))
    return whole(parts)


def _matrix(confusion: Confusion, title: str, own_colours: OwnColours = None) -> Picture:
    return figure(
        lambda target: confusion_figure(
            confusion.restricted,
            confusion.class_names,
            target,
            ignore_classes=confusion.ignore_classes,
            own_colours=own_colours,
            title=title,
        ),
        title,
        width=480,
    )


def _table(table: TextTable) -> Table:
    return Table(table.headers, table.rows)


def _score_table(scores: dict[str, Confusion], table: MetricTable) -> list[Table]:
    """Return a table with a row for each score that tables show, as on the command line; empty without scores."""
    if not scores:
        return []
    table = table.for_data(next(iter(scores.values())).ignore_classes)
    values = [metric_values(confusion.to_json()) for confusion in scores.values()]
    names = dict.fromkeys(name for each in values for name in each if table.shows(name))
    rows = [(table.spaced(name), *(score_text(each.get(name), ABSENT) for each in values)) for name in names]
    return [Table(("score", *scores), rows)]


def figure(draw: Callable[[Target], None], title: str, *, width: int) -> Picture:
    """Return a figure as a picture; `draw` writes it to a file for bytes."""
    content = BytesIO()
    draw(content)
    return Picture(content.getvalue(), title, width)


def _picture(picture: np.ndarray, title: str) -> Picture:
    content = BytesIO()
    Image.fromarray(picture).save(content, format="png")
    return Picture(content.getvalue(), title, _IMAGE_WIDTH)


def line_of(summary: str, note: str) -> str:
    """Return a summary, and behind it a note where there is one."""
    return f"{summary}. {note}" if note else summary


def whole(parts: Iterable[Part]) -> str:
    """Return the HTML of an object from its parts."""
    return render_template(HERE, "notebook.html", parts=[(type(part).__name__.lower(), part) for part in parts])
