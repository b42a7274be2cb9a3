"""Test weightings: each rule against its formula, trained weights, and their state in the checkpoint."""

from itertools import pairwise

import keras
import numpy as np
import pytest
from helpers.messages import no_warning

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.components.specs import WeightingSpec
from marsseg_core.components.weighting_layer import WeightingLayer
from marsseg_core.errors import RequestError
from marsseg_core.testing.weightings import gradient_of
from marsseg_plugins.weightings.dwa import DWA
from marsseg_plugins.weightings.fixed import Fixed
from marsseg_plugins.weightings.gradnorm import GradNorm
from marsseg_plugins.weightings.relobralo import ReLoBRaLo
from marsseg_plugins.weightings.scheduled import Scheduled
from marsseg_plugins.weightings.softadapt import SoftAdapt
from marsseg_plugins.weightings.uncertainty import Uncertainty

pytestmark = pytest.mark.usefixtures("without_observers")

NAMES = ("a", "b", "c")
LOSSES = np.array([1.0, 0.5, 2.0], np.float32)
SMALL = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": "synthetic:count=24:height=16:width=32",
    "loss": "ssce,dice,boundary:weight=0.1",
    "batch": 4,
    "epochs": 4,
}


def layer(weighting, weights=(1.0, 1.0, 1.0)):
    built = weighting.build(WeightingSpec(NAMES[: len(weights)], weights))
    built.build((len(weights),))
    return built


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def current_weights(built):
    return np.asarray(built.rule_weights)


class TestFixed:
    def test_sums_the_losses_with_their_weights(self):
        built = layer(Fixed(), (1.0, 0.5, 0.25))
        assert float(built(LOSSES)) == pytest.approx(1.0 + 0.25 + 0.5)
        np.testing.assert_allclose(built.factors(), [1.0, 0.5, 0.25])


class TestScheduled:
    def ramp(self, epochs=5, **parameters):
        built = layer(Scheduled(**parameters))
        values = []
        for epoch in range(epochs):
            built.on_epoch_begin(epoch, epochs)
            values.append(current_weights(built))
        return np.array(values)

    def test_moves_straight_from_start_to_end_and_sums_to_1(self):
        values = self.ramp(start=(0.2, 0.8, 0.0), end=(0.4, 0.4, 0.2))
        np.testing.assert_allclose(values[0], [0.2, 0.8, 0.0], atol=1e-6)
        np.testing.assert_allclose(values[2], [0.3, 0.6, 0.1], atol=1e-6)
        np.testing.assert_allclose(values[-1], [0.4, 0.4, 0.2], atol=1e-6)
        np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-6)

    def test_starts_with_equal_weights_without_start(self):
        np.testing.assert_allclose(self.ramp(end=(2, 1, 1))[0], [1 / 3] * 3, rtol=1e-6)

    def test_moves_only_between_begin_and_finish(self):
        values = self.ramp(start=(1, 0, 0), end=(0, 1, 0), begin=0.25, finish=0.75)
        np.testing.assert_allclose(values[:, 0], [1, 1, 0.5, 0, 0], atol=1e-6)

    def test_with_a_higher_power_rises_late(self):
        values = self.ramp(start=(1, 0, 0), end=(0, 1, 0), power=2)
        np.testing.assert_allclose(values[:, 1], np.linspace(0, 1, 5) ** 2, atol=1e-6)

    def test_one_epoch_has_the_start(self):
        np.testing.assert_allclose(self.ramp(epochs=1, start=(1, 0, 0), end=(0, 1, 0))[0], [1, 0, 0])

    @pytest.mark.parametrize("end", [(1, 1), (0, 0, 0)])
    def test_that_does_not_fit_is_refused(self, end):
        with pytest.raises(ValueError, match="end has"):
            layer(Scheduled(end=end))


class TestUncertainty:
    def test_is_kendalls_formula(self):
        built = layer(Uncertainty(speed=2.0), (1.0, 1.0, 0.5))
        built.log_variances.assign([0.1, -0.3, 0.5])
        s = 2.0 * np.array([0.1, -0.3, 0.5])
        terms = 0.5 * np.exp(-s) * LOSSES + 0.5 * s
        assert float(built(LOSSES)) == pytest.approx((terms * [1, 1, 0.5]).sum(), rel=1e-6)
        np.testing.assert_allclose(built.factors(), 0.5 * np.exp(-s) * [1, 1, 0.5], rtol=1e-6)

    def test_has_its_optimum_where_s_is_the_logarithm_of_the_loss(self):
        at_optimum = layer(Uncertainty(speed=1.0))
        at_optimum.log_variances.assign(np.log(LOSSES))
        lowest = float(at_optimum(LOSSES))
        for moved in (0.05 * np.eye(3), -0.05 * np.eye(3)):
            for step in moved:
                other = layer(Uncertainty(speed=1.0))
                other.log_variances.assign(np.log(LOSSES) + step)
                assert float(other(LOSSES)) > lowest

    @pytest.mark.parametrize(
        "optimizer",
        [
            keras.optimizers.SGD(0.02),
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.optimizers.Adam(0.01),
            keras.optimizers.AdamW(0.01),
            keras.optimizers.RMSprop(0.01),
            keras.optimizers.Lion(0.002),
        ],
        ids=["sgd", "momentum", "adam", "adamw", "rmsprop", "lion"],
    )
    def test_s_comes_to_the_logarithm_of_the_loss_under_every_optimiser(self, optimizer):
        built, losses = layer(Uncertainty(), (1.0, 0.01, 10.0)), np.array([0.1, 4.0, 50.0], np.float32)
        for _ in range(600):
            gradient = gradient_of(built, built.log_variances, losses)[1]
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [built.log_variances])
            assert np.abs(10 * np.asarray(built.log_variances)).max() < 10
        np.testing.assert_allclose(10 * np.asarray(built.log_variances), np.log(losses), atol=0.25)

    @pytest.mark.parametrize("speed", [1.0, 10.0])
    def test_one_step_of_sgd_moves_s_by_speed_not_by_its_square(self, speed):
        built = layer(Uncertainty(speed=speed))
        gradient = gradient_of(built, built.log_variances, LOSSES)[1]
        np.testing.assert_allclose(gradient, 0.5 - 0.5 * LOSSES, rtol=1e-6)  # s = speed · v moves by speed · rate · it

    def test_trains_its_weights_without_weight_decay(self, tmp_path):
        words = SMALL | {"overrides": ["training.weight_decay=0.5", "weighting.uncertainty.speed=1"]}
        with no_warning():
            run = marsseg.run(weighting="uncertainty", out=tmp_path / "run", **words)
        factors = np.array(
            [[record[f"weight_{name}"] for name in ("ssce", "dice", "boundary")] for record in run.history]
        )
        assert (np.abs(np.diff(factors, axis=0)) > 1e-5).all()
        # dice is below 1, so its s falls all the time; a weight decay of 0.5 would keep it near 0
        assert (np.diff(factors[:, 1]) > 0).all()


class TestDWA:
    def test_is_equal_in_the_first_two_epochs_and_then_follows_the_rates(self):
        built = layer(DWA(temperature=2.0))
        epochs = np.array([[1.0, 1.0, 2.0], [0.5, 0.9, 2.2], [0.4, 0.9, 1.1]], np.float32)
        np.testing.assert_allclose(current_weights(built), 1)
        built.on_epoch_end(epochs[0])
        np.testing.assert_allclose(current_weights(built), 1)
        built.on_epoch_end(epochs[1])
        np.testing.assert_allclose(current_weights(built), 3 * softmax(epochs[1] / epochs[0] / 2), rtol=1e-6)
        built.on_epoch_end(epochs[2])
        np.testing.assert_allclose(current_weights(built), 3 * softmax(epochs[2] / epochs[1] / 2), rtol=1e-6)
        assert current_weights(built).sum() == pytest.approx(3)

    def test_the_rate_after_a_loss_of_zero_is_one(self):
        built = layer(DWA(temperature=2.0))
        for losses, rates in (([0, 1, 1], None), ([0, 0, 1], [1, 0, 1]), ([1, 1, 2], [1, 1, 2])):
            built.on_epoch_end(np.array(losses, np.float32))
            if rates is not None:
                np.testing.assert_allclose(current_weights(built), 3 * softmax(np.array(rates) / 2), rtol=1e-6)


class TestSoftAdapt:
    @pytest.mark.parametrize("parameters", [{}, {"normalised": False, "beta": 0.1}, {"by_loss": True}, {"beta": -2.0}])
    def test_is_the_softmax_of_the_slopes(self, parameters):
        built = layer(SoftAdapt(**parameters))
        before, now = np.array([1.0, 2.0, 0.5], np.float32), np.array([0.9, 2.5, 0.1], np.float32)
        np.testing.assert_allclose(current_weights(built), [1 / 3] * 3, rtol=1e-6)
        built.on_epoch_end(before)
        np.testing.assert_allclose(current_weights(built), [1 / 3] * 3, rtol=1e-6)
        built.on_epoch_end(now)
        slopes = now - before
        if parameters.get("normalised", True):
            slopes /= np.abs(slopes).sum()
        expected = softmax(parameters.get("beta", 1.0) * slopes)
        if parameters.get("by_loss"):
            expected = expected * now / (expected * now).sum()
        np.testing.assert_allclose(current_weights(built), expected, rtol=1e-5)
        assert current_weights(built).sum() == pytest.approx(1)


class TestReLoBRaLo:
    def test_is_the_moving_mean_of_the_balanced_weights(self):
        built = layer(ReLoBRaLo(alpha=0.9, rho=1.0, temperature=0.5))
        steps = np.array([[1.0, 1.0, 2.0], [0.5, 0.9, 2.2], [0.4, 0.9, 1.1]], np.float32)
        expected = np.ones(3)
        built.step(steps[0], None)
        np.testing.assert_allclose(current_weights(built), expected)
        for before, now in pairwise(steps):
            built.step(now, None)
            expected = 0.9 * expected + 0.1 * 3 * softmax(now / (0.5 * before))
            np.testing.assert_allclose(current_weights(built), expected, rtol=1e-5)
        assert current_weights(built).sum() == pytest.approx(3, rel=1e-5)

    def test_with_rho_0_it_looks_back_to_the_first_step(self):
        built = layer(ReLoBRaLo(alpha=1.0, rho=0.0))
        for losses in ([1.0, 1.0, 2.0], [0.1, 5.0, 1.0], [0.4, 0.9, 1.1]):
            built.step(np.array(losses, np.float32), None)
        np.testing.assert_allclose(current_weights(built), 3 * softmax(np.array([0.4, 0.9, 0.55])), rtol=1e-5)

    def test_a_batch_without_labels_changes_nothing(self):
        built = layer(ReLoBRaLo())
        for losses in (np.zeros(3), LOSSES, LOSSES / 2, np.zeros(3), LOSSES / 4):
            built.step(losses.astype(np.float32), None)
        assert np.isfinite(current_weights(built)).all()
        assert current_weights(built).sum() == pytest.approx(3, rel=1e-5)


class TestGradNorm:
    def settle(self, built, losses, norms, steps=3000):
        for each in (LOSSES, *[losses] * steps):
            built.step(each.astype(np.float32), norms)
        return current_weights(built)

    def test_makes_the_norms_of_gradients_equal_where_losses_fall_alike(self):
        norms = np.array([1.0, 10.0, 4.0], np.float32)
        actual = self.settle(layer(GradNorm(rate=0.002)), LOSSES / 2, norms)
        assert actual.sum() == pytest.approx(3, rel=1e-5)
        np.testing.assert_allclose(actual, 3 * (1 / norms) / (1 / norms).sum(), rtol=0.1)

    def test_a_loss_that_falls_slowly_gets_the_larger_gradient(self):
        actual = self.settle(layer(GradNorm(rate=0.002, alpha=1.0)), LOSSES * [0.5, 0.5, 1.0], np.ones(3, np.float32))
        rates = np.array([0.75, 0.75, 1.5])
        np.testing.assert_allclose(actual, rates, rtol=0.1)

    def test_keeps_its_floor_and_its_sum(self):
        built = layer(GradNorm(rate=1.0, floor=0.1))
        for scale in (1.0, 100.0, 0.01):
            built.step(LOSSES, np.array([scale, 1.0, 1.0], np.float32))
            assert current_weights(built).sum() == pytest.approx(3, rel=1e-5)
            assert (current_weights(built) > 0).all()

    def test_is_given_the_norms_of_the_gradients_at_the_logits(self, tmp_path):
        from marsseg_core.networks.build import build_network
        from marsseg_core.training.assembly import build_batches, build_task
        from marsseg_core.training.objective import build_objective

        with no_warning():
            run = marsseg.run(weighting="gradnorm", out=tmp_path / "run", **(SMALL | {"epochs": 1}))
        network = build_network(run.plan, (16, 32, 1), 5)
        objective = build_objective(run.plan, run.data, run.split)
        task = build_task(run.plan, network, objective)
        images, labels = build_batches(run.plan, run.data, run.split, objective)[0]
        seen = []
        task.weighting.step = lambda losses, norms: seen.append((np.asarray(losses), np.asarray(norms)))
        logits = np.asarray(network(images))
        task.compute_loss(images, labels, network(images))
        losses, norms = seen[0]
        values = task.loss_values(labels, logits)
        np.testing.assert_allclose(losses, [values["ssce"], values["dice"], values["boundary"]], rtol=1e-5)

        # central differences along the direction of the largest entry of each gradient
        direction = np.random.default_rng(0).normal(size=logits.shape).astype(np.float32)
        step = 1e-2
        for name, norm in zip(("ssce", "dice", "boundary"), norms, strict=True):
            above, below = (float(task.loss_values(labels, logits + sign * step * direction)[name]) for sign in (1, -1))
            slope = (above - below) / (2 * step)
            assert 0 < abs(slope) <= norm * np.linalg.norm(direction)


@pytest.mark.parametrize(
    ("weighting", "total"),
    [("dwa", 3), ("softadapt", 1), ("gradnorm", 3), ("relobralo", 3), ("scheduled", 1), ("uncertainty", None)],
)
def test_each_trains_with_its_weights_in_the_history_and_the_checkpoint(weighting, total, tmp_path):
    overrides = ["loss.boundary.weight=1"]
    if weighting == "scheduled":
        overrides.append("weighting.scheduled.end=1,0,1")
    if weighting == "relobralo":
        overrides.append("weighting.relobralo.alpha=0.9")
    with no_warning():
        run = marsseg.run(weighting=weighting, out=tmp_path / "run", overrides=overrides, **SMALL)
    factors = np.array([[record[f"weight_{name}"] for name in ("ssce", "dice", "boundary")] for record in run.history])
    assert np.abs(factors[-1] - factors[0]).max() > 1e-4
    if total is not None:
        np.testing.assert_allclose(factors.sum(axis=1), total, rtol=1e-4)
    with np.load(run.folder.checkpoint) as archive:
        kept = [archive[name] for name in archive.files if archive[name].shape == (3,)]
    assert kept


@pytest.mark.parametrize("weighting", ["uncertainty", "dwa", "gradnorm", "relobralo", "softadapt:by_loss=true"])
def test_a_loss_that_can_be_negative_is_refused_by_name_before_training(weighting):
    with pytest.raises(RequestError, match="cannot work with the loss 'boundary'"):
        api.plan(loss="ssce,boundary:form=signed", weighting=weighting)


@pytest.mark.parametrize("weighting", ["fixed", "softadapt"])
def test_rules_without_ratios_take_a_negative_loss(weighting):
    api.plan(loss="ssce,boundary:form=signed", weighting=weighting)


def test_a_schedule_for_another_number_of_losses_is_refused_before_training(tmp_path):
    with pytest.raises(RequestError, match="end has 2 weights for 3 losses"), no_warning():
        marsseg.run(weighting="scheduled", overrides=["weighting.scheduled.end=1,2"], out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_weighting_layer_is_in_float32_under_any_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        built = WeightingLayer(WeightingSpec(NAMES, (1.0, 1.0, 1.0)))
        built.build((3,))
        assert built(LOSSES).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


class TestWithThePlan:
    """Parameters of weightings and schedules that are wrong are refused with the plan, before Keras is imported."""

    def test_as_many_weights_as_losses(self):
        with pytest.raises(RequestError, match=r"end has 3 weights for 2 losses \(ssce, dice\)") as error:
            api.plan(loss="ssce,dice", weighting="scheduled", overrides=["weighting.scheduled.end=1,2,3"])
        assert error.value.where == "weighting='scheduled'"
        assert error.value.hint == "`marsseg show scheduled` lists its parameters."

    def test_a_weighting_needs_more_than_one_loss(self, cli):
        answer = cli("run", "--loss", "wssce", "--weighting", "dwa", "--dry-run")
        assert answer.code == 0
        assert "The weighting 'dwa' has no effect, as there is only one loss, wssce." in " ".join(answer.err.split())
        assert api.plan(loss="wssce,dice", weighting="dwa").remarks == ()
        assert api.plan(loss="wssce").remarks == ()

    def test_a_loss_that_is_only_logged_has_no_weight(self):
        words = {"loss": "ssce,lovasz:weight=0,dice", "weighting": "scheduled"}
        assert api.plan(**words, overrides=["weighting.scheduled.end=1,2"])
        with pytest.raises(RequestError, match=r"2 losses \(ssce, dice\)"):
            api.plan(**words, overrides=["weighting.scheduled.end=1,2,3"])

    @pytest.mark.parametrize("schedule", ["cosine", "cosine_restarts", "constant", "onecycle", "plateau"])
    def test_a_warm_up_is_shorter_than_the_training(self, schedule):
        assert api.plan(schedule=f"{schedule}:warmup=6", epochs=7)
        with pytest.raises(RequestError, match="a warm-up of 7 epochs is too long for 7 epochs of training"):
            api.plan(schedule=f"{schedule}:warmup=7", epochs=7)


@pytest.mark.parametrize("rule", ["gradnorm", "dwa", "relobralo", "softadapt", "uncertainty"])
def test_a_loss_of_weight_0_has_no_effect_on_a_rule(rule, tmp_path):
    """It is only logged: the training without it is equal bit for bit."""
    words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": "synthetic:count=24:height=16:width=32"}
    words |= {"batch": 4, "epochs": 3, "weighting": rule}
    without = marsseg.run(loss="ssce,dice", out=tmp_path / "without", **words)
    logged = marsseg.run(loss="ssce,lovasz:weight=0,dice", out=tmp_path / "logged", **words)
    for row, alone in zip(logged.history, without.history, strict=True):
        assert row["weight_lovasz"] == 0.0
        assert row["loss_lovasz"] > 0
        assert {name: row[name] for name in alone if name != "seconds"} == {
            name: value for name, value in alone.items() if name != "seconds"
        }
