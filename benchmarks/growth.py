"""Measure how processor time and peak memory grow with the input: images, sizes, classes, plugins, runs, epochs.

    python benchmarks/growth.py [--only TEXT] [--largest 1.0] [--rounds 1]

Each case doubles one input (`benchmarks/growing/`). Each measurement runs in its own process, after the smallest input
has been processed once, so that imports do not count. The exponent of time is that of the last two doublings: 1 means
that twice the input takes twice as much. That of memory is of the last doubling, as smaller inputs partly fit into
memory that the process has already. An arrow marks what grows faster than its input. Times below 50 ms and memory below
20 MB have no exponent, as noise would decide it. `--largest 0.25` measures smaller inputs only, in less time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from growing import classes, images, plugins, runs
from growing.case import Case

CASES: Final = (*plugins.CASES, *images.CASES, *classes.CASES, *runs.CASES)

# Noise, and n log n, which is 1.1 to 1.2 at these sizes, are no growth.
LARGEST_EXPONENT: Final = 1.25
LEAST_SECONDS: Final = 0.05
LEAST_MEGABYTES: Final = 20.0


def measure(case: Case, size: int, answer: Path) -> None:
    """Write the processor seconds and the peak of additional memory in MB for an input of this size."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["MARSSEG_CACHE"] = str(folder / "cache")
        for name in ("small", "large"):
            (folder / name).mkdir()
        case.prepare(case.sizes[0], folder / "small")()
        function = case.prepare(size, folder / "large")
        before = reset_peak()
        start = processor_seconds()
        function()
        seconds = processor_seconds() - start
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        answer.write_text(json.dumps([seconds, max(peak() - before, children)]))


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def reset_peak() -> float:
    """Return the memory of this process in MB, and let `peak` forget earlier peaks, which only Linux can."""
    if os.path.exists("/proc/self/clear_refs"):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """Return the peak memory of this process in MB."""
    if os.path.exists("/proc/self/status"):
        line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(case: Case, size: int) -> tuple[float, float]:
    """Measure in a new process; what the case prints is discarded."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, __file__, "--measure", str(CASES.index(case)), str(size), str(answer)]
        done = subprocess.run(command, capture_output=True, text=True)
        if not answer.is_file():
            sys.stderr.write(f"{case.name}, {size:,} {case.unit}: {done.stderr}\n")
            return math.nan, math.nan
        seconds, megabytes = json.loads(answer.read_text())
        return seconds, megabytes


def exponent(values: list[float], least: float, doublings: int) -> str:
    """Return the exponent of growth over the last doublings, marked if it is above 1."""
    first = values[-1 - doublings]
    if math.isnan(sum(values[-3:])):
        return "fails ↑"
    if values[-1] < least or first <= 0:
        return "–"
    slope = math.log2(values[-1] / first) / doublings
    return f"{slope:.2f}{' ↑' if slope > LARGEST_EXPONENT else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only what has this text in its name or input")
    parser.add_argument("--largest", type=float, default=1.0, help="the largest input, as a share of the usual one")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many measurements counts")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        number, size, answer = options.measure
        measure(CASES[int(number)], int(size), Path(answer))
        return
    print("| what | input | processor time | growth | peak memory | growth |\n|---|---|---|--:|---|--:|", flush=True)
    for case in CASES:
        if options.only not in f"{case.name} {case.unit}":
            continue
        sizes = [size for size in case.sizes if size <= max(options.largest * case.sizes[-1], case.sizes[2])]
        rounds = [[measured(case, size) for size in sizes] for _ in range(options.rounds)]
        by_size = zip(*rounds, strict=True)
        medians = [[statistics.median(values) for values in zip(*each, strict=True)] for each in by_size]
        seconds, megabytes = ([median[position] for median in medians] for position in (0, 1))
        row = (
            case.name,
            f"{', '.join(f'{size:,}' for size in sizes[-3:])} {case.unit}",
            f"{', '.join(f'{value:.2f}' for value in seconds[-3:])} s",
            exponent(seconds, LEAST_SECONDS, 2),
            f"{', '.join(f'{value:,.0f}' for value in megabytes[-3:])} MB",
            exponent(megabytes, LEAST_MEGABYTES, 1),
        )
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
