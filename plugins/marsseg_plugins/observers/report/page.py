"""Render the report as a single HTML file, without scripts and links, and with the figures inside."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import HEADLINE, MetricTable, colours, counted, metric_table, render_template

NO_VALUE = "–"

# The subsets in the order of their columns, each with its role in the training.
SUBSETS = {"validation": "chose the best epoch", "test": "not used for any choice"}


@dataclass(frozen=True)
class PageFigure:
    """Hold a figure of the page: PNG bytes or the path of a PNG file. A wide figure is as wide as the page."""

    heading: str
    caption: str
    png: bytes | str | PathLike[str]
    wide: bool = True

    def png_bytes(self) -> bytes:
        """Return the PNG file as bytes."""
        return self.png if isinstance(self.png, bytes) else Path(self.png).read_bytes()


def render_page(
    *,
    title: str,
    metrics: Mapping[str, Any],
    class_names: Sequence[str],
    ignore_classes: Collection[int],
    own_colours: colours.OwnColours = None,
    figures: Sequence[PageFigure],
    plan: str,
    environment: Mapping[str, Any],
    header: Sequence[tuple[str, str]] = (),
    table: MetricTable | None = None,
    decoding: str = "argmax",
) -> str:
    """Return the page as HTML text. All text from plugins and data is escaped.

    `metrics` is the content of `metrics.json`, with None for undefined values. `plan` is the plan as TOML.
    `environment` maps names to values, which may be mappings themselves; the command in it is shown as one line.
    `header` has names and values to show beside the score. `table` holds the metrics; None means the
    installed ones. `decoding` says how logits became classes.
    """
    subsets = {name: metrics["subsets"][name] for name in SUBSETS if name in metrics["subsets"]}
    table = (table or metric_table()).for_data(ignore_classes)
    return render_template(
        "marsseg_plugins.observers.report",
        "page.html",
        title=title,
        interrupted=metrics["status"] == "interrupted",
        transductive=bool(metrics.get("transductive")),
        headline=_headline(metrics, table, decoding),
        subsets=[
            {"name": name, "images": _images(subset), "purpose": _purpose(name, metrics)}
            for name, subset in subsets.items()
        ],
        metrics=[
            {
                "label": table.label(key),
                "explanation": table.explanation(key),
                "first": key == HEADLINE,
                "scores": [_number(subset.get(key)) for subset in subsets.values()],
            }
            for key in dict.fromkeys(chain(*subsets.values()))
            if key in table.resolved and table.shows(key)
        ],
        classes=_classes(subsets, class_names, ignore_classes, own_colours),
        no_value=NO_VALUE,
        figures=figures,
        header=header,
        command=_command(environment.get("command") or ()),
        plan=plan,
        facts=_flat(environment),
    )


def _purpose(subset: str, metrics: Mapping[str, Any]) -> str:
    return "scored after each epoch" if subset == "validation" and "kept" in metrics else SUBSETS[subset]


def _headline(metrics: Mapping[str, Any], table: MetricTable, decoding: str) -> dict[str, str]:
    subsets = metrics["subsets"]
    name = "test" if "test" in subsets else "validation"
    subset = subsets.get(name, {})
    score = subset.get(HEADLINE)
    best_by = str(metrics.get("best_by", HEADLINE)).removeprefix("val_")
    best, epochs = metrics.get("best_epoch"), metrics.get("epochs")
    trained = f"Trained for {epochs} epoch{'' if epochs == 1 else 's'}"
    choice = "the last" if "kept" in metrics else f"the best by {best_by}"
    trained += f"; the saved network is that of epoch {best}, {choice}." if best is not None else "."
    if score is None:
        meaning = "There is no score, because no labelled pixels were evaluated."
    else:
        meaning = (
            f"On the labelled pixels of the {name} subset ({_images(subset)}), predicted and true area of a class "
            f"overlap by {100 * score:.0f} % (intersection over union, the mean over the classes)."
        )
    if name == "validation" and "kept" not in metrics:
        meaning += " This subset was used to choose the epoch, so the score is optimistic."
    if name in (plain := metrics.get("argmax", {})):
        source = "to give each class the area that the network expects"
        source = source if metrics.get("decoding") == "shares" else "on the validation subset"
        trained += f" Decoding, chosen {source}: {decoding}; with argmax, the {name} subset has "
        trained += f"{_number(plain[name].get(HEADLINE))}."
    label = table.label(HEADLINE)
    return {"score": _number(score), "label": label, "subset": name, "meaning": meaning, "trained": trained}


def _command(words: Sequence[str]) -> str:
    """Return the command of the run as a line for a shell, with the name of the program instead of its path.

    The command line is called marsseg, also where it was started as a module: `python -m marsseg_core`.
    """
    if not words:
        return ""
    program = Path(words[0])
    is_module = program.parts[-2:] == ("marsseg_core", "__main__.py")
    return shlex.join(["marsseg" if is_module else program.name, *words[1:]])


def _images(subset: Mapping[str, Any]) -> str:
    count = subset.get("images")
    return "all images" if count is None else counted(count, "image")


def _classes(
    subsets: Mapping[str, Mapping[str, Any]],
    class_names: Sequence[str],
    ignore_classes: Collection[int],
    own_colours: colours.OwnColours,
) -> list[dict[str, Any]]:
    """Return the rows of the classes that are not ignored: name, colour, and a cell for each subset."""
    palette = colours.class_colours(class_names, ignore_classes, own_colours)
    return [
        {
            "name": name,
            "colour": colours.hex_code(palette[index]),
            "cells": [_cell(subset, name) for subset in subsets.values()],
        }
        for index, name in enumerate(class_names)
        if index not in ignore_classes
    ]


def _cell(subset: Mapping[str, Any], name: str) -> dict[str, str]:
    support = subset.get("support", {})
    count, total = support.get(name), sum(value or 0 for value in support.values())
    return {
        "iou": _number(subset.get("iou", {}).get(name)),
        "pixels": NO_VALUE if count is None else f"{count:,} px",
        "share": f"{100 * count / total:.1f} %" if count else "",
    }


def _number(value: float | None) -> str:
    # Only NaN differs from itself.
    return NO_VALUE if value is None or value != value else f"{value:.4f}"


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested mappings to pairs of dotted name and text, in their order."""
    flat = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{name}.")
        else:
            is_list = isinstance(value, list | tuple)
            text = ", ".join(map(str, value)) if is_list else NO_VALUE if value is None else str(value)
            flat.append((prefix + str(name), text))
    return flat
