"""Compare a training that is killed and resumed many times with the same training without interruption.

    python benchmarks/killed.py [--kills 10] [--epochs 30] [--data FILE.npz --limit 96] [--seed 0] [-- OPTION …]
    python benchmarks/killed.py --kills 3 --epochs 6 -- --semi fixmatch --unlabelled synthetic:first=96:count=96
    python benchmarks/killed.py --kills 3 --epochs 6 -- --encoder efficientnet_lite0:freeze=2

Each kill is a SIGKILL at a random time after the start. A last kill comes after the scores were written; then
`marsseg report` completes the run. At the end, these are compared value by value for both runs: the history (except the
seconds), the weights in the checkpoint, the weights of the best network, and the scores.

What follows `--` are further options of `marsseg run`, which are added to those of this file, or take their place.
"""

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MARSSEG = [sys.executable, "-m", "marsseg_core"]
COMMAND = [*MARSSEG, "run"]
PLAN = {
    "--arch": "unet:width=0.125",
    "--bottleneck": "transformer:layers=1:heads=2:dropout=0.3",
    "--loss": "wssce,dice,boundary:weight=0.01",
    "--weighting": "uncertainty",
    "--augment": "hflip,rockmix",
    "--schedule": "plateau:patience=2",
}


def train(words):
    ended = subprocess.run([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if ended.returncode:
        sys.exit(ended.stderr.decode(errors="replace"))


def files_of(run):
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*"))


def finish(run, words, draw):
    """Let a run end, kill it after its scores were written, and write its report; return what the kill left of that."""
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (run / "metrics.json").is_file() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [name for name in files_of(run) if name.endswith((".png", ".html"))]
    subprocess.run([*MARSSEG, "report", str(run)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ", ".join(left) or "nothing"


def epochs_of(run):
    file = run / "history.csv"
    return len(list(csv.DictReader(file.open()))) if file.is_file() else 0


def outcome(run):
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader((run / "history.csv").open())]
    with np.load(run / "checkpoint" / "last.npz") as archive:
        weights = {name: archive[name] for name in archive.files if name != "progress"}
    with zipfile.ZipFile(run / "network.keras") as archive:
        network = archive.read("model.weights.h5")
    return history, weights, network, json.loads((run / "metrics.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--limit", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("more", nargs="*", metavar="OPTION", help="further options of `marsseg run`, after --")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    if options.data == "synthetic":
        data = ["--data", f"synthetic:count={options.limit}"]
    else:
        data = ["--data", options.data, "--set", f"data.npz.limit={options.limit}"]
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        plan = [word for option, value in PLAN.items() if option not in options.more for word in (option, value)]
        plan += ["--set", "training.averaging=ema", *data, "--epochs", str(options.epochs), *options.more]
        start = time.monotonic()
        train([*plan, "--out", str(whole)])
        seconds = time.monotonic() - start
        print(f"without interruption: {options.epochs} epochs, {seconds:.0f} s", flush=True)

        kills, words = 0, [*plan, "--out", str(killed)]
        while kills < options.kills:
            process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            before = epochs_of(killed)
            while epochs_of(killed) == before and process.poll() is None:  # until a new epoch is in the history
                time.sleep(0.05)
            time.sleep(draw.uniform(0, 1.5 * seconds / options.epochs))
            if process.poll() is not None:
                print("the run ended before it was killed")
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            print(f"kill {kills}: {epochs_of(killed)} epochs in the history", flush=True)
            words = ["--resume", str(killed)]
        if not (killed / "metrics.json").is_file():
            print(f"killed after the scores: of figures and page it left {finish(killed, words, draw)}", flush=True)
        expected, resumed = outcome(whole), outcome(killed)
        weights = expected[1].keys() == resumed[1].keys() and all(
            np.array_equal(resumed[1][name], value) for name, value in expected[1].items()
        )
        equal = {
            "history": expected[0] == resumed[0],
            "weights and optimizer": weights,
            "best network": expected[2] == resumed[2],
            "scores": expected[3] == resumed[3],
            "list of files": files_of(whole) == files_of(killed),
        }
    print(f"killed {kills} times; " + ", ".join(f"{name} {'equal' if ok else 'DIFFER'}" for name, ok in equal.items()))
    return int(not all(equal.values()))


if __name__ == "__main__":
    sys.exit(main())
