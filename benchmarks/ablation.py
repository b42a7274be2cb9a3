"""Compare losses, weightings of the report's combination of losses, and background in the loss, on some real tiles.

    python benchmarks/ablation.py FILE.npz [--limit 500] [--epochs 8] [--width 0.125] [--seeds 3]

All rows use one split and the same seeds. The scores are those of the test subset: mean ± standard deviation over the
seeds. For `miou` a network can only predict the classes that count. For `miou_an2dl`, the score of the course as far as
it is known, it can predict background on labelled pixels, which lowers the score.
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
COMBINATION = "wssce,dice,boundary:weight=0.01"
WEIGHTINGS = ("fixed", "scheduled", "uncertainty", "dwa", "gradnorm", "softadapt", "relobralo")
# As in the report: the weights of cross-entropy and boundary rise, that of dice falls.
RAMPS = ["weighting.scheduled.start=0.2,0.8,0", "weighting.scheduled.end=0.4,0.4,0.2"]
LEARN_IGNORED = ["training.learn_ignored=true"]

ROWS = [
    *((loss, "fixed", []) for loss in LOSSES),
    *((COMBINATION, weighting, RAMPS if weighting == "scheduled" else []) for weighting in WEIGHTINGS),
    *((loss, "fixed", LEARN_IGNORED) for loss in ("ssce", "wssce", "dice", COMBINATION)),
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
    print("| loss | weighting | background | test `miou` | test `miou_an2dl` | big rock IoU | seconds per run |")
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
        columns = [f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}" for values in scores.values()]
        background = "in the loss" if overrides is LEARN_IGNORED else "ignored"
        print(f"| {loss} | {weighting} | {background} | {' | '.join(columns)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
