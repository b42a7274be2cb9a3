"""Write the page of `marsseg evaluate`: scores side by side, confusion matrices, and the worst images."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from math import isnan
from typing import Final

from ..conventions import HEADLINE
from ..experiments.summary import Spread
from ..experiments.text_table import TextTable
from ..figures.matrix import confusion_figure
from ..figures.results import Picture, Section, class_bars, results_page
from ..runs.metric_values import metric_values
from .score_tables import labels_of, notes_below, scores_table
from .scoring import Score

_WORST: Final = 10

# A picture takes half a second.
_MOST_MATRICES: Final = 12


def scores_page(scores: Sequence[Score]) -> str:
    """Return the page of scores of runs on data sets with the same classes."""
    labels, first = labels_of(scores), scores[0].confusion
    values = [metric_values(score.confusion.to_json()) for score in scores]
    spreads = [{name: Spread.of([value]) for name, value in each.items() if value is not None} for each in values]
    worst = [table for score, label in zip(scores, labels, strict=True) if (table := _worst(score, label)).rows]
    matrices = [_matrix(score, label) for score, label in zip(scores[:_MOST_MATRICES], labels, strict=False)]
    return results_page(
        f"Scores of {', '.join(dict.fromkeys(score.run for score in scores))}",
        notes_below(scores),
        [
            Section("Scores", [scores_table(scores)]),
            Section(
                "Classes",
                class_bars(labels, spreads, first.class_names, first.ignore_classes, scores[0].colours),
                "The intersection over union of each class.",
            ),
            Section(
                "Worst images",
                worst,
                "The images with the most labelled pixels that are predicted as another class.",
            ),
            Section("Confusion matrices", matrices),
        ],
    )


def _matrix(score: Score, label: str) -> Picture:
    confusion, content = score.confusion, BytesIO()
    confusion_figure(
        confusion.restricted,
        confusion.class_names,
        content,
        ignore_classes=confusion.ignore_classes,
        own_colours=score.colours,
        title=label,
    )
    return Picture(content.getvalue(), f"Confusion matrix: {label}", wide=False)


def _worst(score: Score, label: str) -> TextTable:
    """Return the images with the most wrong pixels, most first."""
    wrong, means = score.confusion.wrong_per_image, score.confusion.per_image
    order = sorted(range(len(wrong)), key=lambda image: -wrong[image])
    rows = [
        (score.titles[image], f"{wrong[image]:,}", f"{means[image]:.4f}")
        for image in order[:_WORST]
        if wrong[image] and not isnan(means[image])
    ]
    headers = (f"image of {label}", "wrong pixels", HEADLINE)
    return TextTable(headers, tuple(rows), headers[1:])
