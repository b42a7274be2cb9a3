"""The budget of a training, in processor seconds, and how many epochs it allows.

The number of epochs is fixed before a training, so that its schedule ends where the training ends. It follows from a
short training of two epochs: what the first takes longer is tracing and compiling, which is paid once. Where a
semi-supervised method labels images at the start of each of several rounds, the short training has two epochs in each
round. The budget counts user and system time of the process and its children from the first step to the end of the last
epoch: steps and validation, but not imports, reading of data, building of the network and the final scores.

Other programs on the machine only add to this time, so a training that takes too long is timed once more, and each
epoch counts with the lesser time of the two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

TOLERANCE: Final = 0.03
"""Accept a training that takes this share more than its budget."""


def processor_seconds() -> float:
    """Return the user and system time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def read_seconds(path: Path) -> list[float]:
    """Return the processor seconds at the end of each epoch; none if the file does not exist."""
    return list(json.loads(path.read_text())) if path.is_file() else []


def least_seconds(ends: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the seconds at the end of each epoch, if each took the lesser time of two trainings.

    `others` do not count unless their training is as long.
    """
    if len(others) != len(ends):
        return list(ends)
    durations = [[end - start for start, end in zip((0.0, *each), each, strict=False)] for each in (ends, others)]
    return list(accumulate(map(min, *durations)))


def epochs_within(budget: float, ends: Sequence[float], rounds: int = 1) -> int:
    """Return how many epochs a budget allows, at least one for each of the equal rounds of the training.

    `ends` are the seconds at the end of each epoch of a training that has two epochs in each round. Each further epoch
    of a round takes as long as its second one.
    """
    durations = [end - start for start, end in zip((0.0, *ends), ends, strict=False)]
    first, further = sum(durations[::2]), max(sum(durations[1::2]), 0.01)
    return rounds * (1 + max(0, int((budget - first) // further)))


def fewer_epochs(budget: float, epochs: int, seconds: float, rounds: int = 1) -> int | None:
    """Return a smaller number of epochs for a training that took too long; None if it was within its budget."""
    if seconds <= budget * (1 + TOLERANCE) or epochs == rounds:
        return None
    fewer = min(epochs - 1, int(epochs * budget / seconds))
    return max(rounds, fewer - fewer % rounds)
