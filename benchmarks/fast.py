"""Compare the fast form of networks with their plain form: processor time of a training step and of a prediction.

python benchmarks/fast.py [ARCHITECTURE[+BOTTLENECKS] …]
"""

import argparse
import statistics
import time

import keras
import numpy as np

import marsseg
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.keras_backend.devices import choose_compiler
from marsseg_core.networks.keras_backend.optimizers import update_in_one_pass

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("networks", nargs="*", default=["dense", "dense+transformer,aspp", "unet", "unetpp", "attention"])
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--batch", type=int, default=8)
arguments = parser.parse_args()


def compiled(network, fast):
    optimizer = keras.optimizers.AdamW(1e-4)
    if fast:
        update_in_one_pass(optimizer)
    network.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    choose_compiler(network)
    return network


def seconds(function, *values):
    start = time.process_time()
    function(*values)
    return time.process_time() - start


images = np.random.default_rng(0).uniform(size=(arguments.batch, 64, 128, 1)).astype("float32")
labels = np.random.default_rng(1).integers(0, 5, (arguments.batch, 64, 128))
print("| network | plain step | fast step | ratio | plain prediction | fast prediction | ratio | largest difference |")
print("|---|--:|--:|--:|--:|--:|--:|--:|")
for text in arguments.networks:
    words, _, bottlenecks = text.partition("+")
    network = marsseg.network(words, bottleneck=bottlenecks or None, height=64, width=128)
    forms = [compiled(network, fast=False), compiled(fast_network(network), fast=True)]
    expected, logits = (np.asarray(form.predict_on_batch(images)) for form in forms)
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    steps: list[list[float]] = [[], []]
    predictions: list[list[float]] = [[], []]
    for number in range(arguments.rounds + 2):  # the first two trace
        for position, form in enumerate(forms):
            times = seconds(form.train_on_batch, images, labels), seconds(form.predict_on_batch, images)
            if number > 1:
                steps[position].append(times[0])
                predictions[position].append(times[1])
    cells = []
    for measured in (steps, predictions):
        plain, fast = (1000 * statistics.median(values) for values in measured)
        cells += [f"{plain:,.0f} ms", f"{fast:,.0f} ms", f"**{fast / plain:.2f}**"]
    print(f"| `{text}` | {' | '.join(cells)} | {difference:.0e} |", flush=True)
    keras.utils.clear_session()
