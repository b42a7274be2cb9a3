"""Components are checked before the training: an error names the component that returns something wrong."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from helpers.messages import warned_of
from keras import layers

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.networks.build import build_network
from marsseg_plugins.architectures.unet import UNet
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.bottlenecks.aspp import ASPP
from marsseg_plugins.datasets.synthetic import Synthetic
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.schedules.constant import Constant
from marsseg_plugins.weightings.fixed import Fixed

pytestmark = pytest.mark.usefixtures("without_reports")

WORDS = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": "synthetic:count=24:height=16:width=32", "batch": 4}


def network(**words):
    return build_network(api.plan(**(WORDS | words)), (16, 32, 1), 5)


def run(tmp_path, **words):
    return marsseg.run(out=tmp_path / "run", **(WORDS | {"epochs": 1} | words))


def network_of(output, *more):
    """A `build` method whose network applies `output` to the images."""

    def build(self, spec):
        images = keras.Input((spec.height, spec.width, spec.channels))
        return keras.Model(images, output(images), *more)

    return build


def logits(images, classes=5, **words):
    return layers.Conv2D(classes, 1, **words)(images)


class Bare(layers.Layer):
    """A layer that is not registered."""

    def call(self, values):
        return values


@keras.saving.register_keras_serializable("network-checks")
class Elsewhere(layers.Layer):
    """A registered layer in a module that no component names."""

    def call(self, values):
        return values


@keras.saving.register_keras_serializable("network-checks")
class Forgetful(layers.Layer):
    """A layer whose configuration lacks an argument of its constructor."""

    def __init__(self, size, **words):
        super().__init__(**words)

    def get_config(self):
        return super().get_config()

    def call(self, values):
        return values


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda self, spec: None, "builds None, not a keras.Model"),
        (network_of(lambda images: [logits(images), logits(images)]), "builds a network whose output is"),
        (network_of(lambda images: {"other": logits(images)}), "builds a network whose output is"),
        (network_of(lambda images: logits(images, 4)), r"returns logits of shape \(None, 16, 32, 4\), not"),
        (
            network_of(lambda images: {"logits": logits(images), "aux": logits(images, strides=2)}),
            r"returns aux of shape \(None, 8, 16, 5\), not",
        ),
    ],
)
def test_an_architecture_with_a_wrong_output_is_named(monkeypatch, build, message):
    monkeypatch.setattr(UNet, "build", build)
    with pytest.raises(PluginError, match=f"The architecture 'unet' of marsseg .* {message}"):
        network(bottleneck="none")


def test_an_architecture_that_leaves_the_bottleneck_out_is_refused(monkeypatch):
    monkeypatch.setattr(UNet, "build", network_of(logits))
    with pytest.raises(PluginError, match=r"'unet' of marsseg .* does not use the bottleneck: aspp"):
        network(bottleneck="aspp")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda self, features, spec: 1 / 0, "failed: ZeroDivisionError"),
        (lambda self, features, spec: None, "returns None for a feature map"),
        (lambda self, features, spec: layers.UpSampling2D()(features), r"returns a feature map of shape \(None, "),
    ],
)
def test_an_error_in_a_bottleneck_names_the_bottleneck(monkeypatch, build, message):
    monkeypatch.setattr(ASPP, "build", build)
    with pytest.raises(PluginError, match=f"The bottleneck 'aspp' of marsseg .* {message}"):
        network(bottleneck="aspp")
    with pytest.raises(PluginError, match=f"The bottleneck 'aspp' of marsseg .* {message}"):
        network(arch="dual:width=0.125:first_bottleneck=aspp", bottleneck="none")


@pytest.mark.parametrize(
    "layer",
    [lambda: Bare(), lambda: Forgetful(3), lambda: layers.Lambda(lambda values: values)],
    ids=["bare", "args", "lambda"],
)
def test_a_layer_that_could_not_be_loaded_is_refused_before_the_training(monkeypatch, layer):
    monkeypatch.setattr(UNet, "build", network_of(lambda images: logits(layer()(images))))
    with pytest.raises(PluginError, match="could not be loaded after the training, because of its layer"):
        network(bottleneck="none")


def test_a_layer_whose_module_no_component_names_causes_a_warning(monkeypatch):
    monkeypatch.setattr(UNet, "build", network_of(lambda images: logits(Elsewhere()(images))))
    with warned_of(r"no component names the module of its layer .*Elsewhere in layer_modules"):
        network(bottleneck="none")
    monkeypatch.setattr(UNet, "layer_modules", (__name__,))
    network(bottleneck="none")


def test_a_network_that_cannot_be_read_says_which_layer_is_not_known(tmp_path):
    done = run(tmp_path)
    images = keras.Input((16, 32, 1))
    keras.Model(images, logits(Elsewhere()(images))).save(done.folder.network)
    del keras.saving.get_custom_objects()["network-checks>Elsewhere"]
    try:
        with pytest.raises(RequestError, match=r"a layer of the class Elsewhere, which is not known.* layer_modules"):
            marsseg.load(done.path)
    finally:
        keras.saving.get_custom_objects()["network-checks>Elsewhere"] = Elsewhere


@pytest.mark.parametrize(
    ("component", "method", "result", "message"),
    [
        (Synthetic, "load", None, "data set 'synthetic' of marsseg .* loads a NoneType"),
        (SSCE, "build", lambda labels, logits: None, "loss 'ssce' of marsseg .* returns None, not a scalar"),
        (SSCE, "build", lambda labels, logits: 3.0, r"loss 'ssce' of marsseg .* returns 3\.0, not a scalar"),
        (Constant, "build", None, "schedule 'constant' of marsseg .* builds None, which is neither"),
        (HFlip, "apply", None, r"augmentation 'hflip' of marsseg .* returns a NoneType, not \(images, masks\)"),
    ],
)
def test_a_component_with_a_wrong_result_is_named(tmp_path, monkeypatch, component, method, result, message):
    monkeypatch.setattr(component, method, lambda self, *arguments: result)
    with pytest.raises(PluginError, match=message):
        run(tmp_path, loss="ssce", augment="hflip:p=1", schedule="constant")


def test_an_augmentation_that_returns_an_unknown_label_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(HFlip, "apply", lambda self, images, masks, generators: (images, np.full_like(masks, 77)))
    with pytest.raises(
        PluginError, match=r"'hflip' of marsseg .* returns a mask with the label 77, which is not a class"
    ):
        run(tmp_path, augment="hflip:p=1")


def test_a_weighting_whose_layer_fails_is_named(tmp_path, monkeypatch):
    from marsseg_core.components.weighting_layer import WeightingLayer

    class Broken(WeightingLayer):
        def build(self, shape):
            raise KeyError("broken")

    monkeypatch.setattr(Fixed, "build", lambda self, spec: Broken(spec))
    with pytest.raises(PluginError, match=r"weighting 'fixed' of marsseg .* failed: KeyError"):
        run(tmp_path)


class TestNetworkByName:
    """`marsseg.network` makes the same checks as a run."""

    def test_an_architecture_with_a_wrong_output_is_named(self, monkeypatch):
        monkeypatch.setattr(UNet, "build", network_of(lambda images: logits(images, 4)))
        with pytest.raises(PluginError, match=r"'unet' of marsseg .* returns logits of shape"):
            marsseg.network("unet", height=16, width=32)

    def test_a_bottleneck_that_is_left_out_is_named(self, monkeypatch):
        monkeypatch.setattr(UNet, "build", network_of(logits))
        with pytest.raises(PluginError, match="does not use the bottleneck: aspp"):
            marsseg.network("unet", bottleneck="aspp", height=16, width=32)

    def test_a_layer_that_cannot_be_loaded_is_named(self, monkeypatch):
        monkeypatch.setattr(UNet, "build", network_of(lambda images: logits(Bare()(images))))
        with pytest.raises(PluginError, match="could not be loaded after the training"):
            marsseg.network("unet", height=16, width=32)

    def test_an_architecture_that_raises_value_error_is_a_wrong_request(self, monkeypatch):
        def refuse(self, spec):
            raise ValueError("too small")

        monkeypatch.setattr(UNet, "build", refuse)
        with pytest.raises(RequestError, match=r"'unet' of marsseg .* does not fit: too small"):
            marsseg.network("unet")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"height": 0}, "height must be at least 1, not 0"),
            ({"width": -8}, "width must be at least 1, not -8"),
            ({"width": 12.5}, "width must be a whole number, not 12.5"),
            ({"channels": True}, "channels must be a whole number, not True"),
            ({"height": None}, "height must be at least 1, not None"),
            ({"num_classes": 1}, "num_classes must be at least 2, not 1"),
            ({"seed": -1}, "seed must be at least 0, not -1"),
            ({"arch": "unet,dense"}, "one architecture; these are 2"),
        ],
    )
    def test_invalid_numbers_are_refused(self, words, message):
        with pytest.raises(RequestError, match=message):
            marsseg.network(**({"arch": "unet:width=0.1:depth=1"} | words))

    def test_the_random_state_is_the_users_unless_a_seed_is_given(self):
        def kernel(seed=None):
            built = marsseg.network("unet:width=0.1:depth=1", height=16, width=16, seed=seed)
            return keras.ops.convert_to_numpy(built.weights[0])

        keras.utils.set_random_seed(7)
        first, second = kernel(), kernel()
        assert (first != second).any()
        keras.utils.set_random_seed(7)
        np.testing.assert_array_equal(kernel(), first)
        np.testing.assert_array_equal(kernel(seed=3), kernel(seed=3))


LATE = '''
from dataclasses import dataclass
from marsseg_core.plugin_api import Schedule

@dataclass(frozen=True)
class Late(Schedule):
    """Fails after the first epoch."""

    def build(self, spec):
        import keras

        class Callback(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                raise RuntimeError("boom")

        return Callback()
'''


def test_a_failure_in_the_middle_of_the_training_is_named_with_its_line(tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    with pytest.raises(
        PluginError, match=rf"schedule 'late' of late\.py .* RuntimeError: boom .*{tmp_path}/late.py:14"
    ):
        run(tmp_path, schedule="late", plugins=[tmp_path / "late.py"])
