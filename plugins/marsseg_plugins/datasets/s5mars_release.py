"""Find the images, labels and subsets of the S5Mars release."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUBSET_WORDS, counted, refuse_file, some

from .json_file import read_json
from .matching import by_key, matched
from .pairs import Pair
from .published import Contents

# The values 1 to 9 of the masks, in their order; 0 is NULL.
CLASSES: Final = ("sky", "ridge", "soil", "sand", "bedrock", "rock", "rover", "trace", "hole")

# Names of images by Curiosity's mast cameras begin with the Martian day and the camera: 1044ML… In copies of the public
# archive of raw images, the day stands before the name once more: 1044_1044ML…
_DAY: Final = re.compile(r"(?:\d{4}_)?(\d{4})M[LR]", re.IGNORECASE)

# Images without a day in their names count up from here, each a group of its own.
_ALONE: Final = 10**5

# A list of all 6,000 images has a hundredth of it.
_MAX_BYTES: Final = 2**24


def find(root: Path, *, by_day: bool) -> Contents:
    """Return the images that have a label, with their subsets and, with `by_day`, their groups.

    Raises RequestError if a folder is missing, or a file of the split cannot be read or contradicts another.
    """
    images, labels = by_key(root / "images"), by_key(root / "labels")
    keys, faults = matched(images, labels, root)
    files = sorted((root / "split").glob("*.json"))
    subsets = _subsets(files, images)
    if subsets and (left_out := [key for key in keys if key not in subsets]):
        count = counted(len(left_out), "image is", "images are")
        faults.append(f"{count} in no file of split/: {some(left_out)}.")
        keys = [key for key in keys if key in subsets]
    days = {key: match[1] for key in keys if (match := _DAY.match(Path(key).name))} if by_day else {}
    pairs = [
        Pair(
            images[key],
            labels[key],
            images[key].relative_to(root / "images").as_posix(),
            (int(days[key]) if key in days else _ALONE + number) if days else None,
            subset=subsets.get(key, ""),
        )
        for number, key in enumerate(keys)
    ]
    return Contents(pairs, CLASSES, faults, files)


def _subsets(files: Collection[Path], images: Mapping[str, Path]) -> dict[str, str]:
    """Return the subset of each image in the lists of split/. Raises RequestError if an image is missing or in two."""
    subset_of: dict[str, str] = {}
    for path in files:
        if (subset := SUBSET_WORDS.get(path.stem.lower())) is None:
            continue  # lists of labelled images for semi-supervised training have other names
        missing = []
        for key in _names(path):
            if subset_of.setdefault(key, subset) != subset:
                refuse_file(path, f"{key} is in the {subset_of[key]} subset too.")
            if key not in images:
                missing.append(key)
        if missing:
            count = counted(len(missing), "of its images is", "of its images are")
            refuse_file(
                path,
                f"{count} not in images/: {some(missing)}.",
                hint="Unpack the whole release, or remove the folder split/ to draw the subsets.",
            )
    return subset_of


def _names(path: Path) -> list[str]:
    names = read_json(path, _MAX_BYTES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        refuse_file(path, 'A list of image names is expected, such as ["easy/0001", "hard/0002"].')
    return names
