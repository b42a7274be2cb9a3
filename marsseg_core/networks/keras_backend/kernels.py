"""Operations of the backends that Keras does not have, or computes otherwise."""

from __future__ import annotations

from typing import Any

import keras

from ..precision import sums_in_float32
from .devices import has_gpu


def add_biases_in_float32(network: keras.Model) -> None:
    """Let the bfloat16 layers of a network add their biases in float32, for TensorFlow on a CPU.

    Its gradient of a bias is a sum over all cells of the batch, which it computes in bfloat16. Such a sum stops growing
    at 256 times its summands, and in a large batch most of the gradient is lost. The kernels for GPUs sum in float32.
    So does the step that TensorFlow fuses for a plain convolution where it has kernels of bfloat16: there it is left as
    it is for its speed.
    """
    if keras.backend.backend() != "tensorflow" or has_gpu():
        return
    fuses = sums_in_float32()
    for layer in network._flatten_layers():
        bias = getattr(layer, "bias", None) if type(layer).__module__.startswith("keras.") else None
        fused = fuses and isinstance(layer, keras.layers.Conv2D) and tuple(layer.dilation_rate) == (1, 1)
        # Keras adds a bias of several axes, as in attention, by another function, whose gradient is right.
        if bias is not None and layer.compute_dtype == "bfloat16" and not fused and sum(n > 1 for n in bias.shape) <= 1:
            bias._autocast = False


def normalise_batch(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any] | None:
    """Normalise a batch (B, H, W, C) over all axes but the last, by the backend's own function, in float32.

    Returns the result and the mean and variance of each channel, (C,). Returns None on a backend without such a
    function, and for an `epsilon` that it does not take. TensorFlow's function takes a third of the time of the
    operations of Keras' layer, which are separate passes over the map.
    """
    if keras.backend.backend() != "tensorflow" or epsilon < 1.001e-5:
        return None
    import tensorflow

    x = keras.ops.cast(x, "float32")
    normalised, mean, variance = tensorflow.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=epsilon)
    count = tensorflow.cast(tensorflow.size(x) // x.shape[-1], "float32")
    # The function returns the estimate of a sample, which divides by count - 1.
    return normalised, mean, variance * (tensorflow.maximum(count - 1, 1) / count)


def depthwise_input_gradient(x: Any, kernel: Any, output_gradient: Any, strides: int, padding: str) -> Any:
    """Return the gradient of the maps x (B, H, W, C) of a depthwise convolution. Only TensorFlow has it."""
    import tensorflow

    return tensorflow.nn.depthwise_conv2d_backprop_input(
        tensorflow.shape(x), kernel, output_gradient, [1, strides, strides, 1], padding.upper()
    )
