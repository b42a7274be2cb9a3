"""The results of an ablation, read from the run folders of its trials, and the files that show them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..conventions import HEADLINE
from ..errors import RequestError, RunError, nearest
from ..experiments.ablation import Ablation, AblationRun, analyse
from ..experiments.ablation_tables import combinations_table, effects_csv, effects_table
from ..experiments.comparison import score_called
from ..experiments.markup import latex_table, markdown_table
from ..experiments.text_table import TextTable
from ..figures.results import Picture, Section, results_page
from ..files.atomic import atomic_write
from ..files.waiting import waiting
from ..messages import get_logger
from ..planning.metrics import metric_table
from ..runs.records import RecordedSplit, read_record
from .design import SEED, factors_of
from .sweep import Sweep

_EFFECTS: Final = (
    "An effect is the mean difference over pairs of runs that have the same seed and the same other settings. The "
    "interval is a 95 % t-interval of the mean over the seeds. It covers what differs from seed to seed, not other "
    "images. Of twenty intervals of choices without any effect, about one excludes 0."
)

_logger = get_logger(__name__)


@waiting("Reading the runs")
def results_of(sweep: Sweep, by: str | None = None) -> list[Ablation]:
    """Return the results for the score `by`, or that of the request, and after it those for every other score.

    Where no finished trial has the score of the request, the results are those for the headline score, with a warning:
    the classes of the data are known only now.

    Raises RunError if no trial has finished, and RequestError if no finished trial has the score `by`.
    """
    options = sweep.request.options.ablation
    assert options is not None
    table, subset = metric_table(), options.subset
    runs, missing, splits = [], [], dict[str, RecordedSplit]()
    for trial in sweep.summary("").trials:
        if trial.state == "skipped":
            continue
        path = sweep.folder.trial(trial.number).path
        try:
            record = read_record(path, splits)
        except RequestError as error:
            missing.append((path, trial.reason or str(error)))
            continue
        if reason := record.why_unscored(subset):
            missing.append((path, reason if record.finished else trial.reason or reason))
            continue
        settings = {name: text for name, text in trial.settings.items() if name != SEED}
        runs.append(AblationRun(settings, record.completed(subset, table)))
    if not runs:
        reasons = "; ".join(f"{path.name}: {reason}" for path, reason in missing[:3])
        raise RunError(f"None of the {len(missing)} trials has finished. {reasons}", where=str(sweep.folder.path))
    scores = dict.fromkeys(name for run in runs for name in run.record.scores[subset])
    score = score_called(by or options.by, scores)
    if score not in scores:
        what, hint = f"No run has a score '{score}'.", nearest(score, scores, listing="Scores")
        if by is not None:
            raise RequestError(what, where="--by", hint=hint)
        _logger.warning(f"{what} The results are those for {HEADLINE}. {hint}")
        score = HEADLINE
    factors = factors_of(sweep.space)
    return [
        analyse(runs, factors, name, subset, rises=table.rises(name), missing=missing)
        for name in (score, *(other for other in scores if other != score))
    ]


@waiting("Writing the results")
def write_results(sweep: Sweep, results: list[Ablation]) -> None:
    """Write the results into the folder of an ablation: as JSON, tables, figures and a page."""
    from ..figures.ablation import ablation_figure

    folder, first = sweep.folder, results[0]
    effects = effects_table(first)
    folder.write_json(folder.results(".json"), {"schema": 1, **first.to_json()})
    folder.write_text(folder.results(".csv"), effects_csv(results))
    folder.write_text(folder.results(".md"), markdown_table(effects.headers, effects.rows, right=effects.right))
    folder.write_text(folder.results(".tex"), latex_table(effects.headers, effects.rows, right=effects.right))
    for form in ("png", "svg"):
        with atomic_write(folder.results(f".{form}")) as temporary:
            ablation_figure(first, temporary, form)
    folder.write_text(folder.results(".html"), _page(sweep, first, folder.results(".png")))


def _page(sweep: Sweep, ablation: Ablation, figure: Path) -> str:
    baseline = ", ".join(f"{name}={text}" for name, text in ablation.baseline.items())
    score = f"{ablation.subset} {ablation.by}"
    missing = tuple((path.name, reason) for path, reason in ablation.missing)
    return results_page(
        f"Ablation {sweep.folder.path.name}",
        [
            f"{sweep.summary('').text}. Each score is the {score} of one run; "
            f"{'higher' if ablation.rises else 'lower'} is better.",
            f"Baseline: {baseline}.",
            *([ablation.note] if ablation.note else []),
        ],
        [
            Section("Plot", [Picture(figure.read_bytes(), "The effect of each choice with its interval")]),
            Section("Effects", [effects_table(ablation)], _EFFECTS),
            Section("Combinations", [combinations_table(ablation)]),
            Section("Runs without a score", [TextTable(("run", "reason"), missing)] if missing else []),
        ],
    )
