"""Find the cache folder of the user. What lies in it can be made again at any time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import RequestError

VARIABLE: Final = "MARSSEG_CACHE"


def root() -> Path:
    """Return the cache folder: $MARSSEG_CACHE, or `marsseg` in the user's cache folder of the operating system."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    import platformdirs  # imported here, as most commands need no cache

    default = None
    with suppress(RuntimeError):
        default = platformdirs.user_cache_path("marsseg", appauthor=False)
    # Without a home folder some versions of platformdirs raise, others return a relative path.
    if default is None or not default.is_absolute():
        raise RequestError("There is no home folder to store prepared data in.", hint=f"Set {VARIABLE}.")
    return default
