"""The report as one HTML file that needs nothing beside it: no script, no link, figures inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import HEADLINE, MetricTable, colours, fill_page, metric_table

NO_VALUE = "–"

# Parts in the order of their columns, each with what it was for.
PARTS = {"validation": "chose the best epoch", "test": "chose nothing"}


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page: PNG bytes or the path of a PNG file. A wide one scrolls sideways on a phone."""

    heading: str
    caption: str
    png: bytes | str | PathLike[str]
    wide: bool = True


def render_page(
    *,
    title: str,
    metrics: Mapping[str, Any],
    class_names: Sequence[str],
    ignored: Collection[int],
    figures: Sequence[PageFigure],
    plan: str,
    environment: Mapping[str, Any],
    table: MetricTable | None = None,
) -> str:
    """The whole page as HTML text.

    `metrics` is the content of `metrics.json` (None for undefined values), `plan` the plan as TOML, `environment`
    facts by name, nested or not, `table` the metrics (those that are installed). All text is shown as it is,
    whatever it holds.
    """
    return fill_page(
        "marsseg_plugins.observers.report",
        "page.html",
        title=escape(title),
        notice=_notice(metrics),
        headline=_headline(metrics, table := table or metric_table()),
        scores=_readings_table(metrics["parts"], table) + _classes_table(metrics["parts"], class_names, ignored),
        figures="\n".join(map(_figure, figures)),
        plan=escape(plan),
        environment=_facts(environment),
    )


def _notice(metrics: Mapping[str, Any]) -> str:
    if metrics["status"] != "interrupted":
        return ""
    return (
        '<p class="notice"><strong>This run was interrupted.</strong> The test part has not been scored; '
        "validation scores are of the best epoch so far.</p>"
    )


def _headline(metrics: Mapping[str, Any], table: MetricTable) -> str:
    parts = metrics["parts"]
    name = "test" if "test" in parts else "validation"
    part = parts.get(name, {})
    score = part.get(HEADLINE)
    best_by = str(metrics.get("best_by", HEADLINE)).removeprefix("val_")
    best, epochs = metrics.get("best_epoch"), metrics.get("epochs")
    trained = f"Trained for {epochs} epoch{'' if epochs == 1 else 's'}"
    trained += f"; the network kept is that of epoch {best}, the best by {best_by}." if best is not None else "."
    if score is None:
        meaning = "No score: no labelled ground was evaluated."
    else:
        meaning = (
            f"On the labelled ground of the {name} part ({_images(part)}), predicted and true area of a class overlap "
            f"by {100 * score:.0f} % (intersection over union, the mean over the classes)."
        )
    if name == "validation":
        meaning += " This part chose the epoch, so the figure is optimistic."
    return (
        f'<div class="score">{_number(score)} <small>{escape(table.label(HEADLINE))}, {name} part</small></div>\n'
        f'<p>{meaning}</p>\n<p class="muted">{escape(trained)}</p>'
    )


def _images(part: Mapping[str, Any]) -> str:
    count = part.get("images")
    return "all images" if count is None else f"{count:,} image{'' if count == 1 else 's'}"


def _readings_table(parts: Mapping[str, Any], table: MetricTable) -> str:
    shown = [name for name in PARTS if name in parts]
    head = "".join(
        f'<th class="number" scope="col">{name}<small>{_images(parts[name])}</small><small>{PARTS[name]}</small></th>'
        for name in shown
    )
    rows = []
    for key in [key for key in dict.fromkeys(chain(*parts.values())) if key in table.chosen and table.shows(key)]:
        values = "".join(f'<td class="number">{_number(parts[name].get(key))}</td>' for name in shown)
        style = ' class="first"' if key == HEADLINE else ""
        rows.append(f'<tr{style}><th scope="row">{escape(table.label(key))}</th>{values}</tr>')
        rows.append(f'<tr class="note"><td colspan="{1 + len(shown)}">{escape(table.explanation(key))}</td></tr>')
    return _table(f'<th scope="col">reading</th>{head}', rows)


def _classes_table(parts: Mapping[str, Any], class_names: Sequence[str], ignored: Collection[int]) -> str:
    shown = [name for name in PARTS if name in parts]
    head = "".join(f'<th class="number" scope="col">{name}<small>IoU, support</small></th>' for name in shown)
    palette = colours.class_colours(len(class_names), ignored)
    rows = []
    for index, name in enumerate(class_names):
        if index in ignored:
            continue
        swatch = f'<span class="swatch" style="background:{colours.hex_code(palette[index])}"></span>'
        cells = "".join(_class_cell(parts[part], name) for part in shown)
        rows.append(f'<tr><th scope="row">{swatch}{escape(name)}</th>{cells}</tr>')
    note = (
        '<h3>Per class</h3>\n<p class="muted">IoU: pixels both predicted and true, over pixels predicted or true. '
        f"Support: labelled pixels of the class. {NO_VALUE}: the class is in neither.</p>\n"
    )
    return note + _table(f'<th scope="col">class</th>{head}', rows)


def _class_cell(part: Mapping[str, Any], name: str) -> str:
    support = part.get("support", {})
    count, total = support.get(name), sum(value or 0 for value in support.values())
    share = f"<small>{100 * count / total:.1f} %</small>" if count else ""
    pixels = NO_VALUE if count is None else f"{count:,} px"
    return f'<td class="number">{_number(part.get("iou", {}).get(name))}<small>{pixels}</small>{share}</td>'


def _table(head: str, rows: Sequence[str]) -> str:
    body = "\n".join(rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n'


def _number(value: float | None) -> str:
    # NaN is the one value that differs from itself.
    return NO_VALUE if value is None or value != value else f"{value:.4f}"


def _figure(figure: PageFigure) -> str:
    png = figure.png if isinstance(figure.png, bytes) else Path(figure.png).read_bytes()
    width = "wide" if figure.wide else "narrow"
    heading, caption = escape(figure.heading), escape(figure.caption)
    return (
        f'<figure>\n<h3>{heading}</h3>\n<div class="scroll"><img class="{width}" alt="{heading}" '
        f'src="data:image/png;base64,{b64encode(png).decode("ascii")}"></div>\n'
        f"<figcaption>{caption}</figcaption>\n</figure>"
    )


def _facts(environment: Mapping[str, Any]) -> str:
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td class="fact">{escape(value)}</td></tr>'
        for name, value in _flat(environment)
    ]
    return _table('<th scope="col">what</th><th scope="col">value</th>', rows)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, text), in their order."""
    flat = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{name}.")
        else:
            several = isinstance(value, list | tuple)
            text = ", ".join(map(str, value)) if several else NO_VALUE if value is None else str(value)
            flat.append((prefix + str(name), text))
    return flat
