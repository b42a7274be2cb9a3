"""Train on many small images from the memory-mapped cache; measure speed and memory, compared with a small set.

    python benchmarks/large_data.py [--count 200000] [--small 2000] [--side 32] [--batch 256] [--augment none]

The images are synthetic scenes with noise that differs from image to image. They are written into the cache once
(MARSSEG_CACHE; by default a temporary folder). Then a fresh process for each set splits it and looks for identical
images, makes the batches of an epoch, and trains a small network for an epoch. The table has images per second, and the
peak of the memory that the process has for itself (RssAnon of Linux, read 20 times a second). The pages of the mapped
files are not part of it: the system takes them back when memory is short.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SCENES = 256
UNIT = 1e6


def open_large(count, side):
    from marsseg_core.plugin_api import IMAGES, MASKS, CacheSource, cached_data
    from marsseg_plugins.datasets.mars import IGNORED, MARS_CLASSES
    from marsseg_plugins.datasets.synthetic import Synthetic

    def prepare(writer):
        scenes = Synthetic(count=SCENES, height=side, width=side).load()
        images, masks = scenes.images // 2, np.asarray(scenes.masks)
        for first in range(0, count, SCENES):
            part = min(SCENES, count - first)
            noise = np.random.default_rng([0, first]).integers(0, 64, images[:part].shape, np.uint8)
            writer.append(IMAGES, images[:part] + noise)
            writer.append(MASKS, masks[:part])
            writer.progress(first + part, count)

    source = CacheSource(f"large:count={count}", [], {"count": count, "side": side})
    return cached_data(source, prepare, class_names=MARS_CLASSES, ignore_classes=IGNORED)


def own_memory():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class Peak:
    """The largest memory of this process in the block, above that at its beginning."""

    def __enter__(self):
        self._begin = self._peak = own_memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.05):
            self._peak = max(self._peak, own_memory())

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.bytes = max(self._peak, own_memory()) - self._begin


def measure(options):
    from marsseg_core import api
    from marsseg_core.data.doubts import doubts
    from marsseg_core.data.leaks import leak_warnings
    from marsseg_core.data.splits import make_split
    from marsseg_core.networks.startup import start_keras

    start_keras()
    from marsseg_core.training.callbacks import EpochClock
    from marsseg_core.training.setup import set_up_training

    data = open_large(options.count, options.side)
    words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "loss": "ssce", "augment": options.augment}
    plan = api.plan(data="synthetic", batch=options.batch, validation=0.01, test=0.01, **words)
    results = {}

    def timed(name, work):
        start = time.perf_counter()
        with Peak() as peak:
            result = work()
        results[name] = len(data) / (time.perf_counter() - start), peak.bytes
        return result

    def split_and_check():
        split = make_split(data, plan.split)
        doubts(data, split)
        leak_warnings(data, split)
        return split

    split = timed("split and checks", split_and_check)
    setup = set_up_training(plan, data, split, best_by=plan.metrics.best_by)

    def make_batches():
        for index in range(len(setup.batches)):
            setup.batches[index]

    timed("batches alone", make_batches)
    clock = EpochClock(setup.batches)

    def train():
        setup.task.fit(setup.batches, epochs=1, shuffle=False, verbose=0, callbacks=[clock])

    setup.task.train_on_batch(*setup.batches[0])  # traces the step
    timed("training", train)
    print(json.dumps(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--small", type=int, default=2_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--augment", default="none")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(options)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("MARSSEG_CACHE", folder)
        counts, results = (options.small, options.count), {}
        for count in counts:
            start = time.perf_counter()
            data = open_large(count, options.side)
            seconds = time.perf_counter() - start
            size = (data.images.nbytes + data.masks.nbytes) / UNIT
            print(f"{count:,} images of {options.side} × {options.side}, {size:,.0f} MB: prepared in {seconds:.1f} s")
        for count in counts:
            words = [sys.executable, __file__, "--measure", "--count", str(count), "--side", str(options.side)]
            words += ["--batch", str(options.batch), "--augment", options.augment]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            results[count] = json.loads(done.stdout.splitlines()[-1])
    print(f"\n| | {' | '.join(f'{count:,} images | own memory' for count in counts)} |\n|---|--:|--:|--:|--:|")
    for name in results[options.small]:
        cells = [
            f"{rate:,.0f} images/s | {size / UNIT:,.0f} MB" for rate, size in (results[each][name] for each in counts)
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    return None


if __name__ == "__main__":
    sys.exit(main())
