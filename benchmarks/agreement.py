"""Compare the outputs of components with those of their authors' code, for the same weights.

    python benchmarks/agreement.py      > table.md

The outputs of the authors' code are recorded in tests/published; its README says how they were made.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "published"))

import keras
from agreement import UNPUBLISHED, cases


def main():
    print("| component | compared | repository and commit | largest difference over scale |")
    print("|---|---|---|--:|")
    failed = False
    for case in cases():
        difference = case.difference(case.make())
        failed |= difference > case.tolerance
        number = f"{difference:.0e}" if difference else "0"
        print(f"| {case.component} | {case.what} | {case.source} | {number} |", flush=True)
        keras.backend.clear_session()
    for component, reason in UNPUBLISHED.items():
        print(f"| {component} | nothing: {reason} | | |")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
