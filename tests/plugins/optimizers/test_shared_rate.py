"""Adam and AdamW with the shared correction of the rate: the numbers are Keras', from fewer operations."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from marsseg_core import api
from marsseg_core.training.optimizers import build_optimizer


def trained(optimizer):
    """Return all variables after five compiled steps, and the number of operations in a step."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7, "relu"), keras.layers.Dense(3)])
    optimizer.build(network.trainable_variables)
    images = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(images)))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True)
        )

    for _ in range(5):
        step()
    operations = len(step.get_concrete_function().graph.get_operations())
    return [np.array(variable) for variable in (*network.variables, *optimizer.variables)], operations


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's steps are graphs")
@pytest.mark.parametrize(
    ("words", "theirs"),
    [
        ("adamw:weight_decay=0.01", lambda: keras.optimizers.AdamW(0.01, weight_decay=0.01)),
        ("adam:beta_1=0.8:clipnorm=1", lambda: keras.optimizers.Adam(0.01, beta_1=0.8, clipnorm=1.0)),
    ],
)
def test_the_numbers_are_those_of_keras_from_fewer_operations(words, theirs):
    name, *rest = words.split(":")
    decay = {"weight_decay": 0.01} if "weight_decay=0.01" in rest else {}
    text = ":".join(word for word in (name, *rest) if not word.startswith("weight_decay"))
    optimizer = build_optimizer(api.plan(optimizer=text, **decay), 0.01)
    (expected, more), (values, fewer) = trained(theirs()), trained(optimizer)
    assert all(np.array_equal(one, other) for one, other in zip(values, expected, strict=True))
    assert fewer < more
    assert optimizer._shared == (None, None)  # no graph is held


def test_amsgrad_is_left_to_keras():
    (expected, more), (values, same) = (
        trained(optimizer)
        for optimizer in (
            keras.optimizers.Adam(0.01, amsgrad=True),
            build_optimizer(api.plan(optimizer="adam:amsgrad=true"), 0.01),
        )
    )
    assert more == same
    assert all(np.array_equal(one, other) for one, other in zip(values, expected, strict=True))
