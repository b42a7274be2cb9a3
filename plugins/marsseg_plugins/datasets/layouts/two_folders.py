"""Read a folder of images and a folder of masks, each whole or divided into subsets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from .base import Found, Item, Wanted
from .pairing import NO_IMAGE, NO_MASK, Ends, by_key, ends_in_two_folders, subset_and_place, without_end
from .sides import PLAIN, Sides, find_sides, folders_beside, has_sides
from .walk import Listing, list_folder, merged, within

LOOKS_FOR: Final = (
    "images/ and masks/, or other usual names of the two folders, also inside or above train/, val/ and test/"
)

UNLABELLED: Final = "unlabelled"
OTHERS: Final = "another folder with images"


def recognises(root: Path) -> bool:
    """Return whether there is a folder of images and one of masks."""
    return has_sides(root)


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files of the two folders by their names. A folder unlabelled/ beside them has images without masks."""
    sides = find_sides(root, wanted.images, wanted.masks)
    found = _pair(root, sides, wanted)
    others = folders_beside(root, sides)
    if (folder := root / UNLABELLED) in others:
        others.remove(folder)
        found = replace(found, unlabelled=[*found.unlabelled, *list_folder(folder).files])
    return replace(found, left_out={**found.left_out, OTHERS: others}) if others else found


def find_plain(root: Path) -> Found:
    """Pair the files of images/ and masks/ as version 0.1 did: subfolders are places, and links are not followed."""
    images, masks = (root / name for name in PLAIN)
    return _pair(root, [Sides(images, masks)], Wanted(image_suffix="", mask_suffix=""), links=False)


def _pair(root: Path, sides: list[Sides], wanted: Wanted, *, links: bool = True) -> Found:
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    subset_of: dict[str, str] = {}
    unlabelled: list[Path] = []
    listings: list[Listing] = []
    for side in sides:
        listing = list_folder(side.images, links=links, suffixes=wanted.suffixes)
        listings.append(listing)
        if side.masks is None:
            unlabelled += listing.files
            continue
        here = by_key(listing.files, side.images, side.prefix)
        subset_of |= dict.fromkeys(here, side.subset)
        images |= here
        listings.append(list_folder(side.masks, links=links, suffixes=wanted.suffixes))
        masks |= by_key(listings[-1].files, side.masks, side.prefix)
    left_out = merged(*(listing.left_out for listing in listings))
    ends = ends_in_two_folders(list(images), list(masks))
    ends = Ends(
        ends.image if wanted.image_suffix is None else wanted.image_suffix,
        ends.mask if wanted.mask_suffix is None else wanted.mask_suffix,
    )
    image_of, others = without_end(images, ends.image)
    mask_of, other_masks = without_end(masks, ends.mask)
    if others or other_masks:
        left_out["without the suffix of the others"] = others + other_masks
    prefixes = {side.subset: side.prefix for side in sides}
    items = []
    for key, image in image_of.items():
        if key in mask_of:
            subset = subset_of[key + ends.image]
            inside = key.removeprefix(prefixes[subset])
            name = key + ends.image + image.suffix
            items.append(Item(image, mask_of[key], name, subset_and_place(inside, False)[1], subset))
    unpaired = {
        NO_MASK: [image_of[key] for key in image_of if key not in mask_of],
        NO_IMAGE: [mask_of[key] for key in mask_of if key not in image_of],
    }
    return Found(items, _what(root, sides, ends), unpaired, left_out, unlabelled)


def _what(root: Path, sides: list[Sides], ends: Ends) -> str:
    """Return what was read; an empty text for images/ and masks/."""
    pairs = [
        f"{within(root, side.images)}/ with {within(root, side.masks)}/" + (f" as {side.subset}" if side.subset else "")
        for side in sides
        if side.masks is not None
    ]
    if pairs == ["images/ with masks/"] and not any(ends):
        return ""
    end = "".join(f"; {what} end in {end}" for what, end in zip(("images", "masks"), ends, strict=True) if end)
    return ", ".join(pairs) + end
