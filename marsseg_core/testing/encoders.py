"""The contract of an encoder.

Its checks build a network of the encoder and one convolution on each of its maps, for images of several sizes and
numbers of channels, train it in Keras' eager mode, and save it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from ..components.interfaces import Encoder
from ..components.specs import ENCODER_PREFIX, EncoderSpec
from ..networks.keras_backend.settings import precision
from .architectures import READ_IN_FRESH_PROCESS, GradientRecorder, check_seeds, make_batch, reset_keras, train
from .components import ComponentContract, assert_same
from .processes import fresh_keras

SIZES = ((64, 128), (32, 32))
OUTPUT_STRIDES = (8, 16, 32)
STEPS = 4


class EncoderContract(ComponentContract):
    """Check an encoder: sizes of its maps, learning, mixed precision, seeds, layer names, saving and loading.

    Attributes:
        component: The encoder, with parameters that make it as small as possible. A subclass must set it.
        num_classes: The number of classes of the network that is trained.
        cancelled: Regular expressions for the paths of weights whose gradient may be zero. By default these are biases,
            because a normalisation after a bias can cancel it.
        learning_rate: The learning rate of the checks that train.

    Example:
        ```python
        class TestMyEncoder(EncoderContract):
            component = MyEncoder(width=0.25)
        ```
    """

    component: ClassVar[Encoder]
    num_classes: ClassVar[int] = 3
    cancelled: ClassVar[tuple[str, ...]] = (r"/bias$",)
    learning_rate: ClassVar[float] = 3e-3

    def maps(self, size: tuple[int, int], channels: int = 1, output_stride: int = 32, seed: int = 1) -> tuple[Any, Any]:
        """Return images as a Keras tensor, and the maps of the encoder by their strides."""
        reset_keras(seed)
        images = keras.Input((*size, channels))
        return images, self.component.build(images, EncoderSpec(output_stride))

    def with_logits(self, size: tuple[int, int], channels: int = 1, seed: int = 1) -> keras.Model:
        """Return a network whose logits are the sum of convolutions of all maps, each enlarged by its stride."""
        images, maps = self.maps(size, channels, seed=seed)
        heads = [
            keras.layers.UpSampling2D(stride, dtype="float32")(
                keras.layers.Conv2D(self.num_classes, 1, dtype="float32", name=f"logits{stride}")(features)
            )
            for stride, features in maps.items()
        ]
        return keras.Model(images, keras.layers.Add(name="sum", dtype="float32")(heads))

    @pytest.mark.parametrize("output_stride", OUTPUT_STRIDES)
    @pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
    def test_its_maps_have_the_sizes_of_their_strides(self, size: tuple[int, int], output_stride: int) -> None:
        _, maps = self.maps(size, output_stride=output_stride)
        strides = list(maps)
        expected = [stride for stride in (1, 2, 4, 8, 16, 32) if strides[0] <= stride <= output_stride]
        assert strides[0] <= 4, f"the finest map has the stride {strides[0]}: it must be 1, 2 or 4"
        assert strides == expected, f"the maps have the strides {strides}, not {expected}"
        for stride, features in maps.items():
            shape = tuple(features.shape)[1:3]
            assert shape == (size[0] // stride, size[1] // stride), f"the map of stride {stride} has the size {shape}"

    @pytest.mark.parametrize("channels", [1, 3, 5])
    def test_it_takes_images_of_any_number_of_channels(self, channels: int) -> None:
        images, maps = self.maps(SIZES[1], channels)
        batch = make_batch(SIZES[1], channels, self.num_classes)[0]
        for stride, values in keras.Model(images, maps)(batch, training=False).items():
            finite = np.isfinite(keras.ops.convert_to_numpy(values)).all()
            assert finite, f"the map of stride {stride} has values that are not finite"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_it_is_finite_in_mixed_precision(self, policy: str) -> None:
        batch = make_batch(SIZES[1], 1, self.num_classes)[0]
        with precision(policy):
            images, maps = self.maps(SIZES[1])
            for stride, values in keras.Model(images, maps)(batch, training=False).items():
                finite = np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))).all()
                assert finite, f"the map of stride {stride} has values that are not finite in {policy}"

    def test_the_names_of_its_layers_begin_with_the_prefix(self) -> None:
        """Check that marsseg can find the layers of the encoder in a network, to load or to freeze their weights."""
        images, maps = self.maps(SIZES[1])
        layers = keras.Model(images, maps).layers
        wrong = [
            layer.name
            for layer in layers
            if not isinstance(layer, keras.layers.InputLayer) and not layer.name.startswith(ENCODER_PREFIX)
        ]
        assert not wrong, f"the layer names {wrong} do not begin with spec.prefix"

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (self.with_logits(SIZES[1]) for _ in range(2))
        for weight, other in zip(first.weights, second.weights, strict=True):
            assert_same(np.asarray(other), np.asarray(weight), f"built twice with the same seed: {weight.path}")

    def test_another_seed_gives_other_weights(self) -> None:
        check_seeds(lambda seed: self.with_logits(SIZES[1], seed=seed))

    @pytest.mark.slow
    def test_it_learns_with_all_its_weights(self) -> None:
        images, labels = make_batch(SIZES[0], 1, self.num_classes)
        network, recorder = self.with_logits(SIZES[0]), GradientRecorder(self.learning_rate)
        losses = train(network, recorder, images, labels, STEPS, eager=True)
        assert np.isfinite(losses).all(), f"a loss is not finite: {losses}"
        assert losses[-1] < losses[0], f"{STEPS} training steps did not lower the loss: {losses}"
        unreached = [path for path in recorder.unreached() if not any(re.search(each, path) for each in self.cancelled)]
        assert not unreached, (
            f"no gradient reaches {sorted(unreached)}: if this is intended, set `cancelled` in the test class"
        )

    @pytest.mark.slow
    def test_it_can_be_saved_and_loads_in_a_fresh_process(self, tmp_path: Path) -> None:
        network, images = self.with_logits(SIZES[1]), make_batch(SIZES[1], 1, self.num_classes)[0]
        files = [str(tmp_path / name) for name in ("network.keras", "images.npy", "outputs.npz")]
        network.save(files[0])
        np.save(files[1], images)
        fresh_keras(READ_IN_FRESH_PROCESS, *files, json.dumps(self.component.layer_modules))
        logits = keras.ops.convert_to_numpy(network(images, training=False))
        with np.load(files[2]) as loaded:
            what = "the output of the network that a fresh process loaded"
            assert_same(loaded["logits"], logits, what, rtol=1e-4, atol=1e-4)
