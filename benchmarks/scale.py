"""Measure what limits a training on many devices and many images: bytes per step, checkpoints, and work per image.

    python benchmarks/scale.py [--items 200000] [--processes 2] [ARCHITECTURE …]

For each architecture at its published width (64 × 128 × 1, 5 classes): its trainable parameters; the bytes of their
gradients, which all devices add up in each step (4 for each parameter); and the bytes of the checkpoint and of the
stored network. These counts are exact, whatever the machine. Then, for a set of so many images of one pixel: the time
and memory to split it, to write the split as JSON, and to draw the order of an epoch; and the time in which one of so
many processes makes its part of an epoch.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from marsseg_core import api
from marsseg_core.data.arrays import Facts, SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.split import Split
from marsseg_core.data.splits import make_split
from marsseg_core.networks.keras_backend.settings import clear_session
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.training.checkpoint import TrainingProgress, save_checkpoint
from marsseg_core.training.setup import set_up_training

UNIT = 1e6

# Architectures that need an encoder, with one that is installed.
ENCODERS = {"fpn": "mobilenet_v3", "deeplabv3plus": "resnet50"}

# It needs a finished run.
LEFT_OUT = "refine"


def sizes(name, data, folder):
    plan = api.plan(arch=name, encoder=ENCODERS.get(name), data="synthetic")
    setup = set_up_training(plan, data, Split(tuple(range(len(data))), (0,), (0,)), best_by=plan.metrics.best_by)
    trainable = sum(int(np.prod(variable.shape)) for variable in setup.task.trainable_variables)
    row: dict[str, float | None] = {plan.metrics.best_by: 0.0}
    save_checkpoint(folder / "last.npz", setup.task, TrainingProgress(1, [row], 1, 0.0, {}, plan.metrics.best_by))
    setup.task.scored.save(folder / "network.keras")
    return trainable, (folder / "last.npz").stat().st_size, (folder / "network.keras").stat().st_size


def measured(work):
    """The result, the seconds, and the peak of the memory that Python and NumPy allocate."""
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, seconds, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE")
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    data = api.dataset("synthetic", count=8)
    names = options.architectures or [name for name in installed().names(kinds.ARCHITECTURE) if name != LEFT_OUT]
    print("| architecture | trainable parameters | MB added up in each step | checkpoint, MB | network, MB |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            trainable, checkpoint, network = sizes(name, data, Path(folder))
            shown = f"{name}, {ENCODERS[name]}" if name in ENCODERS else name
            cells = [f"{size / UNIT:,.1f}" for size in (4 * trainable, checkpoint, network)]
            print(f"| {shown} | {trainable:,} | {' | '.join(cells)} |", flush=True)
            clear_session()

    count = options.items
    counts = np.zeros((count, 3), np.int32)
    counts[:, 1] = 1
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (count, 1, 1, 1))
    masks = np.broadcast_to(np.ones((1, 1, 1), np.uint8), (count, 1, 1))
    many = SegmentationData(images, masks, ("sky", "ground"), (0,), facts=Facts(counts, "benchmark"))
    plan = api.plan(data="synthetic")
    split, *of_split = measured(lambda: make_split(many, plan.split))
    text, *of_text = measured(lambda: json.dumps(split.to_json()))

    def batches():
        return TrainingBatches(many, split["train"], [], batch=64, seed=0, fill=True, part=(0, options.processes))

    _, *of_order = measured(lambda: batches()._epoch_order(0))
    print(f"\n| {count:,} images | seconds | MB of memory |\n|---|--:|--:|")
    print(f"| split | {of_split[0]:.2f} | {of_split[1] / UNIT:,.0f} |")
    print(f"| split.json, {len(text) / UNIT:,.1f} MB | {of_text[0]:.2f} | {of_text[1] / UNIT:,.0f} |")
    print(f"| order of an epoch | {of_order[0]:.2f} | {of_order[1] / UNIT:,.0f} |")
    part = batches()
    start = time.perf_counter()
    for index in range(len(part)):
        part[index]
    print(f"| the part of one of {options.processes} processes | {time.perf_counter() - start:.2f} | – |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
