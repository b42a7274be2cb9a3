"""Match the images and masks of a data set by keys that are made from their paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from marsseg_core.plugin_api import counted, refuse_file, some

from .pairs import pictures_in


def by_key(folder: Path, key: Callable[[Path], str] | None = None) -> dict[str, Path]:
    """Return the image files in a folder and its subfolders by their keys.

    `key` makes the key from the path inside the folder; an empty key leaves the file out. Without it, the key is that
    path without the suffix, with "/" between folders. Raises RequestError if two files have the same key.
    """
    key = key or without_suffix
    return keyed((key(path.relative_to(folder)), path) for path in pictures_in(folder, recursive=True))


def without_suffix(path: Path) -> str:
    """Return a path without the suffix of the file, with "/" between folders."""
    return path.with_suffix("").as_posix()


def keyed(paths: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return files by their keys; leave out those with an empty key, and refuse two files with the same."""
    files: dict[str, Path] = {}
    for key, path in paths:
        if key and (other := files.setdefault(key, path)) != path:
            refuse_file(path, f"There is also {other.name}: which of them is meant?", hint="Remove one of them.")
    return files


def matched(images: Mapping[str, Path], masks: Mapping[str, Path], root: Path) -> tuple[list[str], list[str]]:
    """Return the keys that have both an image and a mask, and a sentence for each kind of file without the other."""
    faults = [
        *_fault("image has", "images have", "mask", root, (images[key] for key in images if key not in masks)),
        *_fault("mask has", "masks have", "image", root, (masks[key] for key in masks if key not in images)),
    ]
    return [key for key in images if key in masks], faults


def _fault(one: str, several: str, missing: str, root: Path, files: Iterable[Path]) -> list[str]:
    names = [file.relative_to(root).as_posix() for file in files]
    return [f"{counted(len(names), one, several)} no {missing}: {some(names)}."] if names else []
