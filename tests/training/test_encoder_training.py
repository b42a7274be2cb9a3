"""How the encoder of a network is trained: frozen, more slowly, or with fixed statistics."""

import shutil

import keras
import numpy as np
import pytest
from helpers.semi import labels_in

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.data.splits import split_data
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.build import build_network
from marsseg_core.networks.encoder_layers import encoder_layers, encoder_normalisations
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.keras_backend.functions import temporary_gradients
from marsseg_core.networks.keras_backend.optimizers import update_in_one_pass
from marsseg_core.networks.keras_backend.settings import fixed_settings
from marsseg_core.networks.wiring import same_wiring
from marsseg_core.planning.options import EncoderOptions
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load
from marsseg_core.testing.other_backend import other_backend, run_on_backend
from marsseg_core.training.callbacks import EncoderEpochs, EpochClock
from marsseg_core.training.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from marsseg_core.training.encoder_training import EncoderTraining
from marsseg_core.training.encoder_updates import update_encoder_apart
from marsseg_core.training.rounds import Rounds
from marsseg_core.training.setup import set_up_training
from marsseg_core.training.statistics import normalisations

pytestmark = pytest.mark.usefixtures("without_observers")

TINY = '''"""A small encoder with batch normalisation, and a small decoder."""

from dataclasses import dataclass

from marsseg_core.plugin_api import Architecture, Encoder


@dataclass(frozen=True)
class Decoder(Architecture):
    """Normalise, classify and enlarge the last map."""

    takes_encoder = True

    def build(self, spec):
        import keras
        from keras import layers

        images = keras.Input((spec.height, spec.width, spec.channels))
        x = layers.BatchNormalization()(spec.encode(images, 8)[8])
        return keras.Model(images, layers.UpSampling2D(8)(layers.Conv2D(spec.num_classes, 1)(x)))


@dataclass(frozen=True)
class Tiny(Encoder):
    """Convolve once, then take averages."""

    def build(self, images, spec):
        from keras import layers

        x = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name=f"{spec.prefix}conv")(images)
        x = layers.BatchNormalization(name=f"{spec.prefix}norm")(x)
        maps = {2: x}
        for stride in (4, 8):
            maps[stride] = x = layers.AveragePooling2D(2, name=f"{spec.prefix}mean{stride}")(x)
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


class Saver(keras.callbacks.Callback):
    """Write a checkpoint after each epoch, and remember the encoder's weights and their averages."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.encoders, self.averages = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.encoders.append(encoder_weights(self.model.network))
        with self.model.averaged():
            self.averages.append(encoder_weights(self.model.network))
        save_checkpoint(self.folder / f"{epoch + 1}.npz", self.model, TrainingProgress(epoch + 1, [], None, None, {}))


class TestAFrozenBeginning:
    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, plugin, tmp_path_factory):
        """`trained(begin, end, checkpoint)` → the checkpoints, encoders and averages of each epoch."""
        plan = api.plan(**words(plugin, ":freeze=2:learning_rate_factor=0.5"), overrides=["training.averaging=ema"])
        data = plan.one(kinds.DATASET).load()
        split = split_data(data, 0.2, 0.2, 0)

        def train(begin=0, end=4, checkpoint=None):
            setup = set_up_training(plan, data, split, best_by="val_miou")
            setup.task.calibration = None
            if checkpoint is not None:
                load_checkpoint(checkpoint, setup.task)
            saver = Saver(tmp_path_factory.mktemp("checkpoints"))
            with fixed_settings(), temporary_gradients(), setup.batches.working(end - begin):
                setup.task.fit(
                    setup.batches,
                    epochs=end,
                    initial_epoch=begin,
                    callbacks=[EpochClock(setup.batches), EncoderEpochs(), saver],
                    shuffle=False,
                    verbose=0,
                )
            return saver

        train.initial = encoder_weights(build_network(plan, data.images.shape[1:], data.num_classes))
        train.whole = train()
        return train

    def test_the_encoder_changes_only_after_it(self, trained):
        encoders, averages = trained.whole.encoders, trained.whole.averages
        for frozen in (*encoders[:2], *averages[:2]):
            assert_same(frozen, trained.initial)
        for before, after in zip(encoders[1], encoders[2], strict=True):
            assert (before != after).any()
        assert (averages[2][0] != encoders[2][0]).any()

    @pytest.mark.parametrize("epoch", [1, 2, 3])
    def test_a_training_goes_on_to_the_same_bits(self, trained, epoch):
        """Resumed among the frozen epochs, after the last of them, and later."""
        folder = trained.whole.folder
        resumed = trained(epoch, epoch + 1, folder / f"{epoch}.npz").folder
        with np.load(folder / f"{epoch + 1}.npz") as expected, np.load(resumed / f"{epoch + 1}.npz") as actual:
            assert set(actual) == set(expected)
            for name in set(actual) - {"progress"}:
                np.testing.assert_array_equal(actual[name], expected[name])


def test_a_killed_run_makes_the_labels_of_a_round_with_the_average_of_an_encoder_that_is_trained_by_then(
    plugin, tmp_path, monkeypatch
):
    """When the round begins, the encoder has not been set for its first epoch yet."""
    make_labels = Rounds.on_epoch_begin

    def then_copy(self, epoch, logs=None):
        make_labels(self, epoch, logs)
        if epoch == 2:
            shutil.copytree(self._run.folder.path, tmp_path / "killed")

    chosen = words(plugin, ":freeze=1") | {"unlabelled": "synthetic:count=4:height=16:width=16", "epochs": 3}
    chosen |= {"semi": "pseudo:runs=none:rounds=3:soft=true", "learning_rate": 0.05}
    with monkeypatch.context() as patch:
        patch.setattr(Rounds, "on_epoch_begin", then_copy)
        marsseg.run(out=tmp_path / "whole", **chosen, overrides=["training.averaging=swa", "training.swa_start=0"])
    labels = labels_in(RunFolder(tmp_path / "killed"))
    resumed = marsseg.resume(tmp_path / "killed", trust=True)
    np.testing.assert_array_equal(labels_in(resumed.folder), labels)


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


APART_ON_ANOTHER_BACKEND = """
import keras
import numpy as np

from marsseg_core.training.encoder_updates import update_encoder_apart

optimizer = keras.optimizers.SGD(0.5, use_ema=True, weight_decay=0.25)
variables = [keras.Variable(np.ones(2, "float32")) for _ in range(2)]
optimizer.build(variables)
update_encoder_apart(optimizer, variables[1:], 0.5, 1)
gradient = keras.ops.ones(2)
state = [variable.value for variable in optimizer.variables]
variables[1].trainable = False
(rest,), state = optimizer.stateless_apply(state, [gradient], [variables[0].value])
np.testing.assert_array_equal(rest, 1 - 0.125 - 0.5)
variables[1].trainable = True
(rest, encoder), state = optimizer.stateless_apply(state, [gradient] * 2, [rest, variables[1].value])
np.testing.assert_array_equal(encoder, 1 - 0.0625 - 0.25)
"""


def test_jax_updates_only_what_is_trained():
    """The assertions are in the code, which another process executes."""
    if other_backend() != "jax":
        pytest.skip("JAX is not installed, or is the backend of this process")
    run_on_backend("jax", APART_ON_ANOTHER_BACKEND)


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
        ("freeze=true:statistics=frozen", "statistics=frozen has no effect"),
        ("statistics=frozen", "at the mean 0 and the variance 1"),
        ("freeze=6", ""),
        ("freeze=false:learning_rate_factor=0.5", ""),
    ],
)
def test_options_without_effect_are_remarked(options, remark):
    remarks = api.plan(arch="unet", encoder=f"efficientnet_lite0:{options}", epochs=7).remarks
    assert any(remark in line for line in remarks) if remark else not remarks


def test_weights_that_were_to_be_trained_later_and_never_are_are_remarked():
    def remarks(freeze):
        encoder = f"efficientnet_lite0:weights=imagenet:freeze={freeze}"
        return api.plan(arch="unet", encoder=encoder, epochs=7).remarks

    assert "freeze=7 keeps the encoder's weights in all 7 epochs." in remarks("7")
    assert not remarks("6")
    assert not remarks("true")


def test_freeze_is_a_number_of_epochs_or_a_truth_value():
    def value(text):
        return api.plan(arch="unet", encoder=f"efficientnet_lite0:freeze={text}").resolved[kinds.ENCODER][0].options

    assert [value(text).freeze for text in ("1", "true", "false")] == [1, True, False]
    assert value("1").freeze is not True


def test_fixed_statistics_of_an_encoder_without_any_are_remarked(caplog):
    network = marsseg.network("unet:width=0.125", encoder="mit_b0:width=0.25")
    EncoderTraining(network, EncoderOptions(statistics="frozen"))
    assert "the encoder has no batch normalisation" in caplog.text
