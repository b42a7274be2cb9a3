"""Compare the six networks of Table 1 of the report on real tiles: mean ± standard deviation over seeds.

    python benchmarks/table1.py FILE.npz [--width 0.125] [--limit 600] [--epochs 10] [--seeds 3]

All networks train for the same number of epochs, with the same settings and split. The test subset has only places
that no network saw.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import marsseg

NETWORKS = {
    "Simple U-Net": ("unet", "none"),
    "Dense U-Net": ("dense", "transformer,aspp"),
    "Dual U-Net": ("dual", "none"),
    "Parallel U-Net": ("parallel", "none"),
    "U-Net 3+": ("unet3plus", "none"),
    "ResUNet++": ("resunetpp", "none"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("| network | parameters | validation `miou` | test `miou` |\n|---|--:|--:|--:|")
    for name, (arch, bottleneck) in NETWORKS.items():
        scores: dict[str, list[float]] = {"validation": [], "test": []}
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                run = marsseg.run(
                    arch=f"{arch}:width={options.width:g}",
                    bottleneck=bottleneck,
                    data=f"npz:path={options.file}:limit={options.limit}",
                    epochs=options.epochs,
                    seed=seed,
                    out=Path(folder) / "run",
                )
            for subset, values in scores.items():
                values.append(100 * run.metrics["subsets"][subset]["miou"])
            parameters = sum(int(keras.ops.size(weight)) for weight in run.network.trainable_weights)
            keras.backend.clear_session()
        columns = [f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}" for values in scores.values()]
        print(f"| {name} | {parameters:,} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
