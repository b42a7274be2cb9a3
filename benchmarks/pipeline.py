"""Measure the speed of the input pipeline with each augmentation, alone and in training.

    python benchmarks/pipeline.py [--rounds 5] [--count 256] [--width 0.25]

The first table has the images per second of the pipeline alone, in batches of 8 tiles of 64×128. The second table has
the seconds per epoch of a training, and the ratio to a training without augmentation: in each round all candidates run
once, and the ratio is the median over the rounds.
"""

import argparse
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from marsseg_core import api
from marsseg_core.data.split import Split
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.training.callbacks import EpochClock
from marsseg_core.training.setup import set_up_training


def prepared(data, augment, loss, width):
    plan = api.plan(arch=f"unet:width={width:g}", loss=loss, augment=augment, data="synthetic", epochs=100)
    return set_up_training(plan, data, Split(tuple(range(len(data))), (0,), (0,)), best_by=plan.metrics.best_by)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--width", type=float, default=0.25)
    options = parser.parse_args()
    data = api.dataset("synthetic", count=options.count)
    names = installed().names(kinds.AUGMENTATION)
    candidates = {"none": ("none", "wssce")}
    candidates |= {name: (f"{name}:p=1", "wssce") for name in names}
    candidates |= {"distance maps": ("none", "wssce,boundary:weight=0.01")}
    ready = {name: prepared(data, *words, options.width) for name, words in candidates.items()}

    print("| pipeline alone, applied to every image | images per second |\n|---|--:|")
    for name, setup in ready.items():
        rates = []
        for _ in range(options.rounds):
            start = time.perf_counter()
            for index in range(len(setup.batches)):
                setup.batches[index]
            rates.append(8 * len(setup.batches) / (time.perf_counter() - start))
        print(f"| {name} | {statistics.median(rates):,.0f} |", flush=True)

    times: dict[str, list[float]] = {name: [] for name in ready}
    for round_number in range(options.rounds + 1):
        for name, setup in ready.items():
            start = time.perf_counter()
            setup.task.fit(setup.batches, epochs=1, shuffle=False, verbose=0, callbacks=[EpochClock(setup.batches)])
            if round_number:  # the first round traces the model
                times[name].append(time.perf_counter() - start)
    print("\n| training | seconds per epoch | ratio to none |\n|---|--:|--:|")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times["none"], strict=True))
        print(f"| {name} | {statistics.median(seconds):.2f} | {ratio:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
