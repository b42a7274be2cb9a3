"""Figures of many classes or groups of runs: they stay of a size that can be written."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from marsseg_core.experiments.comparison import Comparison, Difference, RunGroup
from marsseg_core.figures import canvas, comparison, matrix


@pytest.fixture
def figures(monkeypatch):
    """Return the list of figures that are made; none is written."""
    made = []
    monkeypatch.setattr(canvas, "write", lambda figure, target: made.append(figure))
    monkeypatch.setattr(comparison, "write", lambda figure, target: made.append(figure))
    return made


def test_a_confusion_matrix_of_many_classes_has_a_size_limit_and_no_numbers(figures, monkeypatch):
    monkeypatch.setattr(matrix, "MOST_WRITTEN", 8)
    for size in (8, 64):
        counts = np.ones((size, size), np.int64)
        matrix.confusion_figure(counts, [f"c{number}" for number in range(size)], "unused.png")
    few, many = figures
    assert np.allclose(many.get_size_inches(), few.get_size_inches(), atol=1)
    assert len(few.axes[0].texts) > 8 * 8
    assert not many.axes[0].texts
    assert len(many.axes[0].get_yticklabels()) == 64


def test_of_many_groups_of_runs_the_best_are_drawn(figures, monkeypatch):
    assert comparison.ROW_HEIGHT * comparison.MOST_ROWS * canvas.DPI < 2**15
    monkeypatch.setattr(comparison, "MOST_ROWS", 10)
    run = SimpleNamespace(settings={})
    groups = tuple(RunGroup(f"G{rank}", (run,), (1 / rank,), rank, None) for rank in range(1, 1011))
    comparison.comparison_figure(Comparison("miou", "test", groups, {}, (), ()), "unused.png")
    (axes,) = figures[0].axes
    assert axes.get_title(loc="left") == "test miou: the best 10 of 1,010"
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"G{rank}" for rank in range(1, 11)]


def test_the_labels_of_the_ticks_do_not_touch(figures):
    def label(letter):
        return f"loss wssce and dice, training.epochs 120, arch {letter}"

    run = SimpleNamespace(settings={})
    groups = (
        RunGroup(label("A"), (run,), (0.12153, 0.10083), 1, None),
        RunGroup(label("B"), (run,), (0.1012, 0.0993), 2, Difference(2, -0.00821, -0.01634, 0.00012)),
    )
    comparison.comparison_figure(Comparison("miou", "test", groups, {}, (), ()), "unused.png")
    figures[0].canvas.draw()
    for axes in figures[0].axes:
        low, high = axes.get_xlim()
        labels = [text for text in axes.get_xticklabels() if low <= text.get_position()[0] <= high]
        boxes = [text.get_window_extent() for text in labels]
        assert len(boxes) > 1
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
