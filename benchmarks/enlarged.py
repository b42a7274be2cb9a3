"""Compare the ways to convolve an enlarged map: the table behind the rule of `networks/enlarged.py`.

For each factor, small size, channels and filters it prints the processor time of the plain convolution, of products
that are added, and of a transposed convolution (the chosen form in bold), and of the gradients, plain and fast.

python benchmarks/enlarged.py [--factors 2 4 8] [--batch 8]
"""

import argparse
import statistics
import time

import numpy as np
import tensorflow
from keras import ops

from marsseg_core.networks import enlarged

SIZES = ((4, 8), (8, 16), (16, 32), (32, 64))
CHANNELS = ((16, 8), (64, 32), (256, 32), (256, 128), (512, 256))

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--factors", nargs="+", type=int, default=[2, 4, 8])
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--rounds", type=int, default=7)
arguments = parser.parse_args()


def plain(x, factor, kernel):
    return ops.conv(ops.repeat(ops.repeat(x, factor, 1), factor, 2), kernel, padding="same")


def products(x, factor, kernel):
    return enlarged._spread(enlarged._products(x, kernel), factor, 3)


def transposed(x, factor, kernel):
    return ops.conv_transpose(x, enlarged.summed_kernel(kernel, factor), strides=factor, padding="same")


def fast(x, factor, kernel):
    return enlarged.convolve_enlarged([x], (factor,), [kernel])


def forward(form, factor, x, kernel):
    return tensorflow.function(lambda: form(x + 0, factor, kernel + 0))


def gradient(form, factor, x, kernel, weights):
    def compute():
        with tensorflow.GradientTape() as tape:
            total = tensorflow.reduce_sum(form(x + 0, factor, kernel + 0) * weights)
        return tape.gradient(total, [x, kernel])

    return tensorflow.function(compute)


def milliseconds(functions):
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(arguments.rounds + 1):
        for name, function in functions.items():
            start = time.process_time()
            function()
            times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


print("| factor | size | channels | plain | products | transposed | plain gradient | fast gradient | ratio of all |")
print("|--:|---|---|--:|--:|--:|--:|--:|--:|")
draw = np.random.default_rng(0).normal
for factor in arguments.factors:
    for (height, width), (channels, filters) in ((size, count) for size in SIZES for count in CHANNELS):
        if height * factor > 64 or height * width * channels > 64 * 128 * 32:
            continue
        x = tensorflow.Variable(draw(size=(arguments.batch, height, width, channels)).astype("float32"))
        kernel = tensorflow.Variable(draw(size=(3, 3, channels, filters)).astype("float32"))
        weights = draw(size=(arguments.batch, height * factor, width * factor, filters)).astype("float32")
        functions = {form.__name__: forward(form, factor, x, kernel) for form in (plain, products, transposed)}
        functions["chosen"] = forward(fast, factor, x, kernel)
        functions |= {f"gradient {f.__name__}": gradient(f, factor, x, kernel, weights) for f in (plain, fast)}
        times = milliseconds(functions)
        ratio = (times["chosen"] + times["gradient fast"]) / (times["plain"] + times["gradient plain"])
        chosen = "transposed" if enlarged._transposed_is_faster(x, factor) else "products"
        del times["chosen"]
        cells = [f"**{value:.1f}**" if name == chosen else f"{value:.1f}" for name, value in times.items()]
        case = f"{factor} | {height}×{width} | {channels} → {filters}"
        print(f"| {case} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)
