"""Compare the ways to train an encoder: processor time of a training step, as a share of one that trains everything.

python benchmarks/frozen.py [--encoder NAME] [--arch NAME]
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
from marsseg_core.planning.options import EncoderOptions
from marsseg_core.training.encoder_training import EncoderTraining

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--arch", default="unet:width=0.25")
parser.add_argument("--encoder", default="efficientnet_lite0")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--batch", type=int, default=8)
arguments = parser.parse_args()

WAYS = {
    "all": EncoderOptions(),
    "learning_rate_factor=0.1": EncoderOptions(learning_rate_factor=0.1),
    "statistics=frozen": EncoderOptions(statistics="frozen"),
    "freeze=true": EncoderOptions(freeze=True),
}


def compiled(options):
    """Return a network that is compiled as a training of marsseg compiles it."""
    network = marsseg.network(arguments.arch, encoder=arguments.encoder, height=64, width=128)
    optimizer = keras.optimizers.AdamW(1e-4)
    update_in_one_pass(optimizer)
    fast = fast_network(network)
    fast.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    choose_compiler(fast)
    encoder = EncoderTraining(network, options)
    optimizer.build(fast.trainable_variables)
    encoder.update_apart(optimizer, steps_per_epoch=1)
    encoder.begin_epoch(0)
    return fast


images = np.random.default_rng(0).uniform(size=(arguments.batch, 64, 128, 1)).astype("float32")
labels = np.random.default_rng(1).integers(0, 5, (arguments.batch, 64, 128))
networks = {name: compiled(options) for name, options in WAYS.items()}
seconds: dict[str, list[float]] = {name: [] for name in WAYS}
for number in range(arguments.rounds + 2):  # the first two trace
    for name, network in networks.items():
        start = time.process_time()
        network.train_on_batch(images, labels)
        if number > 1:
            seconds[name].append(time.process_time() - start)
print("| encoder | step | ratio |\n|---|--:|--:|")
for name, values in seconds.items():
    step, whole = statistics.median(values), statistics.median(seconds["all"])
    print(f"| {name} | {1000 * step:,.0f} ms | **{step / whole:.2f}** |")
