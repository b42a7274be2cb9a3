"""Where there is no bar, a long first step is explained, once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from marsseg_plugins.observers import first_step, progress


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1.0, []), (14.6, ["The first step was compiled, which took 14.6 s; the other epochs are faster."])],
)
def test_only_a_long_first_step_is_explained(monkeypatch, seconds, said):
    now, lines = [100.0], []
    monkeypatch.setattr(first_step, "time", SimpleNamespace(monotonic=lambda: now[0]))
    callback = first_step.FirstStep(lines.append)
    for step in range(3):
        callback.on_train_batch_begin(step)
        now[0] += 2 * seconds if step else seconds  # later steps say nothing, however long they are
        callback.on_train_batch_end(step)
    assert lines == said


def test_it_is_there_in_a_pipe_and_not_with_quiet(monkeypatch):
    monkeypatch.setattr(progress, "_on_terminal", lambda: False)
    monkeypatch.setattr(progress, "_is_enabled", lambda: True)
    (callback,) = progress.marsseg_callbacks(SimpleNamespace())
    assert isinstance(callback, first_step.FirstStep)
    monkeypatch.setattr(progress, "_is_enabled", lambda: False)
    assert progress.marsseg_callbacks(SimpleNamespace()) == []
