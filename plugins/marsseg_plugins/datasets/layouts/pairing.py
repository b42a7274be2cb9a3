"""Match images with masks by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..matching import keyed, without_suffix

# What the names of images and masks have at their end where both are in one folder.
IMAGE_ENDS: Final = ("", "_image", "_img", "_rgb", "_leftImg8bit", "_sat", "_0000", "-image", "-img")
MASK_ENDS: Final = tuple(
    separator + word
    for separator in "_-."
    for word in (
        *("mask", "masks", "label", "labels", "labelIds", "gtFine_labelIds", "gt", "seg", "segmentation"),
        *("ann", "annotation", "groundtruth", "L"),
    )
)

NO_MASK: Final = "image has no mask"
NO_IMAGE: Final = "mask has no image"


class Ends(NamedTuple):
    """Hold what the names of images and of masks have at their end, before the suffix of the file."""

    image: str
    mask: str


def by_key(paths: Iterable[Path], folder: Path, prefix: str = "") -> dict[str, Path]:
    """Return files by `prefix` and their path in a folder, without the suffix; refuse two with the same."""
    return keyed((prefix + without_suffix(path.relative_to(folder)), path) for path in paths)


def without_end(files: Mapping[str, Path], end: str) -> tuple[dict[str, Path], list[Path]]:
    """Return files by their keys without `end`, and the files whose keys do not have it."""
    return (
        {key.removesuffix(end): path for key, path in files.items() if key.endswith(end)},
        [path for key, path in files.items() if not key.endswith(end)],
    )


def ends_in_two_folders(images: Sequence[str], masks: Sequence[str]) -> Ends:
    """Find what the keys of masks have at their end in addition to those of their images, if it is the same for all.

    Returns two empty texts if a mask has the key of an image, or there is no such end. Any end may be found that is in
    all masks, with which at least half of the images have a mask.
    """
    known = set(masks)
    if not images or not masks or not known.isdisjoint(images):
        return Ends("", "")
    for image_end in IMAGE_ENDS:
        if not all(key.endswith(image_end) for key in images):
            continue
        keys = [key.removesuffix(image_end) for key in images]
        candidates = {mask[len(key) :] for key in keys[:3] for mask in masks if mask.startswith(key)}
        fitting = [
            end
            for end in candidates
            if all(mask.endswith(end) for mask in masks) and 2 * sum(key + end in known for key in keys) >= len(keys)
        ]
        if len(fitting) == 1:
            return Ends(image_end, fitting[0])
    return Ends("", "")


def ends_in_one_folder(keys: Iterable[str]) -> Ends | None:
    """Find by which ends the files of one folder are images and masks; None if they are not.

    All files must be images and masks of the same ends, one mask for each image. Of several such ends, the longest wins
    of those for masks.
    """
    known = set(keys)
    for mask_end in sorted(MASK_ENDS, key=len, reverse=True):
        masks = {key.removesuffix(mask_end) for key in known if key.endswith(mask_end)}
        images = {key for key in known if not key.endswith(mask_end)}
        for image_end in IMAGE_ENDS if masks else ():
            if all(key.endswith(image_end) for key in images) and masks == {k.removesuffix(image_end) for k in images}:
                return Ends(image_end, mask_end)
    return None


def subset_and_place(key: str, subsets: bool) -> tuple[str, str]:
    """Return the first folder of a key as a subset, if `subsets`, and the next as a place; empty for none."""
    parts = key.split("/")[:-1]
    subset = parts.pop(0) if subsets and parts else ""
    return subset, parts[0] if parts else ""
