"""Find the panoramas or crops of the MarsScapes release, and the mask of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import refuse_file

from .marscapes_masks import CLASSES
from .matching import by_key, matched
from .pairs import Pair
from .published import Contents

_MASK: Final = "_color"
# What annotation files are called besides masks in colour.
_OTHERS: Final = ("_semanticId", "_instanceId")
_PANORAMA: Final = re.compile(r"(\d+)_(\d+)")

# Images whose names are not of the release count up from here, each a group of its own.
_ALONE: Final = 10**9


def find_panoramas(root: Path, mask_folders: Sequence[str], groups: str) -> Contents:
    """Return the panoramas that have a mask in the first of the folders that exists.

    Raises RequestError if a folder is missing.
    """
    folders = [root / folder for folder in mask_folders if (root / folder).is_dir()]
    if not folders:
        refuse_file(root, f"There is no folder of masks; they should be in {' or '.join(mask_folders)}.")
    # Some copies name a mask exactly like its panorama.
    masks = by_key(folders[0], lambda path: _image_key(path) or _mask_key(path))
    return _contents(root, root / "image", by_key(root / "image"), masks, groups)


def find_crops(root: Path, groups: str) -> Contents:
    """Return the crops in processed/ that have a mask. Raises RequestError if the folder is missing."""
    folder = root / "processed"
    return _contents(root, folder, by_key(folder, _image_key), by_key(folder, _mask_key), groups)


def _contents(root: Path, home: Path, images: dict[str, Path], masks: dict[str, Path], groups: str) -> Contents:
    keys, faults = matched(images, masks, root)
    pairs = []
    for number, key in enumerate(keys):
        match = _PANORAMA.match(Path(key).name)
        group = _ALONE + number
        if match is not None and groups != "none":
            group = 1000 * int(match[1]) + (int(match[2]) if groups == "panoramas" else 0)
        pairs.append(Pair(images[key], masks[key], images[key].relative_to(home).as_posix(), group))
    return Contents(pairs, CLASSES, faults)


def _mask_key(path: Path) -> str:
    stem = path.with_suffix("").as_posix()
    return stem.removesuffix(_MASK) if stem.endswith(_MASK) else ""


def _image_key(path: Path) -> str:
    stem = path.with_suffix("").as_posix()
    return "" if stem.endswith((_MASK, *_OTHERS)) else stem
