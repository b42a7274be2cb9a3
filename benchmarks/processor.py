"""Measure what marsseg's settings for processors bring in training steps.

    python benchmarks/processor.py [--plan fast small best] [--images 400] [--rounds 3]

marsseg switches on TensorFlow's kernels of oneDNN (`TF_ENABLE_ONEDNN_OPTS`), which TensorFlow does by itself only on
some processors, and lets the GNU C library keep freed memory (`networks/allocator.py`). Environment variables switch
both off. Each combination trains two epochs of synthetic images in a process of its own, one after the other in each
round. The table has the user and system time of a step of the second epoch, medians over the rounds, their sum relative
to that without both, and the peak memory of the process.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

KERNELS = {"Eigen": {"TF_ENABLE_ONEDNN_OPTS": "0"}, "oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "1"}}
# With any variable of this kind, marsseg leaves the C library alone. Its own limit is 8 pools for each processor.
MEMORY = {"given back": {"MALLOC_ARENA_MAX": str(8 * (os.cpu_count() or 1))}, "kept": {}}


def measure(plan: str, images: int) -> dict[str, float]:
    """Train, and return user and system seconds per step, and the peak memory in MB."""
    import keras

    import marsseg

    class Steps(keras.callbacks.Callback):
        """Note the times at the end of each step of the second epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.times: list[resource.struct_rusage] = []

        def on_train_batch_end(self, batch, logs=None):
            self.times.append(resource.getrusage(resource.RUSAGE_SELF))

        def on_epoch_begin(self, epoch, logs=None):
            self.times.clear()

    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        out, data = Path(folder) / "run", f"synthetic:count={images}"
        marsseg.run(plan, data=data, epochs=2, out=out, workers=1, worker_kind="threads", callbacks=[steps])
    first, last, count = steps.times[0], steps.times[-1], len(steps.times) - 1
    return {
        "user": (last.ru_utime - first.ru_utime) / count,
        "system": (last.ru_stime - first.ru_stime) / count,
        "megabytes": last.ru_maxrss / 1024,
    }


def measured_in_a_process(plan: str, images: int, variables: dict[str, str]) -> dict[str, float]:
    """Measure in a process of its own, with these environment variables."""
    code = f"import json, processor; print(json.dumps(processor.measure({plan!r}, {images})))"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "MARSSEG_DISABLE": "report"} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print a table for the plans."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", nargs="+", default=["fast", "small", "best"])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| `--plan` | kernels | freed memory | user | system | relative | peak memory |")
    print("|---|---|---|--:|--:|--:|--:|")
    for plan in options.plan:
        settings = list(product(KERNELS, MEMORY))
        measured: dict[tuple[str, str], list[dict[str, float]]] = {setting: [] for setting in settings}
        for _ in range(options.rounds):
            for kernels, memory in settings:
                variables = KERNELS[kernels] | MEMORY[memory]
                measured[kernels, memory].append(measured_in_a_process(plan, options.images, variables))
        medians = {
            setting: {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
            for setting, rounds in measured.items()
        }
        plain = medians[settings[0]]["user"] + medians[settings[0]]["system"]
        for (kernels, memory), median in medians.items():
            relative = (median["user"] + median["system"]) / plain
            times = f"{1000 * median['user']:.0f} ms | {1000 * median['system']:.0f} ms"
            print(f"| `{plan}` | {kernels} | {memory} | {times} | {relative:.2f} | {median['megabytes']:,.0f} MB |")


if __name__ == "__main__":
    main()
