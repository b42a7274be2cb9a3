"""Runs, scores, comparisons, plans and data as a notebook shows them: small HTML with the figures inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import singledispatch
from html import escape
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from ..data.arrays import SegmentationData
from ..evaluation.confusion import Confusion
from ..experiments.comparison import ABSENT, Comparison
from ..experiments.series import Series
from ..planning.plan import Plan
from ..runs.run import Run
from .canvas import Target
from .colours import class_colours, hex_code, paint
from .comparison import comparison_figure
from .curves import learning_curves
from .matrix import confusion_figure
from .panels import brightened

# How many images of a data set are shown, and how wide.
_IMAGES: Final = 4
_IMAGE_WIDTH: Final = 160

_SCORES: Final = ("miou", "miou_an2dl", "miou_all", "miou_per_image", "accuracy")


@singledispatch
def html_of(shown: Any) -> str:
    """Give the HTML of a run, a series, a comparison, scores, a plan or data."""
    raise TypeError(f"nothing says how a {type(shown).__name__} is shown")


@html_of.register
def _run(run: Run) -> str:
    names, ignored = run.data.class_names, run.data.ignored
    parts = [_heading(str(run.path), run.summary), _score_table(run.scores)]
    if run.history:
        parts.append(
            _figure(
                lambda target: learning_curves(
                    run.history, target, class_names=names, ignored=ignored, best_epoch=run.best_epoch
                ),
                "Learning curves",
                width=700,
            )
        )
    if run.scores:
        part, confusion = list(run.scores.items())[-1]
        parts.append(_matrix(confusion, f"Confusion matrix of the {part} part"))
    return _whole(parts)


@html_of.register
def _confusion(confusion: Confusion) -> str:
    parts = [_heading(f"{len(confusion.per_image)} images", ""), _score_table({"value": confusion})]
    return _whole([*parts, _matrix(confusion, "Confusion matrix")])


@html_of.register
def _comparison(comparison: Comparison) -> str:
    rows = [
        (
            str(group.rank or ABSENT),
            comparison.title(group),
            str(group.spread),
            str(group.spread.n),
            ABSENT if group.difference is None or group.difference.mean is None else f"{group.difference.mean:+.4f}",
        )
        for group in comparison.groups
    ]
    left_out = [*comparison.apart, *comparison.elsewhere]
    return _whole(
        [
            _heading(f"{comparison.part} {comparison.by}", f"{len(comparison.groups)} groups"),
            _table(("rank", "group", comparison.by, "runs", "to the best"), rows),
            _figure(lambda target: comparison_figure(comparison, target), "Comparison", width=800),
            _table(("run", "why it is not ranked"), [(str(path), reason) for path, reason in left_out]),
        ]
    )


@html_of.register
def _series(series: Series) -> str:
    parts = series.parts()
    names = dict.fromkeys(name for found in parts.values() for name in found)
    rows = [(name, *(str(found.get(name) or ABSENT) for found in parts.values())) for name in names]
    return _whole([_heading(str(series.path), series.summary), _table(("score", *parts), rows)])


@html_of.register
def _plan(plan: Plan) -> str:
    return _whole([_heading("Plan", plan.summary), _table(("setting", "value", "origin"), plan.rows(), folded=True)])


@html_of.register
def _data(data: SegmentationData) -> str:
    counts = data.label_counts.sum(axis=0)
    shares = counts / max(1, counts.sum())
    colours = class_colours(data.num_classes, data.ignored)
    rows = [
        (name, hex_code(colours[c]), f"{shares[c]:.2%}", "ignored" if c in data.ignored else "")
        for c, name in enumerate(data.class_names)
    ]
    rows.append(("void", "", f"{shares[-1]:.2%}", ""))
    items = np.linspace(0, len(data) - 1, min(_IMAGES, len(data))).astype(int)
    pictures = [
        _picture(picture, f"{what} {item}")
        for item in items.tolist()
        for what, picture in (("image", brightened(data.images[item])), ("mask", paint(data.masks[item], colours)))
    ]
    return _whole([_heading("Data", data.summary), _table(("class", "colour", "share", ""), rows), *pictures])


def _matrix(confusion: Confusion, title: str) -> str:
    return _figure(
        lambda target: confusion_figure(
            confusion.restricted, confusion.class_names, target, ignored=confusion.ignored, title=title
        ),
        title,
        width=480,
    )


def _score_table(scores: dict[str, Confusion]) -> str:
    if not scores:
        return ""
    found = [confusion.to_json() for confusion in scores.values()]
    rows = [(name, *(_number(each[name]) for each in found)) for name in _SCORES]
    rows += [(f"iou {name}", *(_number(each["iou"][name]) for each in found)) for name in found[0]["iou"]]
    return _table(("score", *scores), rows)


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.4f}"


def _heading(title: str, line: str) -> str:
    return f"<p><b>{escape(title)}</b><br>{escape(line)}</p>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], *, folded: bool = False) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_cell(text)}</td>' for text in row)}</tr>" for row in rows)
    if not body:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details><summary>Every value</summary>{table}</details>" if folded else table


def _cell(text: str) -> str:
    """A text; a colour as a patch of it."""
    if len(text) == 7 and text[0] == "#":
        return f'<span style="background:{escape(text)};padding:0 1em">&nbsp;</span>'
    return escape(text)


def _figure(draw: Callable[[Target], None], title: str, *, width: int) -> str:
    content = BytesIO()
    draw(content)
    return _img(content, title, width)


def _picture(picture: np.ndarray, title: str) -> str:
    content = BytesIO()
    Image.fromarray(picture).save(content, format="png")
    return _img(content, title, _IMAGE_WIDTH)


def _img(content: BytesIO, title: str, width: int) -> str:
    code = b64encode(content.getvalue()).decode()
    style = f"width:{width}px;max-width:100%;display:inline-block"
    return f'<img alt="{escape(title)}" title="{escape(title)}" style="{style}" src="data:image/png;base64,{code}">'


def _whole(parts: Iterable[str]) -> str:
    return f'<div class="marsseg">{"".join(parts)}</div>'
