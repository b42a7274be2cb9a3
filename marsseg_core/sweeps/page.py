"""Draw a sweep as one page without references to other files: its best trials, and Optuna's plots."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from ..experiments.text_table import TextTable
from ..figures.results import Section, results_page
from ..files.waiting import waiting
from ..messages import get_logger
from ..runs.metric_values import score_text
from .optional import import_optuna
from .summary import Summary, transductive_trials
from .sweep import Sweep

_logger = get_logger(__name__)

# The rows of the table of the best trials.
_ROWS: Final = 20

# The name of Optuna's function, the heading and the caption of each plot.
_PLOTS: Final = (
    (
        "plot_param_importances",
        "Importances",
        "The share of each setting in the variance of the scores (fANOVA). Only settings that all trials have.",
    ),
    ("plot_optimization_history", "History", "The score of each trial, and the best one so far."),
    ("plot_parallel_coordinate", "Settings and scores", "Each line is a trial."),
    ("plot_slice", "One setting at a time", "Each point is a trial, in the colour of its number."),
    ("plot_intermediate_values", "Epochs", "The score after each epoch of each trial, as the pruner has seen it."),
)


@waiting("Writing the page")
def write_page(sweep: Sweep, summary: Summary) -> bool:
    """Write the page of a sweep. Return False, after a warning, if a package that draws it is not installed."""
    try:
        page = _page(sweep, summary)
    except ImportError as cause:
        _logger.warning(
            f'The page of the sweep is left out: {cause} Install what draws it: pip install "marsseg[sweep]"'
        )
        return False
    sweep.folder.write_text(sweep.folder.page, page)
    return True


def _page(sweep: Sweep, summary: Summary) -> str:
    names = dict.fromkeys(name for trial in summary.trials for name in trial.settings)
    best = summary.ranked[:_ROWS]
    rows = [
        (
            trial.name,
            score_text(trial.value, ""),
            score_text(trial.test.get(summary.objective), ""),
            *(trial.shown_settings.get(name, "") for name in names),
        )
        for trial in best
    ]
    objective = summary.objective
    lines = [f"{summary.text}.", f"{'Highest' if summary.rises else 'Lowest'} {objective} on the validation subset."]
    if summary.ranked:
        lines.append(f"The best: {summary.ranked[0].name}. Its plan is in {sweep.folder.best.name}.")
    lines += filter(None, [transductive_trials(best)])
    headers = ("trial", f"validation {objective}", f"test {objective}", *names)
    return results_page(
        f"Sweep {sweep.folder.path.name}",
        lines,
        [
            Section("The best trials", [TextTable(headers, tuple(rows), headers[1:3])]),
            *_plots(sweep.study, objective, len(summary.ranked), pruned=sweep.request.options.pruner != "none"),
        ],
    )


def _plots(study: Any, objective: str, finished: int, *, pruned: bool) -> list[Section]:
    drawn = import_optuna().visualization
    plots: list[Section] = []
    script = True  # the first plot brings the script for all of them: no other file is needed, and no network
    for name, heading, caption in _PLOTS if finished > 1 else ():
        epochs = name == "plot_intermediate_values"
        if epochs and not pruned:
            continue
        try:
            figure = getattr(drawn, name)(study, **({} if epochs else {"target_name": objective}))
        except (ValueError, RuntimeError) as cause:  # all scores are equal, or no setting is in all trials
            plots.append(Section(heading, [Markup()], f"Not drawn: {cause}"))
            continue
        html = figure.to_html(full_html=False, include_plotlyjs=script, config={"displaylogo": False})
        plots.append(Section(heading, [Markup(html)], caption))
        script = False
    return plots
