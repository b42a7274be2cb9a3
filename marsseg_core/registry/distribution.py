"""Names and versions of distributions."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "marsseg"


@cache
def version() -> str:
    """The version of the installed distribution."""
    return metadata.version(DISTRIBUTION)


def normal(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
