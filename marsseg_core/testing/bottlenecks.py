"""The contract of a bottleneck, to inherit in a test:

    class TestMine(BottleneckContract):
        component = Mine(filters=4)

A network of it and one convolution is built on maps of several sizes, learns in Keras' eager mode, and is saved.
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
from ..networks.keras_backend import precision
from .architectures import READ_IN_FRESH_PROCESS, GradientRecorder, check_seeds, make_batch, start_anew, train
from .components import ComponentContract, assert_same, fresh_python

SIZES = ((4, 8), (8, 4), (5, 9), (2, 1))
STEPS = 6


class BottleneckContract(ComponentContract):
    """What every bottleneck keeps to; a subclass sets `component`, as small as it gets.

    `channels` are those of the map that it is given. `cancelled` are regular expressions for the paths of weights that
    may have a gradient of zero: by default biases, which a normalisation or a softmax after them takes out again.
    """

    component: ClassVar[Bottleneck]
    channels: ClassVar[int] = 6
    num_classes: ClassVar[int] = 3
    cancelled: ClassVar[tuple[str, ...]] = (r"/bias$",)
    learning_rate: ClassVar[float] = 3e-3

    def build(self, size: tuple[int, int], channels: int | None = None, seed: int = 1) -> keras.Model:
        """A network from a map to what the bottleneck makes of it."""
        start_anew(seed)
        features = keras.Input((*size, channels or self.channels))
        return keras.Model(features, self.component.build(features, BottleneckSpec(self.num_classes, "first_")))

    def with_logits(self, size: tuple[int, int], seed: int = 1) -> keras.Model:
        """The same, and a convolution to the logits of classes."""
        transformed = self.build(size, seed=seed)
        logits = keras.layers.Conv2D(self.num_classes, 1, dtype="float32", name="logits")(transformed.output)
        return keras.Model(transformed.input, logits)

    def features(self, size: tuple[int, int], channels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Maps (3, h, w, c) float32 and labels (3, h, w) uint8."""
        return make_batch(size, channels or self.channels, self.num_classes)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
    def test_it_keeps_height_and_width(self, size: tuple[int, int]) -> None:
        network = self.build(size)
        values = predict(network, self.features(size)[0])
        assert_keeps_size(network, size)
        assert values.shape[1:3] == size, f"a map of {size} comes out as one of {values.shape[1:3]}"
        assert np.isfinite(values).all(), "the map that comes out has values that are no finite numbers"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_it_is_finite_in_mixed_precision(self, policy: str) -> None:
        with precision(policy):
            network = self.build(SIZES[2])
            values = predict(network, self.features(SIZES[2])[0])
        finite = np.isfinite(values.astype(np.float32)).all()
        assert finite, f"the map that comes out has values that are no finite numbers in {policy}"

    @pytest.mark.parametrize("channels", [1, 5, 16])
    def test_it_takes_maps_of_any_number_of_channels(self, channels: int) -> None:
        network = self.build(SIZES[0], channels)
        finite = np.isfinite(predict(network, self.features(SIZES[0], channels)[0])).all()
        assert finite, f"of {channels} channels come values that are no finite numbers"

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (self.build(SIZES[0]) for _ in range(2))
        for weight, other in zip(first.weights, second.weights, strict=True):
            assert_same(np.asarray(other), np.asarray(weight), f"the same seed, another {weight.path}")

    def test_another_seed_gives_other_weights(self) -> None:
        check_seeds(lambda seed: self.build(SIZES[0], seed=seed))

    def test_it_chains_with_itself_under_the_names_it_is_given(self) -> None:
        """`prefix` begins the names of its layers, so that two of a kind fit into one network."""
        start_anew(seed=1)
        x = features = keras.Input((*SIZES[0], self.channels))
        for prefix in ("first_", "second_"):
            x = self.component.build(x, BottleneckSpec(self.num_classes, prefix))
        network = keras.Model(features, x)
        weighted = [layer for layer in network.layers if layer.weights]
        own = [layer.name for layer in weighted if not layer.name.startswith(("first_", "second_"))]
        assert not own, f"layers with names of their own, {own}: begin them with spec.prefix"
        assert_keeps_size(network, SIZES[0])

    def test_it_learns_with_all_its_weights(self) -> None:
        features, labels = self.features(SIZES[2])
        unreached: set[str] | None = None
        for seed in (1, 2):  # in a small network all ReLUs behind a weight can be dead from the start
            network, recorder = self.with_logits(SIZES[2], seed), GradientRecorder(self.learning_rate)
            losses = train(network, recorder, features, labels, STEPS, eager=True)
            assert np.isfinite(losses).all(), f"losses that are no finite numbers: {losses}"
            assert losses[-1] < losses[0], f"{STEPS} steps did not lower the loss: {losses}"
            missed = {weight.path for weight in network.trainable_weights} ^ set(recorder.norms)
            assert not missed, f"the weights that are trained are not the network's: {sorted(missed)}"
            found = {path for path in recorder.unreached() if not any(re.search(each, path) for each in self.cancelled)}
            unreached = found if unreached is None else unreached & found
            if not unreached:
                return
        assert not unreached, f"no gradient reaches {sorted(unreached)}; of weights that may have none, see `cancelled`"

    def test_it_is_saved_whole(self, tmp_path: Path) -> None:
        network, features = self.build(SIZES[2]), self.features(SIZES[2])[0]
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
        found, expected = predict(loaded, features), predict(network, features)
        assert_same(found, expected, "what the saved network, loaded, makes of a map", rtol=1e-5, atol=1e-5)

    @pytest.mark.slow
    def test_it_loads_in_a_fresh_process(self, tmp_path: Path) -> None:
        network, features = self.with_logits(SIZES[0]), self.features(SIZES[0])[0]
        files = [str(tmp_path / name) for name in ("network.keras", "images.npy", "outputs.npz")]
        network.save(files[0])
        np.save(files[1], features)
        fresh_python(READ_IN_FRESH_PROCESS, *files, json.dumps(self.component.layer_modules))
        with np.load(files[2]) as loaded:
            assert_same(loaded["logits"], predict(network, features), "in a fresh process", rtol=1e-4, atol=1e-4)


def assert_keeps_size(network: keras.Model, size: tuple[int, int]) -> None:
    found = tuple(network.output.shape)
    assert found[:3] == (None, *size), f"a map of {size} comes out in shape {found}: keep height and width"


def predict(network: keras.Model, features: np.ndarray) -> Any:
    return keras.ops.convert_to_numpy(network(features, training=False))
