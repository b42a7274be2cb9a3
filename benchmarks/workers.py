"""Compare threads and processes that prepare batches.

    python benchmarks/workers.py [--rounds 7] [--seconds 1] [--workers 1,2,4]
    py-spy record [--gil] --format raw --output samples.txt -- python benchmarks/workers.py --loop rotate --seconds 6

The rows are pipelines: a data set in memory or memory-mapped, and what is computed. For each number of workers, the
first figure is images per second with processes, divided by those with threads; the second is the same for processor
time per image; in parentheses stands that of threads. Threads and processes alternate in each round, and medians over
the rounds are printed. Batches have 8 images. The last line has what the start of a process costs.

With `--loop`, one thread makes batches of 64×128 tiles with one augmentation, for a profiler. The samples with `--gil`,
in which it holds Python's lock, divided by those without, are the share of the work that threads do in turn.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from multiprocessing import active_children
from multiprocessing.pool import ThreadPool
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from marsseg_core import api
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.split import Split
from marsseg_core.training.assembly import build_batches
from marsseg_core.training.objective import build_objective

SHAPES = {(64, 128, 1): 256, (256, 256, 3): 64}
PIPELINES = {
    "reading only": ("none", "wssce"),
    "hflip": ("hflip:p=1", "wssce"),
    "noise": ("noise:p=1", "wssce"),
    "erase": ("erase:p=1", "wssce"),
    "rotate": ("rotate:p=1", "wssce"),
    "elastic": ("elastic:p=1", "wssce"),
    "distance maps": ("none", "wssce,boundary:weight=0.01"),
    "hflip,rotate,brightness,noise": ("hflip,rotate,brightness,noise", "wssce"),
}


def processor_seconds():
    """Return the processor time of this process and of its worker processes, which have one thread each (on Linux)."""
    workers = [Path(f"/proc/{process.pid}/schedstat").read_text() for process in active_children()]
    return time.process_time() + sum(int(text.split()[0]) for text in workers) / 1e9


def labelled(shape, count):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *shape), np.uint8)
    coarse = random.integers(0, 5, (count, shape[0] // 16, shape[1] // 16), np.uint8)
    return SegmentationData(images, coarse.repeat(16, 1).repeat(16, 2), tuple("abcde"))


def memory_mapped(data, folder):
    def mapped(name):
        np.save(Path(folder) / f"{name}.npy", getattr(data, name))
        return np.load(Path(folder) / f"{name}.npy", mmap_mode="r")

    return SegmentationData(mapped("images"), mapped("masks"), data.class_names)


def feed(data, words, workers, kind):
    plan = api.plan(augment=words[0], loss=words[1], data="synthetic", workers=workers, worker_kind=kind)
    split = Split(tuple(range(len(data))), (), ())
    return build_batches(plan, data, split, build_objective(plan, data, split))


def measure(batches, threads, seconds):
    """Return images per second, and processor time per image, of whole epochs that take at least so many seconds."""
    begin, start, images = processor_seconds(), time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        threads.map(batches.__getitem__, range(len(batches)), chunksize=1)
        images += 8 * len(batches)
    return images / (time.perf_counter() - start), (processor_seconds() - begin) / images


def compare(data, words, workers, rounds, seconds):
    """Return a cell of the table."""
    by_threads, by_processes = (feed(data, words, workers, kind) for kind in ("threads", "processes"))
    ratios = []
    with ThreadPool(workers) as threads, by_processes.working(1):
        threads.map(by_processes.__getitem__, range(len(by_processes)), chunksize=1)  # all of them are ready
        for _ in range(rounds):
            (rate, cost), (new_rate, new_cost) = (
                measure(each, threads, seconds) for each in (by_threads, by_processes)
            )
            ratios.append((new_rate / rate, new_cost / cost, 1000 * cost))
    rate, processor, cost = map(statistics.median, zip(*ratios, strict=True))
    return f"{rate:.2f}, {processor:.2f} ({cost:.2f} ms)"


def starting(rounds):
    """Print the wall and processor time until a process has made its first batch."""
    batches, costs = feed(labelled((64, 128, 1), 64), PIPELINES["rotate"], 1, "processes"), []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), processor_seconds()
        with batches.working(1):
            batches[0]
            costs.append((time.perf_counter() - wall, processor_seconds() - processor))
    wall, processor = map(statistics.median, zip(*costs, strict=True))
    print(
        f"\nThe first batch of a process comes after {wall:.2f} s; starting it takes {processor:.2f} s of a processor."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--loop", metavar="AUGMENTATION")
    options = parser.parse_args()
    if options.loop:
        batches = feed(labelled((64, 128, 1), 64), (f"{options.loop}:p=1", "wssce"), 1, "threads")
        with ThreadPool(1) as threads:
            measure(batches, threads, options.seconds)
        return 0
    counts = [int(count) for count in options.workers.split(",")]
    print(f"| processes compared with threads | {' | '.join(f'{count} workers' for count in counts)} |")
    print("|---|" + "--:|" * len(counts))
    with ExitStack() as stack:
        for shape, count in SHAPES.items():
            data = labelled(shape, count)
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            for place, source in (("in memory", data), ("memory-mapped", memory_mapped(data, folder))):
                for name, words in PIPELINES.items():
                    if place == "memory-mapped" and name not in ("reading only", "noise"):
                        continue  # where the data lies makes no difference to what is computed
                    cells = [compare(source, words, each, options.rounds, options.seconds) for each in counts]
                    size = "×".join(map(str, shape))
                    print(f"| {size} {place}, {name} | {' | '.join(cells)} |", flush=True)
    starting(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
