"""Keras' optimizers by name, and averages of weights."""

import inspect

import keras
import numpy as np
import pytest
from helpers.messages import no_warning, warnings_told

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.data.splits import split_data
from marsseg_core.errors import RequestError
from marsseg_core.networks.keras_backend.optimizers import update_in_one_pass
from marsseg_core.planning.options import OptimizerOptions
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of
from marsseg_core.training.averaging import EpochAverage
from marsseg_core.training.objective import build_objective
from marsseg_core.training.optimizers import build_optimizer
from marsseg_core.training.statistics import Statistics, calibration_batches, normalisations

pytestmark = pytest.mark.usefixtures("without_observers")

SMALL = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
}
# Without batch normalisation, whose statistics would be recomputed for averaged weights.
PLAIN = f"{SMALL['arch']}:normalisation=none"


OPTIMIZERS = installed().names(kinds.OPTIMIZER)


def small_run(tmp_path, **words):
    with no_warning():
        return marsseg.run(out=tmp_path / "run", **(SMALL | {"epochs": 3} | words))


def test_the_names_are_those_of_keras():
    classes = {
        name.lower()
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    }
    # Wrappers of other optimizers. The schedule-free one needs other weights for scoring than for training.
    others = {"optimizer", "lossscaleoptimizer", "multioptimizer", "schedulefreeadamw"}
    assert set(OPTIMIZERS) == classes - others


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_parameters_and_defaults_are_those_of_keras(name):
    component = load(installed().find(kinds.OPTIMIZER, name))
    cls = getattr(keras.optimizers, component.keras_name)
    assert cls.__name__.lower() == name
    theirs = {key: value.default for key, value in inspect.signature(cls).parameters.items()}
    # Arguments that are elsewhere in the plan, that only Keras uses, or that are not numbers.
    for key in ("learning_rate", "weight_decay", "name", "kwargs", "loss_scale_factor", "exclude_layers"):
        theirs.pop(key, None)
    for key in ("use_ema", "ema_momentum", "ema_overwrite_frequency"):
        theirs.pop(key, None)
    ours = {**parameters_of(component), **parameters_of(OptimizerOptions)}
    ours = {key: parameter.default for key, parameter in ours.items()}
    assert {**theirs, **ours} == ours  # an older Keras may have fewer


def built(rate=0.1, **words):
    return build_optimizer(api.plan(**words), rate)


def test_adamw_keeps_its_own_decay_where_none_is_given():
    assert built().weight_decay == 0.004
    assert built(optimizer="sgd").weight_decay is None
    assert built(optimizer="sgd", weight_decay=0.01).weight_decay == 0.01


def test_parameters_follow_the_name():
    optimizer = built(0.125, optimizer="sgd:momentum=0.9:nesterov=true:clipnorm=1:gradient_accumulation_steps=2")
    assert float(optimizer.learning_rate) == 0.125
    assert optimizer.momentum == 0.9
    assert optimizer.nesterov is True
    assert optimizer.clipnorm == 1.0
    assert optimizer.gradient_accumulation_steps == 2


def test_a_plan_of_version_0_1_0_is_read(tmp_path):
    """In 0.1.0 the optimizer was a text in the section training."""
    (tmp_path / "plan.toml").write_text('[training]\noptimizer = "sgd:momentum=0.9:clipvalue=2"\nepochs = 3\n')
    plan = api.plan(tmp_path / "plan.toml")
    assert plan.one(kinds.OPTIMIZER) == load(installed().find(kinds.OPTIMIZER, "sgd"))(momentum=0.9)
    assert plan.resolved[kinds.OPTIMIZER][0].options.clipvalue == 2
    assert plan.training.epochs == 3


def test_the_old_setting_names_the_new_one():
    with pytest.raises(RequestError, match=r"It is a component: --optimizer NAME"):
        api.plan(overrides=["training.optimizer=sgd"])


def test_a_wrong_name_is_refused_with_the_plan():
    with pytest.raises(RequestError, match="Did you mean 'adam'"):
        api.plan(optimizer="adamv")
    with pytest.raises(RequestError, match="has one optimizer"):
        api.plan(optimizer="adam,sgd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sgd:momentun=0.9", "Did you mean 'momentum'"),
        ("sgd:momentum=much", "expected a number"),
        ("sgd:momentum=7", "at most 1"),
        ("sgd:nesterov=0.5", "expected true or false"),
        ("sgd:momentum=nan", "expected a number"),
        ("adam:epsilon=inf", "expected a number"),
        ("muon:ns_steps=2.5", "expected a whole number"),
        ("adam:learning_rate=1", "no parameter 'learning_rate'"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_plan(text, message):
    with pytest.raises(RequestError, match=message):
        api.plan(optimizer=text)


def test_clipping_parameters_that_exclude_each_other_are_refused_with_the_plan():
    with pytest.raises(RequestError, match="clipnorm, clipvalue and global_clipnorm exclude each other"):
        api.plan(optimizer="sgd:clipnorm=1:clipvalue=1")


def test_what_keras_refuses_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise ValueError("not with these")

    monkeypatch.setattr(keras.optimizers, "SGD", refuse)
    with pytest.raises(RequestError, match=r"The optimizer 'sgd' of marsseg .* does not fit: not with these"):
        small_run(tmp_path, optimizer="sgd")
    assert not (tmp_path / "run").exists()


class TestExponentialAverage:
    def test_is_scored_and_stored_in_place_of_the_last_weights(self, tmp_path):
        run = small_run(tmp_path, epochs=1, overrides=["training.averaging=ema", "training.ema_momentum=0.9"])
        with np.load(run.folder.checkpoint) as archive:
            last = [archive[name] for name in archive.files if name.startswith("variable")]
        stored = [np.asarray(weight) for weight in run.network.trainable_weights]
        assert not any(
            np.array_equal(a, b) for a in stored for b in last[: len(stored)] if a.shape == b.shape and a.any()
        )

    def test_with_a_momentum_near_0_equals_the_last_weights(self, tmp_path):
        plain = small_run(tmp_path / "plain", arch=PLAIN)
        averaged = small_run(
            tmp_path / "ema", arch=PLAIN, overrides=["training.averaging=ema", "training.ema_momentum=1e-7"]
        )
        for a, b in zip(plain.network.weights, averaged.network.weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_training_goes_on_from_the_last_weights_not_from_the_average(self, tmp_path):
        plain = small_run(tmp_path / "plain")
        averaged = small_run(tmp_path / "ema", overrides=["training.averaging=ema"])
        assert [r["loss"] for r in averaged.history] == pytest.approx([r["loss"] for r in plain.history], rel=1e-5)
        assert averaged.history[-1]["val_loss"] != pytest.approx(plain.history[-1]["val_loss"], rel=1e-5)

    def test_works_in_half_precision(self, tmp_path):
        run = small_run(tmp_path, epochs=2, precision="mixed_float16", overrides=["training.averaging=ema"])
        assert np.isfinite(run.history[-1]["val_loss"])


class TestEpochAverage:
    def test_is_the_mean_of_the_added_weights(self):
        network = marsseg.network("unet:width=0.125:depth=1:convolutions=1", height=16, width=16)
        average = EpochAverage(network)
        assert average.empty
        added = []
        random = np.random.default_rng(0)
        for _ in range(3):
            for weight in network.weights:
                weight.assign(random.normal(size=weight.shape))
            added.append([np.array(weight) for weight in network.weights])
            average.add(network)
        for mean, weights in zip(average.values(), zip(*added, strict=True), strict=True):
            np.testing.assert_allclose(mean, np.mean(weights, axis=0), rtol=1e-5, atol=1e-6)

    def test_begins_after_the_requested_share_and_is_in_the_checkpoint(self, tmp_path):
        run = small_run(tmp_path, epochs=4, overrides=["training.averaging=swa", "training.swa_start=0.5"])
        with np.load(run.folder.checkpoint) as archive:
            arrays = [archive[name] for name in archive.files if name != "progress"]
        assert any(array.shape == () and array == 2 for array in arrays)  # the average of two epochs
        assert len(arrays) > 2 * len(run.network.weights)

    def test_training_goes_on_from_the_last_weights(self, tmp_path):
        plain = small_run(tmp_path / "plain", arch=PLAIN)
        averaged = small_run(tmp_path / "swa", arch=PLAIN, overrides=["training.averaging=swa", "training.swa_start=0"])
        assert [r["loss"] for r in averaged.history] == pytest.approx([r["loss"] for r in plain.history], rel=1e-5)
        # after one epoch, the mean equals the weights
        assert averaged.history[0]["val_loss"] == pytest.approx(plain.history[0]["val_loss"], rel=1e-5)
        assert averaged.history[-1]["val_loss"] != pytest.approx(plain.history[-1]["val_loss"], rel=1e-5)

    def test_only_an_average_replaces_an_average(self, tmp_path):
        """The first epochs of this training are its best."""
        words = {"epochs": 4, "learning_rate": 0.3, "schedule": "constant"}
        run = small_run(tmp_path, overrides=["training.averaging=swa", "training.swa_start=0.75"], **words)
        scores = [row["val_miou"] for row in run.history]
        assert max(scores[:3]) > scores[3]
        assert run.best_epoch == 4

    def test_a_training_that_ends_before_averaging_warns(self, tmp_path):
        warnings = []
        words = SMALL | {"epochs": 6, "patience": 1, "learning_rate": 1e-12, "schedule": "constant"}
        overrides = ["training.averaging=swa", "training.swa_start=0.9"]
        with warnings_told(warnings):
            run = marsseg.run(out=tmp_path / "run", overrides=overrides, **words)
        assert len(run.history) < 6
        assert any("ended before weight averaging began" in line for line in warnings)


class TestStatistics:
    def test_are_the_means_over_the_batches(self):
        inputs = keras.Input((4, 4, 2))
        norm = keras.layers.BatchNormalization(momentum=0.9)
        network = keras.Model(inputs, keras.layers.Dropout(0.5, seed=1)(norm(inputs)))
        batches = np.random.default_rng(0).normal(3, 2, (5, 6, 4, 4, 2)).astype(np.float32)
        states = [np.array(variable) for variable in network.variables if "seed" in variable.path]
        Statistics(network, [norm]).recompute(batches)
        np.testing.assert_allclose(norm.moving_mean, batches.mean((1, 2, 3)).mean(0), rtol=1e-4)
        np.testing.assert_allclose(norm.moving_variance, batches.var((1, 2, 3)).mean(0), rtol=1e-4)
        assert norm.momentum == 0.9
        after = [np.array(variable) for variable in network.variables if "seed" in variable.path]
        assert states
        for actual, expected in zip(after, states, strict=True):
            np.testing.assert_array_equal(actual, expected)

    def test_come_from_the_same_batches_each_time(self, tiny):
        first, again = (list(calibration_batches(tiny, np.arange(10), 4)) for _ in range(2))
        assert [len(batch) for batch in first] == [4, 4]
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("options", [["averaging=ema"], ["averaging=swa", "swa_start=0"]])
    def test_of_averaged_weights_are_their_own(self, options, tmp_path):
        run = small_run(tmp_path, overrides=[f"training.{option}" for option in options])
        stored = [np.array(weight) for weight in run.network.weights]
        layers = normalisations(run.network)
        batches = calibration_batches(run.data, run.split["train"], SMALL["batch"])
        Statistics(run.network, layers).recompute(batches)
        assert layers
        for actual, expected in zip(run.network.weights, stored, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("learn_ignored", "ignore_classes"), [("false", (0,)), ("true", ())])
def test_ignored_classes_count_in_the_losses_where_asked(learn_ignored, ignore_classes):
    plan = api.plan(**SMALL, overrides=[f"training.learn_ignored={learn_ignored}"])
    data = plan.one(kinds.DATASET).load()
    assert build_objective(plan, data, split_data(data, 0.15, 0.15, 0)).spec.ignore_classes == ignore_classes


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.AdamW])
@pytest.mark.parametrize("eagerly", [False, True])
def test_updates_in_one_pass_are_those_of_keras(optimizer, eagerly):
    def trained(change):
        keras.utils.set_random_seed(1)
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, dtype="float64"), keras.layers.Dense(1)])
        rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
        network.compile(optimizer=change(optimizer(rate, clipnorm=1.0)), loss="mse", run_eagerly=eagerly)
        for seed in range(4):
            draw = np.random.default_rng(seed).normal
            network.train_on_batch(draw(size=(5, 3)), draw(size=(5, 1)))
        return [np.array(v) for v in (*network.weights, *network.optimizer.variables)]

    def changed(optimizer):
        update_in_one_pass(optimizer)
        return optimizer

    for value, expected in zip(trained(changed), trained(lambda optimizer: optimizer), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
