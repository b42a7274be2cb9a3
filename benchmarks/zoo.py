"""Measure the cost of every architecture with every bottleneck, and check that each pair trains.

    python benchmarks/zoo.py [--width 0.125] [--rounds 5]           > table.md
    python benchmarks/zoo.py --train FILE.npz [--width 0.125]       > trained.md

The first command builds each pair for images of 64×128×1 and 5 classes, counts its parameters and operations, and
measures the shortest time of a training step and of an inference with 8 images. The second trains each pair for two
epochs on 96 tiles of a file on the command line, and prints the losses. If a training prints a warning, the script
fails. An architecture that needs an encoder has the Mix Transformer of the same width.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from marsseg_core import api
from marsseg_core.components.finished_runs import UsesRuns
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load

BATCH = 8


ENCODER = "mit_b0"


def pairs(width):
    for arch in installed().names(kinds.ARCHITECTURE):
        component = load(installed().find(kinds.ARCHITECTURE, arch))
        if issubclass(component, UsesRuns):
            continue  # needs a finished run
        encoder = f"{ENCODER}:width={width:g}" if component.needs_encoder else "none"
        for bottleneck in ("none", *installed().names(kinds.BOTTLENECK)):
            yield f"{arch}:width={width:g}", encoder, bottleneck


def measure(width, rounds):
    import keras
    import numpy as np

    from marsseg_core.networks.cost import cost_of
    from marsseg_core.networks.keras_backend.devices import choose_compiler

    images = np.random.default_rng(0).random((BATCH, 64, 128, 1), np.float32)
    labels = np.random.default_rng(1).integers(0, 5, (BATCH, 64, 128)).astype(np.uint8)
    print("| architecture | bottleneck | parameters | multiply-accumulates (M) | training step (ms) | inference (ms) |")
    print("|---|---|--:|--:|--:|--:|")
    for arch, encoder, bottleneck in pairs(width):
        network = api.network(arch, encoder=encoder, bottleneck=bottleneck)
        cost = cost_of(network)
        assert not cost.unknown, cost.unknown
        network.compile(optimizer="adamw", loss=api.loss("wssce"))
        choose_compiler(network)

        def milliseconds(step, *arguments):
            step(*arguments)  # the first call traces the model
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                step(*arguments)
                times.append(1000 * (time.perf_counter() - start))
            return min(times)

        train = milliseconds(network.train_on_batch, images, labels)
        infer = milliseconds(network.predict_on_batch, images)
        name = arch.partition(":")[0]
        millions = cost.multiply_accumulates / 1e6
        print(
            f"| {name} | {bottleneck} | {cost.trainable:,} | {millions:,.0f} | {train:.0f} | {infer:.0f} |", flush=True
        )
        keras.backend.clear_session()


def train(file, width):
    print("| architecture | bottleneck | seconds | loss, first epoch | loss, second epoch |")
    print("|---|---|--:|--:|--:|")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for number, (arch, encoder, bottleneck) in enumerate(pairs(width)):
            words = ["--arch", arch, "--encoder", encoder, "--bottleneck", bottleneck]
            words += ["--data", file, "--set", "data.npz.limit=96"]
            words += ["--epochs", "2", "--out", str(Path(folder) / str(number))]
            start = time.perf_counter()
            command = [sys.executable, "-m", "marsseg_core", "run", *words]
            result = subprocess.run(command, capture_output=True, text=True)
            seconds = time.perf_counter() - start
            losses = re.findall(r"^epoch .*?loss ([\d.]+)", result.stderr, re.MULTILINE)
            name = arch.partition(":")[0]
            if result.returncode or "warning" in result.stderr.lower() or len(losses) != 2:
                failed = True
                print(f"{name} {bottleneck}: exit {result.returncode}\n{result.stderr}", file=sys.stderr)
                continue
            print(f"| {name} | {bottleneck} | {seconds:.0f} | {losses[0]} | {losses[1]} |", flush=True)
    return int(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", metavar="FILE.npz")
    options = parser.parse_args()
    return train(options.train, options.width) if options.train else measure(options.width, options.rounds)


if __name__ == "__main__":
    sys.exit(main())
