"""Draw the effects of an ablation: one row for each choice, grouped by setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..experiments.ablation import Ablation, Effect
from ..experiments.ablation_tables import interval_text
from .canvas import MUTED, NOTE_SIZE, TITLE_SIZE, Format, Target, finish_rows, shortened, verbatim, write
from .colours import FIRST, INK

ROW_HEIGHT = 0.42
BASELINE = FIRST[0]
LONGEST_LABEL = 50
_NOTE: Any = {"fontsize": NOTE_SIZE, "color": MUTED, "bbox": {"color": "white", "alpha": 0.75, "pad": 0.5}}
MOST_ROWS = 120  # an image of more than 65,536 pixels cannot be written, and nobody reads one half as high


def ablation_figure(ablation: Ablation, target: Target, form: Format = "png") -> None:
    """Draw each effect with its interval and the difference of each seed; at most MOST_ROWS of them."""
    rows = _rows(ablation)
    figure = Figure(figsize=(9, 1.7 + ROW_HEIGHT * len(rows)), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
    axes = figure.subplots()
    title = f"Effect on the {ablation.subset} {ablation.by} ({'higher' if ablation.rises else 'lower'} is better)"
    verbatim([axes.set_title(title, loc="left", fontsize=TITLE_SIZE)])
    axes.axvline(0, color=BASELINE, linewidth=1.5)
    limits = _limits([effect for _, effect in rows if effect is not None])
    for row, (_, effect) in enumerate(rows):
        if effect is not None:
            _draw(axes, row, effect, limits)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    verbatim(axes.get_yticklabels())
    for label, (_, effect) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if effect is None else "normal")
    more = len(ablation.effects) - sum(effect is not None for _, effect in rows)
    note = "diamond: mean over the seeds; line: its 95 % interval;\ndot: one seed; arrow: the interval is longer"
    note += f"\n{more:,} more effects are in the table" if more else ""
    finish_rows(axes, note, ticks=7, margin=0.1)
    write(figure, target, form)


def _rows(ablation: Ablation) -> list[tuple[str, Effect | None]]:
    """Return the label of each row, and its effect; None for the heading of a setting."""
    rows: list[tuple[str, Effect | None]] = []
    setting = None
    for effect in ablation.effects[:MOST_ROWS]:
        if effect.setting != setting:
            setting = effect.setting
            rows.append((shortened(f"{setting}: instead of {effect.baseline}", LONGEST_LABEL), None))
        rows.append((shortened(effect.choice, LONGEST_LABEL), effect))
    return rows


def _limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """Return the limits within which intervals are drawn, so that a very wide one does not hide the others."""
    points = [0.0, *(value for effect in effects for value in effect.by_seed.values())]
    low, high = min(points), max(points)
    return 2 * low - high, 2 * high - low


def _draw(axes: Axes, row: int, effect: Effect, limits: tuple[float, float]) -> None:
    if effect.mean is None:
        axes.annotate(interval_text(effect), (0, row), xytext=(6, -3), textcoords="offset points", **_NOTE)
        return
    axes.plot([*effect.by_seed.values()], [row] * len(effect.by_seed), "o", color=INK, alpha=0.3, markersize=5)
    if effect.interval is not None:
        ends = [min(max(end, limits[0]), limits[1]) for end in effect.interval]
        axes.plot(ends, [row, row], color=INK, linewidth=2)
        for end, drawn, arrow in zip(effect.interval, ends, "<>", strict=True):
            if end != drawn:
                axes.plot(drawn, row, arrow, color=INK, markersize=7)
    axes.plot(effect.mean, row, "D", color=INK, markersize=7, markeredgecolor="white")
    note = f"{effect.mean:+.4f}" + ("" if effect.interval is not None else "  (one seed: no interval)")
    axes.annotate(note, (effect.mean, row), xytext=(0, 7), textcoords="offset points", ha="center", **_NOTE)
