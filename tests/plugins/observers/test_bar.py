"""The bar of a training: what it says, and that it goes when the training does not end by itself."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from marsseg_plugins.observers.bar import EpochBar

# How a live display takes its two lines away.
GONE = "\x1b[1A\x1b[2K\x1b[1A\x1b[2K"


@pytest.fixture
def bar(monkeypatch):
    """A bar for 3 epochs of 2 steps, which has begun; its output is in `bar.shown`."""
    monkeypatch.setenv("TERM", "xterm")
    training = SimpleNamespace(epochs=3)
    run = SimpleNamespace(
        steps_per_epoch=2, plan=SimpleNamespace(training=training), best_by="val_miou", best_epoch=None
    )
    shown = StringIO()
    bar = EpochBar(run, Console(file=shown, force_terminal=True, width=100))
    bar.set_model(SimpleNamespace(stop_training=False))
    bar.shown = shown
    bar.on_train_begin()
    return bar


def train(bar, epochs: int) -> None:
    for epoch in range(epochs):
        bar.on_epoch_begin(epoch)
        for step in range(2):
            bar.on_train_batch_end(step, {"loss": 1.0})
        bar.on_epoch_end(epoch, {"val_miou": 0.5})


def said(bar) -> str:
    bar._live.refresh()
    return bar.shown.getvalue()


def test_the_first_step_is_said_to_be_compiled(bar):
    assert "The first step is being compiled" in said(bar)
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(0, {"loss": 1.0})
    bar.shown.truncate(0)
    assert "compiled" not in said(bar)
    assert "epoch 1/3" in said(bar)
    bar.on_train_batch_end(1, {"loss": 1.0})
    assert "scoring 1/3" in said(bar)
    bar.on_train_end()


def test_the_bar_of_a_whole_training_stays(bar):
    train(bar, 3)
    bar.on_train_end()
    assert not bar.shown.getvalue().endswith(GONE)


def test_the_bar_stays_after_early_stopping(bar):
    train(bar, 2)
    bar.model.stop_training = True
    bar.on_train_end()
    assert not bar.shown.getvalue().endswith(GONE)


def test_the_bar_is_gone_after_an_interruption(bar):
    train(bar, 1)
    bar.on_epoch_begin(1)
    bar.on_train_end()
    assert bar.shown.getvalue().endswith(GONE)
