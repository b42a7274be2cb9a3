"""The report as one HTML file that needs nothing beside it: no script, no link, figures inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import HEADLINE, MetricTable, colours, metric_table, render_template

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

    def png_bytes(self) -> bytes:
        return self.png if isinstance(self.png, bytes) else Path(self.png).read_bytes()


def render_page(
    *,
    title: str,
    metrics: Mapping[str, Any],
    class_names: Sequence[str],
    ignore_classes: Collection[int],
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
    parts = {name: metrics["parts"][name] for name in PARTS if name in metrics["parts"]}
    table = table or metric_table()
    return render_template(
        "marsseg_plugins.observers.report",
        "page.html",
        title=title,
        interrupted=metrics["status"] == "interrupted",
        headline=_headline(metrics, table),
        parts=[{"name": name, "images": _images(part), "purpose": PARTS[name]} for name, part in parts.items()],
        readings=[
            {
                "label": table.label(key),
                "explanation": table.explanation(key),
                "first": key == HEADLINE,
                "scores": [_number(part.get(key)) for part in parts.values()],
            }
            for key in dict.fromkeys(chain(*parts.values()))
            if key in table.resolved and table.shows(key)
        ],
        classes=_classes(parts, class_names, ignore_classes),
        no_value=NO_VALUE,
        figures=figures,
        plan=plan,
        facts=_flat(environment),
    )


def _headline(metrics: Mapping[str, Any], table: MetricTable) -> dict[str, str]:
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
    label = table.label(HEADLINE)
    return {"score": _number(score), "label": label, "part": name, "meaning": meaning, "trained": trained}


def _images(part: Mapping[str, Any]) -> str:
    count = part.get("images")
    return "all images" if count is None else f"{count:,} image{'' if count == 1 else 's'}"


def _classes(
    parts: Mapping[str, Mapping[str, Any]], class_names: Sequence[str], ignore_classes: Collection[int]
) -> list[dict[str, Any]]:
    """The rows of the classes that count: name, colour, and what each part says of it."""
    palette = colours.class_colours(len(class_names), ignore_classes)
    return [
        {
            "name": name,
            "colour": colours.hex_code(palette[index]),
            "cells": [_cell(part, name) for part in parts.values()],
        }
        for index, name in enumerate(class_names)
        if index not in ignore_classes
    ]


def _cell(part: Mapping[str, Any], name: str) -> dict[str, str]:
    support = part.get("support", {})
    count, total = support.get(name), sum(value or 0 for value in support.values())
    return {
        "iou": _number(part.get("iou", {}).get(name)),
        "pixels": NO_VALUE if count is None else f"{count:,} px",
        "share": f"{100 * count / total:.1f} %" if count else "",
    }


def _number(value: float | None) -> str:
    # NaN is the one value that differs from itself.
    return NO_VALUE if value is None or value != value else f"{value:.4f}"


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
