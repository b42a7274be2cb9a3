"""Compare a training step of marsseg with plain Keras, for the same network, loss, batches and optimizer.

    python benchmarks/engine.py [--arch unet:width=0.25] [--rounds 8]

Epochs of both alternate in one process. The script prints the medians of processor and wall time per step, and their
ratios. The training subset is not scored, as by default.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from marsseg_core import api
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.split import Split
from marsseg_core.networks.build import build_network
from marsseg_core.networks.keras_backend.devices import choose_compiler
from marsseg_core.training.assembly import build_task
from marsseg_core.training.callbacks import EpochClock, FiniteLoss
from marsseg_core.training.feed import BatchFeed
from marsseg_core.training.objective import build_objective


class StepTimes(keras.callbacks.Callback):
    """Measure the mean processor and wall time per step, from the start of an epoch to the end of its last batch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.process_time(), time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = [
            (now - start) / (batch + 1)
            for now, start in zip((time.process_time(), time.perf_counter()), self.start, strict=True)
        ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="unet:width=0.25")
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()

    plan = api.plan(arch=options.arch, data="synthetic:count=128", loss="wssce")
    data = api.dataset("synthetic", count=128)
    split = Split(tuple(range(128)), (0,), (0,))

    def batches():
        return BatchFeed(TrainingBatches(data, split["train"], [], batch=8, seed=0))

    def plain():
        network = build_network(plan, (64, 128, 1), 5)
        frequencies = np.bincount(data.masks.ravel(), minlength=5)[:5]
        loss = api.loss("wssce", class_frequencies=frequencies.tolist())
        network.compile(optimizer=keras.optimizers.AdamW(1e-3), loss=loss)
        choose_compiler(network)
        return network, []

    def engine():
        training_batches = batches()
        task = build_task(plan, build_network(plan, (64, 128, 1), 5), build_objective(plan, data, split))
        task.compile(optimizer=keras.optimizers.AdamW(1e-3))
        choose_compiler(task)
        return task, [EpochClock(training_batches), FiniteLoss("float32")]

    contenders = {"keras": plain(), "engine": engine()}
    times: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for round_number in range(options.rounds + 1):
        for name, (model, callbacks) in contenders.items():
            clock = StepTimes()
            model.fit(batches(), epochs=1, callbacks=[*callbacks, clock], shuffle=False, verbose=0)
            if round_number:  # the first round traces the model
                times[name].append(clock.seconds)
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    for position, unit in enumerate(("processor", "wall")):
        keras_time, engine_time = medians["keras"][position], medians["engine"][position]
        print(
            f"{unit:9} ms per step: keras {1000 * keras_time:.2f}, engine {1000 * engine_time:.2f}, "
            f"ratio {engine_time / keras_time:.3f}"
        )


if __name__ == "__main__":
    main()
