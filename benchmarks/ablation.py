"""Each loss alone, the report's combination under each weighting, and the background kept in, on a slice of real tiles.

    python benchmarks/ablation.py FILE.npz [--limit 500] [--epochs 8] [--width 0.125] [--seeds 3]

One split, the same seeds for every row: mean ± standard deviation over the seeds of the test subset's scores. `miou`
decides between the classes that count; `miou_an2dl`, the course's score as inferred, lets a network say background on
labelled ground and charges it for that.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import marsseg

LOSSES = ("ssce", "wssce", "focal", "dice", "gdice", "tversky", "focal_tversky", "lovasz", "boundary")
JOINED = "wssce,dice,boundary:weight=0.01"
WEIGHTINGS = ("fixed", "scheduled", "uncertainty", "dwa", "gradnorm", "softadapt", "relobralo")
# Cross-entropy and boundary rise, dice falls, as in the report.
RAMPS = ["weighting.scheduled.start=0.2,0.8,0", "weighting.scheduled.end=0.4,0.4,0.2"]
KEEP = ["training.learn_ignored=true"]

ROWS = [
    *((loss, "fixed", []) for loss in LOSSES),
    *((JOINED, weighting, RAMPS if weighting == "scheduled" else []) for weighting in WEIGHTINGS),
    *((loss, "fixed", KEEP) for loss in ("ssce", "wssce", "dice", JOINED)),
]
METRICS = ("miou", "miou_an2dl")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("| loss | weighting | background | test `miou` | test `miou_an2dl` | big rock IoU | seconds a run |")
    print("|---|---|---|--:|--:|--:|--:|")
    for loss, weighting, overrides in ROWS:
        scores: dict[str, list[float]] = {metric: [] for metric in (*METRICS, "big_rock")}
        start = time.perf_counter()
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                run = marsseg.run(
                    arch=f"unet:width={options.width:g}",
                    loss=loss,
                    weighting=weighting,
                    data=f"npz:path={options.file}:limit={options.limit}",
                    epochs=options.epochs,
                    seed=seed,
                    overrides=overrides,
                    out=Path(folder) / "run",
                )
            test = run.metrics["subsets"]["test"]
            for metric in METRICS:
                scores[metric].append(100 * test[metric])
            scores["big_rock"].append(100 * (test["iou"]["big_rock"] or 0))
            keras.backend.clear_session()
        seconds = (time.perf_counter() - start) / options.seeds
        columns = [f"{statistics.mean(found):.1f} ± {statistics.pstdev(found):.1f}" for found in scores.values()]
        background = "in the loss" if overrides is KEEP else "ignored"
        print(f"| {loss} | {weighting} | {background} | {' | '.join(columns)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
