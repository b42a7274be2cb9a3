"""How the encoder of a network is trained: frozen, more slowly, or with fixed statistics."""

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.networks.build import build_network
from marsseg_core.networks.encoder_layers import encoder_layers, encoder_normalisations
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.keras_backend import update_in_one_pass
from marsseg_core.networks.wiring import same_wiring
from marsseg_core.planning.options import EncoderOptions
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load
from marsseg_core.training.encoder_training import EncoderTraining
from marsseg_core.training.encoder_updates import update_encoder_apart
from marsseg_core.training.recorder import RunRecorder
from marsseg_core.training.statistics import normalisations

pytestmark = pytest.mark.usefixtures("without_observers")

TINY = '''"""A small encoder with batch normalisation, and a small decoder."""

from dataclasses import dataclass

from marsseg_core.plugin_api import Architecture, Encoder


@dataclass(frozen=True)
class Decoder(Architecture):
    """Convolve and enlarge the last map."""

    takes_encoder = True

    def build(self, spec):
        import keras
        from keras import layers

        images = keras.Input((spec.height, spec.width, spec.channels))
        x = spec.encode(images, 8)[8]
        x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x))
        return keras.Model(images, layers.UpSampling2D(8)(layers.Conv2D(spec.num_classes, 1)(x)))


@dataclass(frozen=True)
class Tiny(Encoder):
    """Halve the maps by a convolution at each stride."""

    def build(self, images, spec):
        from keras import layers

        maps, x = {}, images
        for stride in (2, 4, 8):
            name = f"{spec.prefix}level{stride}"
            x = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name=f"{name}_conv")(x)
            maps[stride] = x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return maps
'''
OPTIMIZERS = installed().names(kinds.OPTIMIZER)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "tiny.py"
    path.write_text(TINY)
    return path


def words(plugin, options):
    return {
        "arch": "decoder",
        "encoder": f"tiny{options}",
        "loss": "ssce",
        "data": "synthetic:count=12:height=16:width=16",
        "batch": 4,
        "epochs": 4,
        "plugins": [plugin],
    }


def network_of(plugin, options=""):
    chosen = words(plugin, options)
    return marsseg.network(chosen["arch"], encoder=chosen["encoder"], plugins=[plugin], height=16, width=16)


def values(variables):
    return [np.array(variable) for variable in variables]


def assert_same(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def encoder_weights(network):
    return values(weight for layer in encoder_layers(network) for weight in layer.weights)


class TestARun:
    """With everything that has a state: averages of weights by each step, accumulated gradients, Adam's averages."""

    @pytest.fixture(scope="class")
    @classmethod
    def history(cls, plugin, tmp_path_factory):
        """A run that is frozen for two of four epochs; the same, killed after each epoch; and the encoder in each."""
        chosen = words(plugin, ":freeze=2:learning_rate_factor=0.5") | {
            "optimizer": "adamw:gradient_accumulation_steps=2",
            "overrides": ["training.averaging=ema"],
        }
        folder, encoders = tmp_path_factory.mktemp("runs"), []
        original = RunRecorder.on_epoch_end

        def recording(self, epoch, logs=None):
            encoders.append(encoder_weights(self.model.network))
            assert all(layer.trainable for layer in self.model.network.layers)
            original(self, epoch, logs)

        def dying(self, epoch, logs=None):
            original(self, epoch, logs)
            raise SystemExit

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunRecorder, "on_epoch_end", recording)
            whole = marsseg.run(out=folder / "whole", **chosen)
            patch.setattr(RunRecorder, "on_epoch_end", dying)
            with pytest.raises(SystemExit):
                marsseg.run(out=folder / "killed", **chosen)
            for _ in range(2):
                with pytest.raises(SystemExit):
                    marsseg.resume(folder / "killed", trust=True)
        return whole, marsseg.resume(folder / "killed", trust=True), encoders

    def test_the_encoder_changes_only_after_its_frozen_epochs(self, history):
        run, _, encoders = history
        initial = encoder_weights(build_network(run.plan, run.data.images.shape[1:], run.data.num_classes))
        assert_same(encoders[0], initial)
        assert_same(encoders[1], initial)
        for before, after in zip(encoders[1], encoders[2], strict=True):
            assert (before != after).any()

    def test_resumed_at_each_epoch_it_ends_with_the_same_bits(self, history):
        run, resumed, _ = history
        assert_same(values(resumed.network.weights), values(run.network.weights))
        for one, other in zip(resumed.history, run.history, strict=True):
            assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_an_encoder_that_is_never_trained_keeps_its_bits_in_averages_too(plugin, tmp_path, caplog):
    """The mean of three equal numbers may differ from them in the last bit."""
    chosen = words(plugin, ":freeze=true") | {"epochs": 3}
    run = marsseg.run(out=tmp_path / "run", **chosen, overrides=["training.averaging=swa", "training.swa_start=0"])
    initial = build_network(run.plan, run.data.images.shape[1:], run.data.num_classes)
    assert run.best_epoch is not None
    assert_same(encoder_weights(run.network), encoder_weights(initial))
    assert same_wiring(run.network, network_of(plugin))
    assert any("freeze keeps them so in all epochs" in line for line in caplog.messages)


@pytest.mark.parametrize("name", OPTIMIZERS)
class TestUpdates:
    """Two variables, one of them of the encoder, compared with optimizers that have only one of them."""

    FACTOR = 0.25
    START = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)

    def trained(self, name, rate, steps, of_encoder=None, first_step=0):
        """Return the values, after so many steps, of one variable, or of two where `of_encoder` is a factor."""
        optimizer = getattr(keras.optimizers, load(installed().find(kinds.OPTIMIZER, name)).keras_name)(
            rate, weight_decay=0.1
        )
        update_in_one_pass(optimizer)
        variables = [keras.Variable(self.START) for _ in range(1 if of_encoder is None else 2)]
        optimizer.build(variables)
        if of_encoder is not None:
            update_encoder_apart(optimizer, variables[1:], of_encoder, first_step)
        for step in range(steps):
            used = variables[: 1 if step < first_step else 2]
            gradient = np.random.default_rng(step - first_step + 9).normal(size=self.START.shape).astype(np.float32)
            optimizer.apply([keras.ops.convert_to_tensor(gradient) for _ in used], used)
        return values(variables)

    def test_the_encoder_has_its_own_learning_rate(self, name):
        rest, encoder = self.trained(name, 0.01, 3, of_encoder=self.FACTOR)
        assert_same([rest], self.trained(name, 0.01, 3))
        assert_same([encoder], self.trained(name, 0.01 * self.FACTOR, 3))
        assert (rest != encoder).any()

    def test_an_encoder_that_was_frozen_begins_like_a_new_one(self, name):
        if name == "nadam":
            pytest.skip("its product of momenta is that of all variables together")
        encoder = self.trained(name, 0.01, 5, of_encoder=self.FACTOR, first_step=2)[1]
        assert_same([encoder], self.trained(name, 0.01 * self.FACTOR, 3))


def test_frozen_statistics_stay_while_gamma_and_beta_are_trained(plugin):
    network = network_of(plugin)
    plain = network_of(plugin)
    encoder = EncoderTraining(network, EncoderOptions(statistics="frozen"))
    images = np.random.default_rng(0).random((4, 16, 16, 1), np.float32)
    layers = encoder_normalisations(network)
    others = [layer for layer in normalisations(network) if layer not in layers]
    for layer in layers:
        layer.moving_mean.assign(layer.moving_mean + 0.25)
    before = values(weight for layer in layers for weight in layer.weights)
    assert not encoder.begin_epoch(0)
    outputs = []
    for form in (network, fast_network(network)):
        start = values(others[0].weights)
        outputs.append(np.array(form(images, training=True)))
        assert (np.array(others[0].moving_mean) != start[2]).any()
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)
    assert_same(values(weight for layer in layers for weight in layer.weights), before)
    trained = {id(variable) for variable in network.trainable_variables}
    assert {id(layer.gamma) for layer in layers} | {id(layer.beta) for layer in layers} <= trained
    assert encoder.moving(normalisations(network)) == others
    encoder.end_epoch()
    assert same_wiring(network, plain)
    network(images, training=True)
    assert (np.array(layers[0].moving_mean) != before[2]).any()


def test_a_frozen_encoder_does_not_count_as_trainable(plugin):
    free, frozen = network_of(plugin), network_of(plugin, ":freeze=true")
    assert frozen.count_params() == free.count_params()
    encoder = [weight for layer in encoder_layers(free) for weight in layer.trainable_weights]
    assert len(frozen.trainable_weights) == len(free.trainable_weights) - len(encoder)
    assert same_wiring(free, frozen)


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        ("freeze=true", "freeze keeps them so in all epochs"),
        ("freeze=7", "freeze keeps them so in all epochs"),
        ("freeze=true:learning_rate_factor=0.5", "learning_rate_factor has no effect"),
        ("statistics=frozen", "at the mean 0 and the variance 1"),
        ("freeze=6", ""),
        ("freeze=false:learning_rate_factor=0.5", ""),
    ],
)
def test_options_without_effect_are_remarked(options, remark):
    remarks = api.plan(arch="unet", encoder=f"efficientnet_lite0:{options}", epochs=7).remarks
    assert any(remark in line for line in remarks) if remark else not remarks


def test_freeze_is_a_number_of_epochs_or_a_truth_value():
    def value(text):
        return api.plan(arch="unet", encoder=f"efficientnet_lite0:freeze={text}").resolved[kinds.ENCODER][0].options

    assert [value(text).freeze for text in ("1", "true", "false")] == [1, True, False]
    assert value("1").freeze is not True
