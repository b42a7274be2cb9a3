"""Write the pages of results: series, comparisons, scores, sweeps and ablations are made of the same parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from markupsafe import Markup

from ..conventions import HEADLINE
from ..experiments.curves import History, curves_of
from ..experiments.summary import Spread
from ..experiments.text_table import TextTable
from .colours import OwnColours, class_colours, hex_code
from .page import HERE, render_template


@dataclass(frozen=True)
class Bar:
    """A bar from 0 to the mean of values between 0 and 1, and a line for their standard deviation."""

    label: str
    spread: Spread

    @property
    def width(self) -> str:
        """Return the length of the bar, in percent of the whole."""
        return f"{100 * self.spread.mean:.1f}"

    @property
    def whisker(self) -> tuple[str, str] | None:
        """Return where the line begins and how long it is, in percent of the whole; None for a single value."""
        if self.spread.std is None:
            return None
        low, high = max(0.0, self.spread.mean - self.spread.std), min(1.0, self.spread.mean + self.spread.std)
        return f"{100 * low:.1f}", f"{100 * (high - low):.1f}"

    @property
    def text(self) -> str:
        """Return the mean and the standard deviation as text."""
        return str(self.spread)


@dataclass(frozen=True)
class ClassBars:
    """The bars of one class, in its colour."""

    name: str
    colour: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Bars:
    """Bars for each class."""

    classes: Sequence[ClassBars]


@dataclass(frozen=True)
class Line:
    """The curves of a run. The lines of one group look the same; the legend names it."""

    name: str
    group: str
    history: History


@dataclass(frozen=True)
class Curves:
    """The curves of runs, laid over each other. The reader chooses which curve is shown."""

    lines: Sequence[Line]

    @property
    def data(self) -> Mapping[str, Any]:
        """Return what the script of the page reads."""
        styles = {group: style for style, group in enumerate(dict.fromkeys(line.group for line in self.lines))}
        lines = [
            {"name": line.name, "group": line.group, "style": styles[line.group], "curves": curves_of(line.history)}
            for line in self.lines
        ]
        return {"lines": lines, "first": f"val_{HEADLINE}"}


@dataclass(frozen=True)
class Links:
    """Texts and the addresses that they lead to."""

    addresses: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Picture:
    """A PNG file, and what it shows."""

    png: bytes
    alt: str
    wide: bool = True


Part: TypeAlias = TextTable | Bars | Curves | Links | Picture | Markup


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading. `Markup` is shown as it is; everything else is escaped."""

    heading: str
    parts: Sequence[Part]
    note: str = ""

    @property
    def drawn(self) -> list[tuple[str, Part]]:
        """Return each part with the name of what it is."""
        return [(type(part).__name__, part) for part in self.parts]


def results_page(title: str, lines: Sequence[str], sections: Sequence[Section]) -> str:
    """Return a page without references to other files: the lines, and below them the sections that have parts."""
    shown = [section for section in sections if section.parts]
    return render_template(HERE, "results.html", title=title, lines=lines, sections=shown)


def class_bars(
    labels: Sequence[str],
    scores: Sequence[Mapping[str, Spread | None]],
    class_names: Sequence[str],
    ignore_classes: Sequence[int],
    own_colours: OwnColours = None,
) -> list[Bars]:
    """Return the bars of the IoU of each class, one for each label; empty if no class has any.

    `scores` has the spread of each score by its name, such as "iou_soil", for each label.
    """
    palette = class_colours(class_names, ignore_classes, own_colours)
    classes = []
    for number, name in enumerate(class_names):
        found = [(label, each.get(f"iou_{name}")) for label, each in zip(labels, scores, strict=True)]
        bars = [Bar(label, spread) for label, spread in found if spread is not None]
        if bars and number not in ignore_classes:
            classes.append(ClassBars(name, hex_code(palette[number]), bars))
    return [Bars(classes)] if classes else []
