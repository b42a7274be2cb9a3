"""Measure what averaging the weights adds to an epoch: processor time of an epoch with each way of averaging.

python benchmarks/averaging.py [--arch NAME] [--bottleneck NAMES] [--count N] [--rounds N]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import marsseg

os.environ["MARSSEG_DISABLE"] = "report"

WAYS = ("none", "ema", "swa")
EPOCHS = 3

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--arch", default="dense:width=0.25")
parser.add_argument("--bottleneck", default="transformer,aspp")
parser.add_argument("--count", type=int, default=480, help="synthetic images, of which 70 % are trained on")
parser.add_argument("--rounds", type=int, default=3)
arguments = parser.parse_args()


def seconds(averaging: str, epochs: int) -> float:
    """Return the processor seconds of a run."""
    words = {"arch": arguments.arch, "bottleneck": arguments.bottleneck, "data": f"synthetic:count={arguments.count}"}
    overrides = [f"training.averaging={averaging}", "training.swa_start=0"]
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        marsseg.run(**words, batch=16, epochs=epochs, overrides=overrides, out=Path(folder) / "run")
        return time.process_time() - start


seconds("none", 1)  # imports
spent: dict[str, list[float]] = {way: [] for way in WAYS}
for _ in range(arguments.rounds):
    for way, values in spent.items():
        values.append((seconds(way, 1 + EPOCHS) - seconds(way, 1)) / EPOCHS)
print("| averaging | an epoch | ratio |\n|---|--:|--:|")
first = statistics.median(spent["none"])
for way, values in spent.items():
    middle = statistics.median(values)
    print(f"| {way} | {middle:.1f} s | **{middle / first:.2f}** |", flush=True)
