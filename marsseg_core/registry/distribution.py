"""The name of the marsseg distribution, its version, and normalised names of distributions."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "marsseg"


@cache
def version() -> str:
    """Return the version of the installed marsseg distribution."""
    return metadata.version(DISTRIBUTION)


def normal(name: str) -> str:
    """Return the normalised name of a distribution, for comparisons: lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()
