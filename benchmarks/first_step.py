"""Run a command as the README does, and print what it spends before, between and after the steps of the training.

    python benchmarks/first_step.py
    python benchmarks/first_step.py run --arch unet:width=0.25 --epochs 1

Each row has the processor time of all threads, the wall time and their quotient, the number of processors that were
used. The time of a part excludes the parts inside it. Traces are the times that a network was turned into a graph.
"""

import functools
import importlib
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

README = ["run", "--arch", "dense", "--bottleneck", "transformer,aspp", "--loss", "wssce", "--epochs", "1"]

# The functions that are timed: part → module:function, or module:class.method.
PARTS = {
    "import Keras and its backend": ["marsseg_core.cli.loading:start_keras"],
    "make or read the data": ["marsseg_core.training.loop:read_data"],
    "split and look for doubts": ["marsseg_core.training.loop:_new_split"],
    "build and check the network": ["marsseg_core.training.setup:build_network"],
    "losses, optimizer, batches": ["marsseg_core.training.loop:set_up_training"],
    "files of the run": ["marsseg_core.training.loop:write_beginning"],
    "save network and checkpoint": ["marsseg_core.training.recorder:RunRecorder.on_epoch_end"],
    "score after the epoch": ["marsseg_core.training.callbacks:Scoring.on_epoch_end"],
    "load the best network": [
        "marsseg_core.training.ending:_best_network",
        "marsseg_core.training.ending:load_network",
    ],
    "score the best network": ["marsseg_core.training.ending:score_subsets"],
    "report": ["marsseg_plugins.observers.report.write:write_report"],
}
FIRST, LATER = "first step", "other steps"
REST = "command line, imports, rest"


class Clock:
    """Add up the time of each part, without that of the parts inside it."""

    def __init__(self):
        self.processor: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.traces: Counter[str] = Counter()
        self._open = [REST]
        self._last = (0.0, time.perf_counter())  # processor time begins with the process

    @property
    def part(self):
        return self._open[-1]

    def lap(self):
        now = time.process_time(), time.perf_counter()
        self.processor[self.part] += now[0] - self._last[0]
        self.wall[self.part] += now[1] - self._last[1]
        self._last = now

    def timed(self, part, function):
        @functools.wraps(function)
        def call(*args, **values):
            self.lap()
            self._open.append(part() if callable(part) else part)
            try:
                return function(*args, **values)
            finally:
                self.lap()
                self._open.pop()

        return call

    def table(self):
        print("\n| part | processor time | wall time | processors | traces |\n|---|--:|--:|--:|--:|")
        parts = [REST, *PARTS, FIRST, LATER]
        for part in parts:
            self._row(part, self.processor[part], self.wall[part], self.traces[part])
        self._row("all", *(sum(each.values()) for each in (self.processor, self.wall, self.traces)))
        apart = [part for part in parts if part != LATER]
        self._row(
            "all but the other steps", *(sum(e[p] for p in apart) for e in (self.processor, self.wall, self.traces))
        )

    def _row(self, part, processor, wall, traces):
        print(f"| {part} | {processor:.2f} s | {wall:.2f} s | {processor / max(wall, 1e-9):.2f} | {traces or ''} |")


def instrument(clock):
    """Wrap the functions of PARTS, the steps of `fit` and the calls of networks. This imports Keras."""
    import keras

    for part, places in PARTS.items():
        for place in places:
            module, _, path = place.partition(":")
            owner = importlib.import_module(module)
            *outer, name = path.split(".")
            for each in outer:
                owner = getattr(owner, each)
            if hasattr(owner, name):
                setattr(owner, name, clock.timed(part, getattr(owner, name)))

    make = keras.Model.make_train_function

    def make_train_function(self, *args, **values):
        before = self.train_function
        made = make(self, *args, **values)
        if self.train_function is not before:
            steps = iter([FIRST])
            self.train_function = clock.timed(lambda: next(steps, LATER), self.train_function)
        return made

    keras.Model.make_train_function = make_train_function
    count_traces(keras, lambda: clock.traces.update([clock.part]))


def count_traces(keras, tell):
    """Call `tell` whenever a network is called while TensorFlow builds a graph, but not for networks inside of it."""
    import tensorflow

    call, depth = keras.Model.__call__, [0]

    def counted(self, *args, **values):
        if not depth[0] and not tensorflow.executing_eagerly():
            tell()
        depth[0] += 1
        try:
            return call(self, *args, **values)
        finally:
            depth[0] -= 1

    keras.Model.__call__ = counted


def main():
    clock = Clock()
    from marsseg_core.cli import loading
    from marsseg_core.cli.main import app

    load = loading.load_keras

    def load_keras():
        clock.timed(next(iter(PARTS)), load)()
        clock.lap()
        instrument(clock)
        clock._last = time.process_time(), time.perf_counter()

    import marsseg_core.cli.run

    setattr(marsseg_core.cli.run, "load_keras", load_keras)  # noqa: B010 (not exported)
    words = sys.argv[1:] or README
    with tempfile.TemporaryDirectory() as folder:
        words = words if "--out" in words else [*words, "--out", str(Path(folder, "run"))]
        print("marsseg", *words)
        try:
            app(words, prog_name="marsseg")
        except SystemExit as end:
            if end.code:
                raise
    clock.lap()
    clock.table()


if __name__ == "__main__":
    main()
