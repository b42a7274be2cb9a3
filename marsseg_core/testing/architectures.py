"""The contract of an architecture.

Its checks run in Keras' eager mode, so that each image size takes only seconds. Half of the combinations of sizes and
channels are fast checks, which include every size and every number of channels. The other half, and the check that
compiles the network and loads it in a fresh process, are marked slow.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from ..components.interfaces import Architecture, Bottleneck, Encoder, NetworkSpec
from ..components.specs import BottleneckSpec, EncoderSpec
from ..networks.keras_backend.settings import precision
from .components import ComponentContract, assert_same
from .processes import fresh_keras

SIZES = ((64, 128), (128, 64), (96, 160), (65, 127))
CHANNELS = (1, 3)
COMPILED_STEPS = 10
EAGER_STEPS = 5  # a step without a graph takes up to a second of processor time

CROSS = [
    pytest.param(
        size,
        channels,
        id=f"{size[0]}x{size[1]}x{channels}",
        marks=[pytest.mark.slow] if (row + column) % 2 else [],
    )
    for row, size in enumerate(SIZES)
    for column, channels in enumerate(CHANNELS)
]

READ_IN_FRESH_PROCESS = """
import importlib, json, sys
import keras, numpy as np
from marsseg_core.networks.keras_backend.settings import fixed_settings
network, images, outputs, modules = sys.argv[1:]
for module in json.loads(modules):
    importlib.import_module(module)
with fixed_settings():
    predicted = keras.saving.load_model(network, compile=False)(np.load(images), training=False)
predicted = predicted if isinstance(predicted, dict) else {"logits": predicted}
np.savez(outputs, **{name: keras.ops.convert_to_numpy(value) for name, value in predicted.items()})
"""


class GradientRecorder(keras.optimizers.SGD):
    """An optimizer that records the largest norm of the gradient of each weight; None for a weight without a gradient.

    A step moves each weight against its gradient, scaled to a root mean square of 1, times the learning rate. This is
    close to Adam, which would take ten times as long as the network in eager mode.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.norms: dict[str, float | None] = {}

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        for gradient, weight in zip(grads, trainable_variables, strict=True):
            if gradient is None:
                self.norms[weight.path] = None
                continue
            gradient = keras.ops.convert_to_numpy(gradient)
            norm = float(np.linalg.norm(gradient))
            self.norms[weight.path] = max(norm, self.norms.get(weight.path) or 0.0)
            scale = float(self.learning_rate) * gradient.size**0.5 / (norm + 1e-12)
            weight.assign(keras.ops.convert_to_numpy(weight) - scale * gradient)

    def unreached(self) -> set[str]:
        """Return the weights without a gradient, or with one that is zero but for rounding errors."""
        noise = 1e-9 * max(norm or 0.0 for norm in self.norms.values())
        return {path for path, norm in self.norms.items() if (norm or 0.0) <= noise}


class Mark(Bottleneck):
    """A bottleneck that does not change the feature map. The name of its layer shows that it is in a network."""

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        return keras.layers.Identity(name=f"{spec.prefix}{self.name}")(features)


class SmallEncoder(Encoder):
    """An encoder of one 3×3 convolution for each stride.

    `first` is the stride of its finest map, and `output_stride` overrides that of the architecture, as a plan can.
    """

    def __init__(self, first: int = 2, output_stride: int | None = None) -> None:
        self.first = first
        self.output_stride = output_stride

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        maps, x = {}, images
        for stride in (2, 4, 8, 16, 32):
            strides = 2 if stride <= (self.output_stride or spec.output_stride) else 1
            name = f"{spec.prefix}conv{stride}"
            x = keras.layers.Conv2D(8, 3, strides, padding="same", activation="relu", name=name)(x)
            reached = images.shape[1] // x.shape[1]
            if reached >= self.first:
                maps[reached] = x
        return maps


class ArchitectureContract(ComponentContract):
    """Check an architecture: output shapes and types, learning, mixed precision, seeds, saving and loading.

    Attributes:
        component: The architecture, with parameters that make it as small as possible. A subclass must set it.
        bottlenecks: The bottlenecks to put into the network.
        encoder: The encoder of the network. If it is None, an architecture that needs an encoder is built with a small
            one of the contract, and any other without an encoder.
        num_classes: The number of classes.
        cancelled: Regular expressions for the paths of weights whose gradient may be zero. By default these are biases,
            because a normalisation or a softmax after a bias can cancel it.
        learning_rate: The learning rate of the checks that train.

    Example:
        ```python
        class TestMyNet(ArchitectureContract):
            component = MyNet(width=0.1)
        ```
    """

    component: ClassVar[Architecture]
    bottlenecks: ClassVar[tuple[Bottleneck, ...]] = ()
    encoder: ClassVar[Encoder | None] = None
    num_classes: ClassVar[int] = 3
    cancelled: ClassVar[tuple[str, ...]] = (r"/bias$",)
    learning_rate: ClassVar[float] = 3e-3

    def build(self, size: tuple[int, int], channels: int, seed: int = 1) -> keras.Model:
        reset_keras(seed)
        return self.component.build(self.spec(size, channels))

    def spec(self, size: tuple[int, int], channels: int, num_classes: int | None = None) -> NetworkSpec:
        """Return the description of a network with the bottlenecks and the encoder of the contract."""
        encoder = self.encoder
        if encoder is None and self.component.needs_encoder:
            encoder = SmallEncoder()
        return NetworkSpec(*size, channels, num_classes or self.num_classes, self.bottlenecks, encoder=encoder)

    def outputs(self, network: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return each output of the network by its name, in inference mode."""
        predicted = network(images, training=False)
        named = predicted if isinstance(predicted, dict) else {"logits": predicted}
        return {name: keras.ops.convert_to_numpy(value) for name, value in named.items()}

    def learn(
        self, network: keras.Model, images: np.ndarray, labels: np.ndarray
    ) -> tuple[list[float], GradientRecorder]:
        """Train `EAGER_STEPS` steps on one batch in eager mode; return the losses and the recorded gradients."""
        recorder = GradientRecorder(self.learning_rate)
        return train(network, recorder, images, labels, EAGER_STEPS, eager=True), recorder

    @pytest.mark.parametrize(("size", "channels"), CROSS)
    def test_it_predicts_learns_and_is_saved(self, size: tuple[int, int], channels: int, tmp_path: Path) -> None:
        network = self.build(size, channels)
        again = self.build(size, channels)
        for weight, other in zip(network.weights, again.weights, strict=True):
            assert_same(other.numpy(), weight.numpy(), f"built twice with the same seed: {weight.path}")

        images, labels = make_batch(size, channels, self.num_classes)
        outputs = self.outputs(network, images)
        for name, value in outputs.items():
            shape = (self.num_classes,) if name == "presence" else (*size, self.num_classes)
            assert value.shape == (len(images), *shape), (
                f"the shape of the output {name} is {value.shape}, not {(len(images), *shape)}"
            )
            assert value.dtype == np.float32, f'the output {name} is {value.dtype}: give its layer dtype="float32"'
            assert np.isfinite(value).all(), f"the output {name} has values that are not finite"

        losses, recorder = self.learn(network, images, labels)
        assert np.isfinite(losses).all(), f"a loss is not finite: {losses}"
        assert losses[-1] < losses[0], f"{EAGER_STEPS} training steps did not lower the loss: {losses}"
        unused = [path for path, norm in recorder.norms.items() if norm is None]
        assert not unused, f"no output depends on the weights {unused}"
        differing = {weight.path for weight in network.trainable_weights} ^ set(recorder.norms)
        assert not differing, f"the trained weights are not the trainable weights of the network: {sorted(differing)}"
        unreached = {path for path in recorder.unreached() if not any(re.search(each, path) for each in self.cancelled)}
        if unreached:
            # In a small network all ReLUs after a weight can be dead from the start. So try again with other weights.
            unreached &= self.learn(self.build(size, channels, seed=2), images, labels)[1].unreached()
        assert not unreached, (
            f"no gradient reaches {sorted(unreached)}: if this is intended, set `cancelled` in the test class"
        )

        file = tmp_path / "network.keras"
        network.save(file)
        loaded = self.outputs(keras.saving.load_model(file, compile=False), images)
        for name, value in self.outputs(network, images).items():
            assert_same(loaded[name], value, f"the output {name} of the saved and loaded network", rtol=1e-5, atol=1e-5)

    def test_another_seed_gives_other_weights(self) -> None:
        check_seeds(lambda seed: self.build(SIZES[0], CHANNELS[0], seed))

    def test_the_bottlenecks_of_the_plan_are_in_the_network(self) -> None:
        if not self.component.takes_bottleneck:
            pytest.skip("it has no place for a bottleneck: takes_bottleneck is False")
        marks = (Mark("first_mark"), Mark("second_mark"))
        network = self.component.build(replace(self.spec(SIZES[0], CHANNELS[0]), bottlenecks=marks))
        names = [layer.name for layer in network._flatten_layers()]
        missing = [mark.name for mark in marks if not any(name.endswith(mark.name) for name in names)]
        assert not missing, (
            f"{len(missing)} of two bottlenecks are not between the images and the logits: call "
            "spec.bottleneck(features), and use the feature map that it returns; or set takes_bottleneck = False, if "
            "the architecture has no place for bottlenecks"
        )

    def test_the_encoder_of_the_plan_is_in_the_network(self) -> None:
        """Check that the network uses the coarsest map of an encoder, for encoders with different strides."""
        if not self.component.takes_encoder:
            pytest.skip("it has no place for an encoder: takes_encoder is False")
        for first, output_stride in ((2, 32), (4, 8)):
            encoder = SmallEncoder(first, output_stride)
            network = self.component.build(replace(self.spec(SIZES[0], CHANNELS[0]), encoder=encoder))
            strides = f"an encoder with maps of the strides {first} to {output_stride}"
            assert "encoder_conv32" in [layer.name for layer in network._flatten_layers()], (
                f"{strides} is not between the images and the logits: call spec.encode(images), and use the coarsest "
                "of the maps that it returns; or set takes_encoder = False, if the architecture has no place for one"
            )
            logits = network.output["logits"] if isinstance(network.output, dict) else network.output
            shape = tuple(logits.shape)[1:]
            assert shape == (*SIZES[0], self.num_classes), f"with {strides}, the shape of the logits is {shape}"

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_its_logits_are_float32_in_mixed_precision(self, policy: str) -> None:
        with precision(policy):
            network = self.build(SIZES[0], CHANNELS[0])
            images, _ = make_batch(SIZES[0], CHANNELS[0], self.num_classes)
            outputs = self.outputs(network, images)
        policies = {layer.dtype_policy.name for layer in network.layers}
        assert policy in policies, (
            f"no layer has the dtype policy {policy}, only {sorted(policies)}: do not set the dtype of the layers"
        )
        for name, value in outputs.items():
            assert value.dtype == np.float32, f'the output {name} is {value.dtype}: give its layer dtype="float32"'
            assert np.isfinite(value).all(), f"the output {name} has values that are not finite in {policy}"

    def test_four_channels_and_two_classes(self) -> None:
        network = self.component.build(self.spec((64, 64), 4, 2))
        outputs = self.outputs(network, np.zeros((1, 64, 64, 4), "float32"))
        shape = outputs["logits"].shape
        assert shape == (1, 64, 64, 2), f"for two classes and a 64x64 image, the shape of the logits is {shape}"

    @pytest.mark.slow
    def test_it_trains_compiled_and_loads_in_a_fresh_process(self, tmp_path: Path) -> None:
        network = self.build(SIZES[0], CHANNELS[0])
        images, labels = make_batch(SIZES[0], CHANNELS[0], self.num_classes)
        losses = train(network, keras.optimizers.Adam(self.learning_rate), images, labels, COMPILED_STEPS, eager=False)
        assert losses[-1] < losses[0], f"{COMPILED_STEPS} compiled training steps did not lower the loss: {losses}"

        files = [str(tmp_path / name) for name in ("network.keras", "images.npy", "outputs.npz")]
        network.save(files[0])
        np.save(files[1], images)
        components = (self.component, *self.bottlenecks, *([self.encoder] if self.encoder else []))
        modules = json.dumps([module for component in components for module in component.layer_modules])
        fresh_keras(READ_IN_FRESH_PROCESS, *files, modules)
        with np.load(files[2]) as loaded:
            for name, value in self.outputs(network, images).items():
                assert_same(
                    loaded[name],
                    value,
                    f"the output {name} of the network that a fresh process loaded",
                    rtol=1e-4,
                    atol=1e-4,
                )


def reset_keras(seed: int) -> None:
    """Restart the numbers in Keras' layer names and set the seed; the dtype policy stays as it is."""
    policy = keras.config.dtype_policy()
    keras.utils.clear_session(free_memory=False)  # a search for garbage takes as long as to build a small network
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)


def check_seeds(build: Callable[[int], keras.Model]) -> None:
    """Check that networks with two seeds have different weights, and that building them does not set the global seed.

    `build` builds a network with a seed. Weights that are initialised as constants may be equal.
    """
    draws = []
    for seed in (1, 2):
        weights = [keras.ops.convert_to_numpy(weight) for weight in build(seed).trainable_weights]
        draws.append((weights, random.random()))
    (first, next_random), (second, other_next_random) = draws
    random_weights = [weight for weight in first if np.ptp(weight) > 0]
    differ = any((weight != other).any() for weight, other in zip(first, second, strict=True))
    assert differ or not random_weights, (
        "two seeds give the same initial weights: do not set a seed, neither for an initialiser nor the global one"
    )
    assert next_random != other_next_random, "it sets the global seed, which changes the rest of a run: do not set it"


def make_batch(size: tuple[int, int], channels: int, num_classes: int, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return images whose brightness shows the class of each pixel, and their labels.

    The images are (count, H, W, C) float32, the labels (count, H, W) int32. Each image has other shares of the classes.
    """
    rng = np.random.default_rng(0)
    # Fields of 16 × 16 pixels are large enough for small networks to learn.
    fields = rng.integers(0, num_classes, (count, -(-size[0] // 16), -(-size[1] // 16)))
    labels = fields.repeat(16, axis=1).repeat(16, axis=2)[:, : size[0], : size[1]]
    images = (labels[..., None] + rng.random((*labels.shape, channels))) / num_classes
    return images.astype("float32"), labels.astype("int32")


def train(
    network: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    eager: bool,
) -> list[float]:
    """Train on one batch, and return the loss before each of `steps` steps and after the last one.

    The loss is the sum over all outputs of the network.
    """
    present = np.stack([(labels == index).any((1, 2)) for index in range(network_classes(network))], -1)
    logits_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    presence_loss = keras.losses.BinaryCrossentropy(from_logits=True)
    targets: Any = labels
    losses: Any = logits_loss
    if isinstance(network.output, dict):
        losses = {name: presence_loss if name == "presence" else logits_loss for name in network.output}
        targets = {name: present.astype("float32") if name == "presence" else labels for name in network.output}
    network.compile(optimizer, losses, run_eagerly=eager, jit_compile=False)
    measured = []
    for _ in range(steps + 1):
        network.reset_metrics()
        measured.append(float(network.train_on_batch(images, targets, return_dict=True)["loss"]))
    return measured


def network_classes(network: keras.Model) -> int:
    """Return the number of classes that a network predicts."""
    output = network.output["logits"] if isinstance(network.output, dict) else network.output
    return int(output.shape[-1])
