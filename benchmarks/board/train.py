"""Train one row in a process of its own, and measure it: `python -m board.train TASK`, with the task as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from marsseg_core.errors import MarssegError
from marsseg_core.files.atomic import write_bytes

# One split for all rows. The training with one worker in a thread is one process, whose time is all of the time.
SETTINGS: Final[dict[str, Any]] = {"validation": 0.15, "test": 0.15, "workers": 1, "worker_kind": "threads"}
OVERRIDES: Final = ["split.seed=0", "split.subsets=drawn", "split.folds=none", "split.fold=none"]

_BATCH: Final = 16
_ROUNDS: Final = 5


@dataclass(frozen=True)
class Task:
    """What a process does: train `epochs` of a plan into the run folder `out`; without `out`, time them.

    `seconds` is the file of the processor seconds, `answer` that of the measurements.
    """

    plan: str
    data: str
    seed: int
    epochs: int
    seconds: str
    out: str | None = None
    answer: str | None = None

    def to_json(self) -> str:
        """Return the task as text."""
        return json.dumps(asdict(self))


def train(task: Task, out: Path) -> None:
    """Train the plan, or go on with a training that was interrupted."""
    import marsseg
    from board.meter import Meter
    from marsseg_core.files.run_folder import RunFolder
    from marsseg_core.hooks import load_hooks

    folder = RunFolder(out)
    callbacks = [Meter(Path(task.seconds))]
    if folder.begun:
        if not folder.finished:
            marsseg.resume(out, callbacks=callbacks)
        return
    folder.discard_beginning()
    words: Any = SETTINGS | {"data": task.data, "seed": task.seed, "epochs": task.epochs}
    hooks = load_hooks(observers=[])  # no report: a table is made of the run folders
    marsseg.run(task.plan, **words, overrides=OVERRIDES, out=out, hooks=hooks, callbacks=callbacks)


def machine(processors: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor, with AVX-512 if it has that, and the number of cores.

    One name may stand for processors with and without AVX-512: an epoch of the first takes two thirds of the time.
    """
    model, vectors = platform.processor() or platform.machine(), ""
    if processors.is_file():
        entries = [line.partition(":") for line in processors.read_text().splitlines()]
        about = {name.strip(): value.strip() for name, _, value in entries}
        model = about.get("model name", model)
        vectors = " with AVX-512" if "avx512f" in about.get("flags", "").split() else ""
    return f"{model}{vectors}, {os.cpu_count()} cores"


def measure(out: Path) -> dict[str, Any]:
    """Measure a finished run: size, time per image, and the confusion matrix of each place of the test subset."""
    import marsseg
    from marsseg_core import api
    from marsseg_core.data.arrays import scale
    from marsseg_core.evaluation.confusion import confusion_matrix, decode
    from marsseg_core.evaluation.evaluate import predicted_batches
    from marsseg_core.evaluation.resampling import places_of
    from marsseg_core.files.run_folder import RunFolder
    from marsseg_core.networks.compiled import compiled
    from marsseg_core.networks.cost import cost_of
    from marsseg_core.networks.predictor import FLIPS
    from marsseg_core.runs.decoding import recorded_decoding
    from marsseg_core.runs.recorded_data import read_data_of, recorded_split

    folder = RunFolder.open(out)
    plan = api.plan(folder)
    data, flips = read_data_of(folder, plan), plan.training.tta
    items = recorded_split(folder, data)["test"]
    network, decoding = marsseg.load(out), recorded_decoding(folder)
    places = places_of(items, data.groups)
    counted = [c for c in range(data.num_classes) if c not in data.ignore_classes]
    matrices = np.zeros((places.max() + 1, len(counted), len(counted)), np.int64)
    done = 0
    for masks, logits in predicted_batches(network, data, items, _BATCH, tta=flips):
        for mask, predicted in zip(masks, decode(decoding.of_logits(logits), data.ignore_classes), strict=True):
            matrix = confusion_matrix(mask, predicted, data.num_classes)
            matrices[places[done]] += matrix[np.ix_(counted, counted)]
            done += 1
    height, width = network.input_shape[1:3]
    images = scale(np.resize(data.images[items[:_BATCH]], (_BATCH, height, width, data.images.shape[-1])))
    function, times = compiled(network), []
    for _ in range(_ROUNDS + 1):  # the first one traces
        start = time.process_time()  # finer than the clock that counts children, too
        function.logits(images)
        times.append(time.process_time() - start)
    cost = cost_of(network)
    return {
        "date": f"{date.today():%Y-%m-%d}",
        "machine": machine(),
        "parameters": cost.parameters,
        "multiply_accumulates": None if cost.unknown else cost.multiply_accumulates,
        "milliseconds": 1000 * statistics.median(times[1:]) / _BATCH * (len(FLIPS) if flips else 1),
        "classes": [data.class_names[c] for c in counted],
        "matrices": matrices.tolist(),
    }


def perform(task: Task) -> None:
    """Train, and measure the run if the task has an answer."""
    if task.out is None:
        with tempfile.TemporaryDirectory() as folder:
            train(task, Path(folder) / "run")
        return
    train(task, Path(task.out))
    if task.answer is not None:
        write_bytes(Path(task.answer), (json.dumps(measure(Path(task.out))) + "\n").encode())


def main() -> None:
    """Do the task that the command line has."""
    try:
        perform(Task(**json.loads(sys.argv[1])))
    except MarssegError as error:
        sys.exit(" ".join(str(error).split()))  # on one line, which the table shows


if __name__ == "__main__":
    main()
