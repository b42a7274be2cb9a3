"""Find out what this process may use: processors and packages. This does not import Keras."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import metadata


def processors() -> int:
    """Return how many processors this process may use: `taskset` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the version of each of these distributions that is installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
