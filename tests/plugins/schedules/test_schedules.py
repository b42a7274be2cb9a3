"""Learning rates, step by step.

What every schedule keeps to is in the contract (test_contract_schedules.py).
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from marsseg_core.components.specs import ScheduleSpec
from marsseg_core.errors import RequestError
from marsseg_plugins.schedules.constant import Constant
from marsseg_plugins.schedules.cosine import Cosine
from marsseg_plugins.schedules.cosine_restarts import CosineRestarts
from marsseg_plugins.schedules.onecycle import OneCycle
from marsseg_plugins.schedules.plateau import Plateau

RATE = 0.02
EPOCHS, STEPS = 12, 5
TOTAL = EPOCHS * STEPS
SPEC = ScheduleSpec(RATE, EPOCHS, STEPS)

SCHEDULES = {
    "constant": Constant(),
    "constant after a warm-up": Constant(warmup=1),
    "cosine": Cosine(),
    "cosine after a warm-up": Cosine(warmup=2, floor=0.1),
    "cosine_restarts": CosineRestarts(),
    "cosine_restarts after a warm-up": CosineRestarts(period=2, stretch=1, peak=0.5, warmup=2, floor=0.01),
    "onecycle": OneCycle(),
    "onecycle at once": OneCycle(warmup=0.1),
}
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


def rates(schedule, spec=SPEC, steps=None) -> np.ndarray:
    """Return the learning rate at each step of the training, and one step after its end."""
    if steps is None:
        steps = range(spec.epochs * spec.steps_per_epoch + 1)
    return keras.ops.convert_to_numpy(schedule.build(spec)(np.array(steps)))


def half_cosine(steps: int, floor: float = 0) -> np.ndarray:
    """Return values from 1 at the first step to `floor` one step after the last."""
    return floor + (1 - floor) * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2


def climb(steps: int) -> np.ndarray:
    return np.arange(1, steps + 1) / (steps + 1)


def test_constant():
    np.testing.assert_allclose(rates(Constant()), RATE, rtol=1e-6)


@pytest.mark.parametrize("warmup", [0.2, 1, 3])
def test_a_warm_up_climbs_straight_to_the_rate(warmup):
    steps = round(warmup * STEPS)
    actual = rates(Constant(warmup=warmup)) / RATE
    np.testing.assert_allclose(actual[:steps], climb(steps), rtol=1e-5)
    np.testing.assert_allclose(actual[steps:], 1, rtol=1e-6)


def test_cosine_falls_to_the_floor_at_the_end():
    np.testing.assert_allclose(rates(Cosine()) / RATE, [*half_cosine(TOTAL), 0], atol=1e-6)
    np.testing.assert_allclose(rates(Cosine(floor=0.1)) / RATE, [*half_cosine(TOTAL, 0.1), 0.1], atol=1e-6)


def test_cosine_after_a_warm_up_takes_the_rest():
    actual = rates(Cosine(warmup=2, floor=0.1)) / RATE
    np.testing.assert_allclose(actual, [*climb(10), *half_cosine(50, 0.1), 0.1], atol=1e-6)


def test_restarts_in_periods_of_growing_length():
    actual = rates(CosineRestarts(period=2, stretch=2)) / RATE
    np.testing.assert_allclose(
        actual[:TOTAL], np.concatenate([half_cosine(10), half_cosine(20), half_cosine(40)])[:TOTAL], atol=1e-5
    )


def test_restarts_at_lower_peaks_after_a_warm_up():
    actual = rates(CosineRestarts(period=2, stretch=1, peak=0.5, warmup=2)) / RATE
    periods = [half_cosine(10) * 0.5**i for i in range(5)]
    np.testing.assert_allclose(actual[:TOTAL], np.concatenate([climb(10), *periods]), atol=1e-5)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 30), st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_three_periods_fill_the_training(epochs, steps, stretch):
    spec = ScheduleSpec(RATE, epochs, steps)
    actual = rates(CosineRestarts(stretch=stretch), spec)[: epochs * steps]
    jumps = np.flatnonzero(np.diff(actual) > 1e-9)
    assert len(jumps) <= 2
    if len(actual) > 40:
        assert len(jumps) == 2
        assert actual[-1] < 0.25 * RATE


def test_one_cycle_rises_and_falls_along_cosines():
    actual = rates(OneCycle()) / RATE
    rise = round(0.3 * TOTAL)
    up = 0.04 + 0.96 * half_cosine(rise)[::-1]
    assert actual[0] == pytest.approx(0.04)
    np.testing.assert_allclose(actual[1 : rise + 1], up, atol=1e-6)
    np.testing.assert_allclose(actual[rise:], [*half_cosine(TOTAL - rise, 4e-6), 4e-6], atol=1e-6)
    assert actual.argmax() == rise


def test_the_climb_of_one_cycle_in_epochs():
    actual = rates(OneCycle(warmup=4, start=0.5, floor=0.1)) / RATE
    assert actual[[0, 20, TOTAL]] == pytest.approx([0.5, 1, 0.1])
    assert actual[10] == pytest.approx(0.75)
    assert actual[40] == pytest.approx(0.55)


@each_schedule
def test_no_rate_is_above_the_learning_rate(schedule):
    for spec in (SPEC, ScheduleSpec(RATE, 3, 1), ScheduleSpec(RATE, 3, 1000)):
        assert rates(schedule, spec).max() <= RATE * (1 + 1e-6)


@pytest.mark.parametrize("kind", [Constant, Cosine, CosineRestarts, OneCycle])
def test_a_warm_up_that_fills_the_training_is_refused(kind):
    with pytest.raises(RequestError, match="A warm-up of 12 epochs is too long for 12 epochs of training"):
        kind(warmup=12.0).build(SPEC)


class TestPlateau:
    def test_monitors_the_loss_or_the_score_if_weights_change(self):
        still, moving = SPEC, ScheduleSpec(RATE, EPOCHS, STEPS, objective_changes=True)
        actual = [Plateau().build(spec) for spec in (still, moving)]
        assert [callback.monitor for callback in actual] == ["val_loss", "val_miou"]
        assert [callback.mode for callback in actual] == ["min", "max"]

    @pytest.mark.parametrize("name", ["val_accuracy", "val_iou_big_rock", "loss_dice", "loss", "miou"])
    def test_monitors_any_loss_and_score(self, name):
        assert Plateau(monitor=name).build(SPEC).monitor == name

    def test_an_unknown_column_is_refused(self):
        with pytest.raises(ValueError, match="not a loss or a score"):
            Plateau(monitor="val_mio")

    def test_has_a_cooldown_after_a_reduction(self):
        assert Plateau(cooldown=3).build(SPEC).cooldown == 3
