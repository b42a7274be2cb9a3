"""Find out how much memory this process may use, and how many pixels a network may compute at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

# Larger calls are no faster per pixel on a processor.
MOST_PIXELS: Final = 512 * 512

# The share of the memory that all feature maps of a call may take together. Backends free a map after its last use, so
# the real peak is smaller.
_SHARE: Final = 1 / 4

# Used where the system does not tell.
_DEFAULT_BYTES: Final = 2**32


def pixels_at_once(bytes_per_pixel: float) -> int:
    """Return how many pixels a network may compute in one call, at most `MOST_PIXELS`.

    `bytes_per_pixel` is the size of all its feature maps for each pixel of the image. The number depends on the machine
    or container only, not on what else runs, so that the same command gives the same result again.
    """
    return min(MOST_PIXELS, int(memory_limit() * _SHARE / bytes_per_pixel))


def memory_limit() -> int:
    """Return the memory of the machine in bytes, or that of the container or job where it is less."""
    return min(_limits(), default=_DEFAULT_BYTES)


def _limits() -> Iterator[int]:
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in _group_files():
        with suppress(OSError, ValueError):  # no such file, or "max"
            yield int(file.read_text())


def _group_files() -> Iterator[Path]:
    """Yield the files with the memory limits of this process's Linux control group and its parents, version 1 and 2."""
    root = Path("/sys/fs/cgroup")
    yield root / "memory" / "memory.limit_in_bytes"
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                group = root / line.removeprefix("0::").lstrip("/")
                yield from (folder / "memory.max" for folder in (group, *group.parents) if folder.is_relative_to(root))
