"""The contract of a bottleneck.

Its checks build a network of the bottleneck and one convolution on feature maps of several sizes, train it in Keras'
eager mode, and save it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from ..components.interfaces import Bottleneck
from ..components.specs import BottleneckSpec
from ..networks.keras_backend.settings import precision
from .architectures import READ_IN_FRESH_PROCESS, GradientRecorder, check_seeds, make_batch, reset_keras, train
from .components import ComponentContract, assert_same
from .processes import fresh_keras

SIZES = ((4, 8), (8, 4), (5, 9), (2, 1))
STEPS = 6


class BottleneckContract(ComponentContract):
    """Check a bottleneck: output shapes, learning, mixed precision, seeds, layer names, saving and loading.

    Attributes:
        component: The bottleneck, with parameters that make it as small as possible. A subclass must set it.
        channels: The number of channels of the feature map.
        num_classes: The number of classes.
        cancelled: Regular expressions for the paths of weights whose gradient may be zero. By default these are biases,
            because a normalisation or a softmax after a bias can cancel it.
        learning_rate: The learning rate of the checks that train.

    Example:
        ```python
        class TestMyBottleneck(BottleneckContract):
            component = MyBottleneck(filters=4)
        ```
    """

    component: ClassVar[Bottleneck]
    channels: ClassVar[int] = 6
    num_classes: ClassVar[int] = 3
    cancelled: ClassVar[tuple[str, ...]] = (r"/bias$",)
    learning_rate: ClassVar[float] = 3e-3

    def build(self, size: tuple[int, int], channels: int | None = None, seed: int = 1) -> keras.Model:
        """Return a model of the bottleneck alone, for feature maps of this size."""
        reset_keras(seed)
        features = keras.Input((*size, channels or self.channels))
        return keras.Model(features, self.component.build(features, BottleneckSpec(self.num_classes, "first_")))

    def with_logits(self, size: tuple[int, int], seed: int = 1) -> keras.Model:
        """Return a model of the bottleneck and a convolution to logits."""
        transformed = self.build(size, seed=seed)
        logits = keras.layers.Conv2D(self.num_classes, 1, dtype="float32", name="logits")(transformed.output)
        return keras.Model(transformed.input, logits)

    def features(self, size: tuple[int, int], channels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return feature maps (3, h, w, c) float32 and labels (3, h, w) int32."""
        return make_batch(size, channels or self.channels, self.num_classes)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
    def test_it_keeps_height_and_width(self, size: tuple[int, int]) -> None:
        network = self.build(size)
        values = predict(network, self.features(size)[0])
        assert_keeps_size(network, size)
        assert values.shape[1:3] == size, f"a feature map of size {size} is returned with the size {values.shape[1:3]}"
        assert np.isfinite(values).all(), "the returned feature map has values that are not finite"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_it_is_finite_in_mixed_precision(self, policy: str) -> None:
        with precision(policy):
            network = self.build(SIZES[2])
            values = predict(network, self.features(SIZES[2])[0])
        finite = np.isfinite(values.astype(np.float32)).all()
        assert finite, f"the returned feature map has values that are not finite in {policy}"

    @pytest.mark.parametrize("channels", [1, 5, 16])
    def test_it_takes_maps_of_any_number_of_channels(self, channels: int) -> None:
        network = self.build(SIZES[0], channels)
        finite = np.isfinite(predict(network, self.features(SIZES[0], channels)[0])).all()
        assert finite, f"the returned feature map has values that are not finite if the input has {channels} channels"

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (self.build(SIZES[0]) for _ in range(2))
        for weight, other in zip(first.weights, second.weights, strict=True):
            assert_same(np.asarray(other), np.asarray(weight), f"built twice with the same seed: {weight.path}")

    def test_another_seed_gives_other_weights(self) -> None:
        check_seeds(lambda seed: self.build(SIZES[0], seed=seed))

    def test_two_of_it_fit_into_one_network(self) -> None:
        """Check that the names of all layers begin with `spec.prefix`, so that they are unique in the network."""
        reset_keras(seed=1)
        x = features = keras.Input((*SIZES[0], self.channels))
        for prefix in ("first_", "second_"):
            x = self.component.build(x, BottleneckSpec(self.num_classes, prefix))
        network = keras.Model(features, x)
        weighted = [layer for layer in network.layers if layer.weights]
        wrong = [layer.name for layer in weighted if not layer.name.startswith(("first_", "second_"))]
        assert not wrong, f"the layer names {wrong} do not begin with spec.prefix"
        assert_keeps_size(network, SIZES[0])

    def test_it_learns_with_all_its_weights(self) -> None:
        features, labels = self.features(SIZES[2])
        unreached: set[str] | None = None
        for seed in (1, 2):  # in a small network all ReLUs after a weight can be dead from the start
            network, recorder = self.with_logits(SIZES[2], seed), GradientRecorder(self.learning_rate)
            losses = train(network, recorder, features, labels, STEPS, eager=True)
            assert np.isfinite(losses).all(), f"a loss is not finite: {losses}"
            assert losses[-1] < losses[0], f"{STEPS} training steps did not lower the loss: {losses}"
            differing = {weight.path for weight in network.trainable_weights} ^ set(recorder.norms)
            assert not differing, (
                f"the trained weights are not the trainable weights of the network: {sorted(differing)}"
            )
            paths = {path for path in recorder.unreached() if not any(re.search(each, path) for each in self.cancelled)}
            unreached = paths if unreached is None else unreached & paths
            if not unreached:
                return
        assert not unreached, (
            f"no gradient reaches {sorted(unreached)}: if this is intended, set `cancelled` in the test class"
        )

    def test_it_can_be_saved_and_loaded(self, tmp_path: Path) -> None:
        network, features = self.build(SIZES[2]), self.features(SIZES[2])[0]
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
        after, before = predict(loaded, features), predict(network, features)
        assert_same(after, before, "the output of the saved and loaded network", rtol=1e-5, atol=1e-5)

    @pytest.mark.slow
    def test_it_loads_in_a_fresh_process(self, tmp_path: Path) -> None:
        network, features = self.with_logits(SIZES[0]), self.features(SIZES[0])[0]
        files = [str(tmp_path / name) for name in ("network.keras", "images.npy", "outputs.npz")]
        network.save(files[0])
        np.save(files[1], features)
        fresh_keras(READ_IN_FRESH_PROCESS, *files, json.dumps(self.component.layer_modules))
        with np.load(files[2]) as loaded:
            what = "the output of the network that a fresh process loaded"
            assert_same(loaded["logits"], predict(network, features), what, rtol=1e-4, atol=1e-4)


def assert_keeps_size(network: keras.Model, size: tuple[int, int]) -> None:
    """Assert that the output of the network has this height and width."""
    shape = tuple(network.output.shape)
    assert shape[:3] == (None, *size), (
        f"a feature map of size {size} is returned with the shape {shape}: keep height and width"
    )


def predict(network: keras.Model, features: np.ndarray) -> Any:
    """Return the output of the network in inference mode, as an array."""
    return keras.ops.convert_to_numpy(network(features, training=False))
