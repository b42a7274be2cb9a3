"""Choose names of files for items, which are valid on every system, differ, and resemble the items' names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from .image_files import SUFFIXES
from .names import image_of

# What no system, or not every one, allows in the name of a file: control characters, bytes that are not UTF-8, and the
# characters that Windows reserves. Windows also reserves names of devices, and drops spaces and dots at the end.
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\\ud800-\udfff]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_DROPPED: Final = re.compile(r"[ .]$")

# Systems allow 255 bytes for a part of a path; the suffix and a number must fit too. Paths are often limited to 1,024.
_MAX_PART: Final = 200
_MAX_PATH: Final = 600


def file_names(names: Iterable[str]) -> list[str]:
    """Return the path of a file for each item, without a suffix: the name of the item, if that can be one.

    Parts of names that cannot be names of files are changed, and of names that would be the same file, also on a system
    that ignores case, the later ones get a number. Folders never end like an image, so they differ from all files.
    """
    taken: set[str] = set()
    numbers: defaultdict[str, int] = defaultdict(lambda: 1)
    paths = []
    for name in names:
        stem = _safe_path(file_stem(name))
        path = stem
        while (key := unicodedata.normalize("NFC", path).casefold()) in taken:
            numbers[stem] += 1
            path = f"{stem}~{numbers[stem]}"
        taken.add(key)
        paths.append(path)
    return paths


def file_stem(name: str) -> str:
    """Return the name of an item without the suffix of its image file; the place of a tile stays.

    >>> file_stem("site1/a.png@r64c128")
    'site1/a@r64c128'
    """
    image = image_of(name)
    stem, suffix = os.path.splitext(image)
    return stem + name[len(image) :] if suffix.lower() in SUFFIXES else name


def _safe_path(path: str) -> str:
    *folders, stem = path.split("/")
    parts = [*map(_safe_folder, folders), _safe_part(stem)]
    safe = "/".join(parts)
    return safe if len(safe.encode()) <= _MAX_PATH else parts[-1]


def _safe_folder(part: str) -> str:
    part = _safe_part(part)
    stem, suffix = os.path.splitext(part)
    return f"{stem}_{suffix[1:]}" if suffix.lower() in SUFFIXES else part


def _safe_part(part: str) -> str:
    """Return a part of a path that every system allows, and that is not hidden."""
    part = _FORBIDDEN.sub("_", part).encode()[:_MAX_PART].decode(errors="ignore")
    if not part or part.startswith(".") or _DEVICE.match(part):
        part = f"_{part}"
    return _DROPPED.sub("_", part)
