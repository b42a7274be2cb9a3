"""Write the page of a comparison: ranking, settings that differ, curves of all runs, scores of each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..errors import counted
from ..experiments.comparison import Comparison, RunGroup
from ..experiments.comparison_tables import (
    differing_table,
    left_out_tables,
    pairs_note,
    ranking_table,
    transductive_note,
)
from ..experiments.summary import Spread, spreads
from ..files.run_folder import RunFolder
from .results import Bars, Curves, Line, Links, Section, class_bars, results_page

# More curves or bars can be told apart by nobody. The tables have all groups.
_MOST_GROUPS: Final = 12


def comparison_page(comparison: Comparison, beside: Path) -> str:
    """Return the page of a comparison. It links to the reports of the runs, from the folder `beside`."""
    groups = comparison.groups[:_MOST_GROUPS]
    more = len(comparison.groups) - len(groups)
    best = f" Only the best {len(groups)} groups are shown." if more else ""
    score = f"{comparison.subset} {comparison.by}"
    labels = [comparison.title(group) for group in groups]
    skipped, other_data = left_out_tables(comparison)
    count = counted(len(comparison.groups), "group")
    lines = [f"{count}, by their {score}. Runs of one group differ in seed and fold alone."]
    return results_page(
        f"Comparison by {score}",
        [*lines, *filter(None, [transductive_note(comparison), pairs_note(comparison)])],
        [
            Section(
                "Ranking",
                [ranking_table(comparison)],
                "Mean ± sample standard deviation. The difference to the best group is the mean over pairs of runs "
                "that have the same seed and fold and are scored on the same items, with its 95 % t-interval.",
            ),
            Section("Settings that differ", [differing_table(comparison)] if comparison.differing else []),
            Section("Curves", [Curves(_lines(groups, labels))], f"Each line is a run.{best}"),
            Section(
                "Classes",
                _bars(comparison, groups, labels),
                f"The intersection over union of each class on the {comparison.subset} subset; the thin line is ± one "
                f"standard deviation.{best}",
            ),
            Section("Not compared", [skipped] if skipped.rows else []),
            Section(
                "Not ranked",
                [other_data] if other_data.rows else [],
                "Scores on different items cannot be compared.",
            ),
            Section("Reports", _reports(groups, beside), "The worst tiles of each run are in its report."),
        ],
    )


def _lines(groups: Sequence[RunGroup], labels: Sequence[str]) -> list[Line]:
    lines = []
    for group, label in zip(groups, labels, strict=True):
        for run in group.runs:
            folder = RunFolder(run.path)
            if folder.history.is_file():
                lines.append(Line(str(run.path), label, folder.read_history()))
    return lines


def _bars(comparison: Comparison, groups: Sequence[RunGroup], labels: Sequence[str]) -> list[Bars]:
    first = groups[0].runs[0]
    chosen = [(group, label) for group, label in zip(groups, labels, strict=True) if _classes(group) == first.classes]
    scores = [_spreads(group, comparison.subset) for group, _ in chosen]
    own_colours = RunFolder(first.path).class_colours()
    return class_bars([label for _, label in chosen], scores, first.classes, first.ignore_classes, own_colours)


def _classes(group: RunGroup) -> tuple[str, ...]:
    return group.runs[0].classes


def _spreads(group: RunGroup, subset: str) -> dict[str, Spread | None]:
    return spreads([run.scores[subset] for run in group.runs])


def _reports(groups: Sequence[RunGroup], beside: Path) -> list[Links]:
    found = [
        (f"{group.label}: {run.path}", os.path.relpath(report, beside))
        for group in groups
        for run in group.runs
        if (report := RunFolder(run.path).report).is_file()
    ]
    return [Links(found)] if found else []
