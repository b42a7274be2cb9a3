"""Show sweeps and ablations in a notebook: the best trials and the score of each, or the effects."""

from __future__ import annotations

from functools import partial
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..experiments.ablation_tables import effects_table
from ..figures.ablation import ablation_figure
from ..figures.canvas import LABEL_SIZE, MUTED, NOTE_SIZE, Target, verbatim, write
from ..figures.colours import FIRST
from ..figures.notebook import Heading, Part, Table, figure, html_of, line_of, whole
from ..runs.metric_values import score_text
from ..shown import NotebookOutput
from .result import AblationResult, SweepResult
from .summary import Summary, TrialRecord, transductive_trials

# The rows of the table of the best trials.
_ROWS: Final = 20


@html_of.register
def _sweep(result: SweepResult) -> str:
    names = dict.fromkeys(name for trial in result.trials for name in trial.settings)
    best = result.ranked[:_ROWS]
    rows = [
        [trial.name, score_text(trial.value, ""), score_text(trial.test.get(result.objective), "")]
        + [trial.shown_settings.get(name, "") for name in names]
        for trial in best
    ]
    headers = ["trial", f"validation {result.objective}", f"test {result.objective}", *names]
    line = line_of(result.summary, transductive_trials(best))
    parts: list[Part] = [Heading(str(result.path), line), Table(headers, rows)]
    if len(result.ranked) > 1:
        parts.append(figure(lambda target: _scores_figure(result, target), "Score of each trial", width=700))
    failed = [(trial.name, trial.reason) for trial in result.trials if trial.state == "failed"]
    return whole([*parts, Table(("trial", "failed because"), failed)])


@html_of.register
def _ablation(result: AblationResult) -> str:
    line = line_of(result.summary, result.note)
    parts: list[Part] = [Heading(str(result.path), line)]
    for ablation in result.scores.values():
        table = effects_table(ablation)
        parts += [Table(table.headers, table.rows)]
        parts += [figure(partial(ablation_figure, ablation), "Effect of each choice", width=700)]
        break  # the requested score is the first
    return whole(parts)


class SweepOutput:
    """Show a sweep that goes on in the output of a cell; nothing outside notebooks."""

    def __init__(self) -> None:
        self._output = NotebookOutput() if NotebookOutput.is_possible() else None
        self._ended = -1

    def show(self, summary: Summary, total: int | None) -> None:
        """Show how many trials have ended, of `total` if that is known, and the best of them."""
        ended = sum(trial.state != "running" for trial in summary.trials)
        if self._output is None or ended == self._ended:
            return
        self._ended = ended
        lines = [f"Sweep: {summary.text}", f"{ended:,}" if total is None else f"{ended:,} of {total:,}"]
        lines += [_line(trial, summary.objective) for trial in summary.ranked[:1]]
        self._output.show_progress(lines, ended, total or len(summary.trials) or 1)

    def clear(self) -> None:
        """Show nothing any more: the result shows itself."""
        if self._output is not None:
            self._output.clear()


def _line(trial: TrialRecord, objective: str) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in trial.shown_settings.items())
    return f"best: {trial.name}, {objective} {score_text(trial.value, '')} ({settings})"


def _scores_figure(result: SweepResult, target: Target) -> None:
    """Draw the score of each finished trial over its number, and mark the best."""
    finished = sorted(result.ranked, key=lambda trial: trial.number)
    drawn = Figure(figsize=(8, 3), layout="constrained")
    axes = drawn.subplots()
    axes.plot(
        [trial.number for trial in finished],
        [trial.value or 0.0 for trial in finished],
        "o",
        color=MUTED,
        markersize=5,
    )
    best = result.ranked[0]
    axes.plot(best.number, best.value or 0.0, "D", color=FIRST[0], markersize=8)
    axes.set_xlabel("trial", fontsize=LABEL_SIZE)
    verbatim([axes.set_ylabel(f"validation {result.objective}", fontsize=LABEL_SIZE)])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=NOTE_SIZE)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    write(drawn, target)
