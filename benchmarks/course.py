"""Measure time and peak memory of each command on data of the course's size, from the data to the submission.

    python benchmarks/course.py [--arch unet:width=0.125] [--epochs 2] [--keep FOLDER]

The data has 2,615 labelled scenes, 110 of them with aliens, and 10,022 scenes without labels, in the layout and dtypes
of the course. The commands make and inspect it, train without the aliens, and write the submission, which is then
checked.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

from steps import head, marsseg

LABELLED, UNLABELLED, ALIENS, PIXELS = 2615, 10022, 110, 64 * 128


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="unet:width=0.125")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files, which are otherwise deleted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file, run, submission = folder / "course.npz", folder / "run", folder / "submission.csv"
        head()
        marsseg("idle (`marsseg list`)", "list")
        marsseg("data make", "data", "make", file, "--count", LABELLED, "--test", UNLABELLED, "--aliens", ALIENS)
        inspected = json.loads(marsseg("data inspect", "data", "inspect", file, "--json").output)
        words = ["--arch", options.arch, "--bottleneck", "none", "--data", file, "--epochs", options.epochs]
        marsseg(f"run, {options.epochs} epochs", "run", *words, "--set", "cleaning.drop_aliens=masks", "--out", run)
        marsseg("predict", "predict", run, file, "--submission", submission)
        check_aliens(inspected, run)
        check_submission(submission)


def check_aliens(inspected, run):
    aliens = sum(map(len, inspected["aliens"]))
    left = json.loads((run / "cleaning.json").read_text())["remaining"]
    print(f"\naliens found: {aliens}; images left: {left:,}")
    assert (aliens, left) == (ALIENS, LABELLED - ALIENS)


def check_submission(path):
    with path.open(newline="") as file:
        rows = csv.reader(file)
        assert next(rows) == ["id", *map(str, range(PIXELS))]
        count, labels = 0, set()
        for row in rows:
            assert row[0] == str(count)
            assert len(row) == 1 + PIXELS
            labels |= set(row[1:])
            count += 1
    print(f"submission: {count:,} rows of {PIXELS:,} labels {sorted(labels)}, {path.stat().st_size:,} bytes")
    assert count == UNLABELLED
    assert labels <= {"0", "1", "2", "3", "4"}


if __name__ == "__main__":
    main()
