"""List the files of a folder, and the files that are not read, with the reason."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from marsseg_core.plugin_api import SUFFIXES, refuse_file

HIDDEN: Final = "hidden"
NO_IMAGE: Final = "not an image by its suffix"
LOOP: Final = "a link to a folder that is read already"

# How many names are looked at to recognise a layout.
_MOST_NAMES: Final = 10_000


@dataclass(frozen=True)
class Listing:
    """Hold the files that are read, sorted by folder and name, and the others by the reason that they are not."""

    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))


def list_folder(folder: Path, *, links: bool = True, suffixes: Collection[str] = SUFFIXES) -> Listing:
    """List a folder and its subfolders.

    Links to folders are followed, except those that lead to a folder that is read anyway. Raises RequestError if a
    folder does not exist or cannot be read.
    """
    listing = Listing()
    root = os.path.realpath(folder)
    read = {root}

    def fail(cause: OSError) -> NoReturn:
        refuse_file(cause.filename or folder, f"This folder cannot be read: {cause.strerror}.")

    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=links):
        inside = []
        for name in sorted(folders):
            path = os.path.join(parent, name)
            real = os.path.realpath(path)
            if name.startswith("."):
                listing.left_out[HIDDEN].append(Path(path))
            elif os.path.islink(path) and (not links or real in read or _contains(root, real) or _contains(real, root)):
                listing.left_out[LOOP].append(Path(path))
            elif real not in read:
                read.add(real)
                inside.append(name)
        folders[:] = inside
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.startswith("."):
                listing.left_out[HIDDEN].append(Path(path))
            elif os.path.splitext(name)[1].lower() in suffixes:
                listing.files.append(Path(path))
            else:
                listing.left_out[NO_IMAGE].append(Path(path))
    return listing


def merged(*groups: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Return the files of all dictionaries by their reasons."""
    together: dict[str, list[Path]] = defaultdict(list)
    for group in groups:
        for reason, paths in group.items():
            together[reason] += paths
    return dict(together)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name, without hidden ones; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def some_names(folder: Path, most: int = _MOST_NAMES) -> Iterator[tuple[str, list[str]]]:
    """Yield folders and the names of files in each, from the top down, until `most` names were seen.

    Hidden ones are left out. Nothing is yielded for a folder that cannot be read.
    """
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(folders) + len(names)
        yield parent, sorted(name for name in names if not name.startswith("."))
        if seen > most:
            return


def within(root: Path, path: Path) -> str:
    """Return the path of a file or folder inside `root`, or all of it if it is elsewhere."""
    return (path.relative_to(root) if root in (path, *path.parents) else path).as_posix()


def is_picture(name: str) -> bool:
    """Return whether a file is an image by its suffix."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def holds_picture(folder: Path) -> bool:
    """Return whether there is an image in a folder or its subfolders."""
    return any(is_picture(name) for _, names in some_names(folder) for name in names)


def _contains(folder: str, path: str) -> bool:
    return os.path.commonpath([folder, path]) == folder if _comparable(folder, path) else False


def _comparable(folder: str, path: str) -> bool:
    return os.path.splitdrive(folder)[0] == os.path.splitdrive(path)[0]
