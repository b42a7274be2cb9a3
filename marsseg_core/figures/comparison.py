"""Draw a comparison of runs: the scores of each group, and its difference to the best group."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..experiments.comparison import Comparison, RunGroup
from ..files.waiting import waiting
from .canvas import MUTED, NOTE_SIZE, TITLE_SIZE, Target, finish_rows, shortened, verbatim, write
from .colours import FIRST, INK

ROW_HEIGHT = 0.55
BEST = FIRST[0]
LONGEST_TITLE = 60
MOST_ROWS = 100  # an image of more than 65,536 pixels cannot be written, and nobody reads one half as high


@waiting("Drawing the figure")
def comparison_figure(comparison: Comparison, target: Target) -> None:
    """Draw a row for each group, the best on top; of many groups, only the best MOST_ROWS.

    The left panel has the score of each run, the mean and the standard deviation. If a group has a paired difference to
    the best one, a second panel has the mean differences with their 95 % intervals.
    """
    groups = comparison.groups[:MOST_ROWS]
    paired = [group for group in groups if group.difference is not None and group.difference.mean is not None]
    figure = Figure(
        figsize=(11 if paired else 7.5, 1.9 + ROW_HEIGHT * len(groups)),
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1),
    )
    if paired:
        scores, differences = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        _draw_differences(differences, groups)
    else:
        scores = figure.subplots()
    _draw_scores(scores, comparison, groups)
    write(figure, target)


def _draw_scores(axes: Axes, comparison: Comparison, groups: Sequence[RunGroup]) -> None:
    more = len(comparison.groups) - len(groups)
    title = f"{comparison.subset} {comparison.by}" + (
        f": the best {len(groups)} of {len(comparison.groups):,}" if more else ""
    )
    verbatim([axes.set_title(title, loc="left", fontsize=TITLE_SIZE)])
    for row, group in enumerate(groups):
        colour = _colour(group)
        spread = group.spread
        axes.plot(group.values, [row] * len(group.values), "o", color=colour, alpha=0.35, markersize=6, linestyle="")
        if spread.std is not None:
            axes.plot([spread.mean - spread.std, spread.mean + spread.std], [row, row], color=colour, linewidth=2)
        axes.plot(spread.mean, row, "D", color=colour, markersize=7, markeredgecolor="white")
        axes.annotate(
            f"{spread}  (n={spread.n})" + ("" if group.rank is not None else "  on other items"),
            (spread.mean, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=NOTE_SIZE,
            color=MUTED,
        )
    axes.set_yticks(range(len(groups)), [shortened(comparison.title(g), LONGEST_TITLE) for g in groups])
    axes.set_ylim(len(groups) - 0.4, -0.7)
    verbatim(axes.get_yticklabels())
    finish_rows(axes, "dot: one run; diamond: mean;\nline: ± one standard deviation", ticks=4, margin=0.15)


def _draw_differences(axes: Axes, groups: Sequence[RunGroup]) -> None:
    axes.set_title(f"Difference to {groups[0].label}", loc="left", fontsize=TITLE_SIZE)
    axes.axvline(0, color=BEST, linewidth=1.5)
    for row, group in enumerate(groups):
        difference = group.difference
        if difference is None or difference.mean is None:
            continue
        if difference.low is not None and difference.high is not None:
            axes.plot([difference.low, difference.high], [row, row], color=INK, linewidth=2)
        axes.plot(difference.mean, row, "D", color=INK, markersize=7, markeredgecolor="white")
        note = f"{difference.mean:+.4f}" + ("" if difference.low is not None else "  (one pair: no interval)")
        axes.annotate(
            note,
            (difference.mean, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=NOTE_SIZE,
            color=MUTED,
        )
    finish_rows(axes, "mean over pairs of runs with the same seed and fold;\nline: 95 % interval", ticks=3, margin=0.15)


def _colour(group: RunGroup) -> str:
    """Return the colour of a group: one for the best group, one for the other ranked groups, grey without a rank."""
    return MUTED if group.rank is None else BEST if group.rank == 1 else INK
