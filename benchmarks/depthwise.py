"""Compare gradients of depthwise kernels: the table behind the rule of `networks/depthwise.py`.

For each size, number of channels, kernel and stride it prints the processor time of TensorFlow's gradient and of the
products of matrices (the chosen form in bold).

python benchmarks/depthwise.py [--batch 16] [--rounds 7]
"""

import argparse
import statistics
import time

import numpy as np
import tensorflow
from keras import ops

from marsseg_core.networks import depthwise

# The sizes of maps, channels, kernels and strides of EfficientNet-Lite0 for images of 64×128, and some more.
CASES = (
    *((16, 32, 144, 3, 1), (8, 16, 240, 5, 1), (8, 16, 240, 3, 2), (8, 8, 240, 5, 1), (4, 8, 480, 3, 1)),
    *((4, 8, 480, 5, 1), (4, 8, 672, 5, 1), (4, 8, 672, 5, 2), (2, 4, 1152, 5, 1), (2, 4, 1152, 3, 1)),
)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--rounds", type=int, default=7)
arguments = parser.parse_args()


def backend(x, kernel, upstream, strides):
    return tensorflow.nn.depthwise_conv2d_backprop_filter(x, kernel.shape, upstream, [1, strides, strides, 1], "SAME")


def products(x, kernel, upstream, strides):
    return depthwise._kernel_gradient(x, kernel, upstream, strides, "same")


print("| size | channels | kernel | stride | TensorFlow (ms) | products (ms) |\n|---|--:|---|--:|--:|--:|")
draw = np.random.default_rng(0).normal
for height, width, channels, size, strides in CASES:
    x = tensorflow.constant(draw(size=(arguments.batch, height, width, channels)).astype("float32"))
    kernel = tensorflow.constant(draw(size=(size, size, channels, 1)).astype("float32"))
    upstream = tensorflow.constant(ops.depthwise_conv(x, kernel, strides=strides, padding="same").numpy())
    forms = [tensorflow.function(form) for form in (backend, products)]
    times: list[list[float]] = [[], []]
    for _ in range(arguments.rounds + 1):
        for form, spent in zip(forms, times, strict=True):
            start = time.process_time()
            form(x, kernel, upstream, strides)
            spent.append(1000 * (time.process_time() - start))
    cells = [f"{statistics.median(spent[1:]):.1f}" for spent in times]
    chosen = depthwise.has_fast_gradient((height, width), (size, size), strides, "same")
    cells[chosen] = f"**{cells[chosen]}**"
    print(f"| {height}×{width} | {channels} | {size}×{size} | {strides} | {' | '.join(cells)} |", flush=True)
