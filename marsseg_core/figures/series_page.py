"""Write the page of a series: mean scores, curves of its runs, scores of each class."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..errors import MarssegError
from ..experiments.comparison_tables import interval_text
from ..experiments.series import Series
from ..experiments.summary import Spread
from ..experiments.text_table import TextTable
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..planning.metrics import MetricTable
from ..runs.metric_values import metric_values, score_text
from .results import Curves, Line, Links, Section, class_bars, results_page

_logger = get_logger(__name__)

PAGE: Final = "series.html"

_NOTES: Final = {
    "seeds": "The runs differ in their seed alone, so the deviation is what chance in the training changes on these "
    "images. Other images would change more.",
    "folds": "Each image is tested in one run. The folds share most of their training images, so the interval is "
    "somewhat too narrow.",
}


def write_series_page(series: Series, table: MetricTable) -> Path | None:
    """Write series.html into the folder of a series, and return its path; None if there is nothing to show.

    A run whose files are missing or damaged costs the page, and a warning, but not the scores of the others.
    """
    if not series.finished:
        return None
    folder, path = RunFolder(series.path), series.path / PAGE
    try:
        folder.write_text(path, series_page(series, table))
    except MarssegError as error:
        _logger.warning(f"The page of the series is left out: {error}")
        return None
    return path


def series_page(series: Series, table: MetricTable) -> str:
    """Return the page of a series with at least one finished run."""
    subsets = series.subsets()
    runs = [RunFolder(series.path / name) for name in series.finished]
    class_names, ignore_classes = runs[0].classes()
    table = table.for_data(ignore_classes)
    reports = [(run.path.name, f"{run.path.name}/{run.report.name}") for run in runs if run.report.is_file()]
    return results_page(
        f"Series {series.path.resolve().name}",
        [f"{series.summary}. {_NOTES[series.kind]}", *([series.note] if series.note else [])],
        [
            Section(
                "Scores",
                [_means(series, table)],
                f"Mean ± sample standard deviation over the runs, and the 95 % t-interval of the mean.{_few(series)}",
            ),
            Section("Runs", [_runs(series, table)]),
            Section("Curves", [Curves([Line(run.path.name, run.path.name, run.read_history()) for run in runs])]),
            Section(
                "Classes",
                class_bars([*subsets], [*subsets.values()], class_names, ignore_classes, runs[0].class_colours()),
                "The intersection over union of each class; the thin line is ± one standard deviation.",
            ),
            Section("Reports", [Links(reports)] if reports else [], "The worst tiles of each run are in its report."),
        ],
    )


def _few(series: Series) -> str:
    """Return what to know of the intervals of two runs; an empty text for more."""
    if len(series.finished) != 2:
        return ""
    return " Two runs hardly bound the mean: the interval goes 9 deviations to each side. Three runs or more do."


def _means(series: Series, table: MetricTable) -> TextTable:
    subsets = series.subsets()
    names = dict.fromkeys(name for spreads in subsets.values() for name in spreads if table.shows(name))
    rows = [
        (
            table.spaced(name),
            *(text for spreads in subsets.values() for text in _cells(spreads.get(name), *table.bounds(name))),
        )
        for name in names
    ]
    headers = ("score", *(text for subset in subsets for text in (subset, f"{subset}, 95 % interval")))
    return TextTable(headers, tuple(rows), headers[1:])


def _cells(spread: Spread | None, least: float, greatest: float) -> tuple[str, str]:
    """Return the mean and its interval."""
    if spread is None:
        return "undefined", ""
    return str(spread), interval_text(spread, least, greatest)


def _runs(series: Series, table: MetricTable) -> TextTable:
    """Return a row for each finished run, with the scores of its last subset, which is the test subset."""
    scores = {name: metric_values([*series.metrics[name]["subsets"].values()][-1]) for name in series.finished}
    subset = [*series.subsets()][-1]
    names = [name for name in dict.fromkeys(key for each in scores.values() for key in each) if table.shows(name)]
    rows = [
        (
            run,
            str(series.metrics[run].get("best_epoch", "")),
            *(score_text(each.get(name), "undefined") for name in names),
        )
        for run, each in scores.items()
    ]
    headers = ("run", "saved epoch", *(f"{subset} {table.spaced(name)}" for name in names))
    return TextTable(headers, tuple(rows), headers[1:])
