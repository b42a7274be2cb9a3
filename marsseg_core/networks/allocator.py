"""Keep freed memory in the process, so that the feature maps of each step need not be fetched from the system anew."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Final

# Numbers from glibc's malloc.h. The first value is that of one pool for all threads. With 0 mapped blocks, large ones
# come from the pool, too. The last value switches giving memory back off.
_OPTIONS: Final = {
    -8: 1,  # M_ARENA_MAX
    -4: 0,  # M_MMAP_MAX
    -1: -1,  # M_TRIM_THRESHOLD
}


def keep_freed_memory() -> None:
    """Tell the allocator of the GNU C library to give no freed memory back to the system before the process ends.

    By default it gives large blocks back when they are freed, and once TensorFlow's pipelines have set its limits, it
    does so with every block of 128 kB. The system then clears each page again for the next step. Beside Eigen's kernels
    this takes a third of the processor time of a training step, beside those of oneDNN some percent
    (`benchmarks/processor.py`). Other libraries are left alone, and so is this one where the environment has settings
    for it (`MALLOC_…` or `GLIBC_TUNABLES`).
    """
    if platform.libc_ver()[0] == "glibc" and not _has_own_settings():
        library = ctypes.CDLL(None)
        for option, value in _OPTIONS.items():
            library.mallopt(option, value)


def _has_own_settings() -> bool:
    return "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ)
