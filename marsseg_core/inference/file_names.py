"""Make the names of output files from the names of the items of a data set."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from ..data.image_files import SUFFIXES
from ..data.names import image_of

# Characters that no file of some common system may have in its name: control characters, and those of Windows.
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')

# What a part of a path may have in bytes, with room for a suffix and for a temporary name.
_LONGEST: Final = 200


def file_names(names: Sequence[str]) -> list[str] | None:
    """Return a path without suffix for each name: relative, different from the others, and the same on every system.

    The suffix of an image is left out, if the names remain different without it. Folders stay folders. None means that
    no such paths can be made: two names differ only in characters that are replaced or in case, or one is too long.

    >>> file_names(["site1/a.png", "../b.png@r64c128"])
    ['site1/a', '_/b@r64c128']
    """
    for keep_suffix in (False, True):
        paths = [_path(name, keep_suffix) for name in names]
        if len({path.casefold() for path in paths}) == len(paths):
            fit = all(len(os.fsencode(part)) <= _LONGEST for path in paths for part in path.split("/"))
            return paths if fit else None
    return None


def _path(name: str, keep_suffix: bool) -> str:
    image = image_of(name)
    stem, suffix = os.path.splitext(image)
    stem = image if keep_suffix or suffix.lower() not in SUFFIXES else stem
    parts = _UNSAFE.sub("_", stem + name[len(image) :]).split("/")
    # Empty parts and parts of dots would leave the folder; Windows drops dots and spaces at the end.
    return "/".join(part.rstrip(". ") or "_" for part in parts)
