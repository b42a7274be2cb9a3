"""Run commands as a user does, each in its own process, and measure time and peak memory."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

# A small process whose only child is the command, so that the peak memory of its children is that of the command.
MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
sys.stderr.write(f"\\npeak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n")
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Step:
    name: str
    seconds: float
    megabytes: float
    output: str


def marsseg(name, *words):
    """Run `marsseg WORDS`. If it fails, exit with its output."""
    command = [sys.executable, "-m", "marsseg_core", *map(str, words)]
    start = time.perf_counter()
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], capture_output=True, encoding="utf-8", env=environment
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"marsseg {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    peak = int(done.stderr.rsplit("peak ", 1)[1]) / 1024
    step = Step(name, seconds, peak, done.stdout)
    print(f"| {step.name} | {step.seconds:.1f} s | {step.megabytes:,.0f} MB |", flush=True)
    return step


def head():
    print("| step | time | peak memory |\n|---|--:|--:|", flush=True)
