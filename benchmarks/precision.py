"""Compare a short training in mixed_bfloat16 with the same in float32, on some real tiles.

    python benchmarks/precision.py FILE.npz [--arch unet:width=0.25 | --plan NAME] [--limit 500] [--epochs 5]
        [--seeds 3]

The runs of both precisions alternate in one process, with the same seeds, split and batches. The table has the `miou`
of the test subset, mean ± standard deviation over the seeds, and the median of the processor time of a run. The last
line says what `precision=auto` becomes: where that is float32, bfloat16 is emulated, and the times say nothing about a
machine that has it.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import marsseg
from marsseg_core.networks.precision import choose_precision

PRECISIONS: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32", "mixed_bfloat16")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--arch", default="unet:width=0.25")
    what.add_argument("--plan", help="a recipe or a plan file, instead of an architecture with the loss wssce")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    components = {} if options.plan else {"arch": options.arch, "loss": "wssce"}
    scores: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in range(options.seeds):
        for precision in PRECISIONS:
            start = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                run = marsseg.run(
                    options.plan,
                    **components,
                    data=f"npz:path={options.file}:limit={options.limit}",
                    epochs=options.epochs,
                    seed=seed,
                    precision=precision,
                    out=Path(folder) / "run",
                )
            seconds[precision].append(time.process_time() - start)
            scores[precision].append(100 * run.metrics["subsets"]["test"]["miou"])
            keras.backend.clear_session()
    print("| precision | test `miou` | of each seed | processor seconds per run |")
    print("|---|--:|---|--:|")
    for name, values in scores.items():
        mean = f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}"
        each = ", ".join(f"{value:.1f}" for value in values)
        print(f"| {name} | {mean} | {each} | {statistics.median(seconds[name]):.0f} |")
    print("precision=auto: {}, as {}".format(*choose_precision()))


if __name__ == "__main__":
    main()
