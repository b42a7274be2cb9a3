"""Read images and masks from one folder, told apart by the end of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .base import Found, Item, Wanted
from .pairing import MASK_ENDS, NO_IMAGE, NO_MASK, Ends, by_key, ends_in_one_folder, subset_and_place, without_end
from .walk import is_picture, list_folder, some_names, subfolders
from .words import common_subset, meaning_of

LOOKS_FOR: Final = "a.jpg with a_mask.png (or _label, _gt, _seg, …) beside it, for all images of the folder"


def recognises(root: Path) -> bool:
    """Return whether there is a mask for each of the images, except those for testing."""
    pictures = [Path(parent, name) for parent, names in some_names(root) for name in names if is_picture(name)]
    return _found_ends(root, pictures) is not None


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files of the folder and its subfolders by the beginning of their names."""
    listing = list_folder(root, suffixes=wanted.suffixes)
    pictures = listing.files
    ends = _found_ends(root, pictures) or Ends("", "_mask")
    ends = Ends(
        ends.image if wanted.image_suffix is None else wanted.image_suffix,
        ends.mask if wanted.mask_suffix is None else wanted.mask_suffix,
    )
    images = by_key([path for path in pictures if not path.stem.endswith(ends.mask)], root)
    image_of, others = without_end(images, ends.image)
    mask_of, _ = without_end(by_key([path for path in pictures if path.stem.endswith(ends.mask)], root), ends.mask)
    left_out = dict(listing.left_out)
    if others:
        left_out["without the suffix of the others"] = others
    subsets = _has_subsets(root, pictures)
    items = []
    for key, image in image_of.items():
        if key in mask_of:
            word, place = subset_and_place(key, subsets)
            subset = meaning_of(word).subset if word else ""
            items.append(Item(image, mask_of[key], image.relative_to(root).as_posix(), place, subset))
    without = [image_of[key] for key in image_of if key not in mask_of]
    unlabelled = _unlabelled(root, without, items) if subsets else []
    unpaired = {
        NO_MASK: [path for path in without if path not in set(unlabelled)],
        NO_IMAGE: [mask_of[key] for key in mask_of if key not in image_of],
    }
    end = f"; images end in {ends.image}" if ends.image else ""
    what = f"each image with the mask beside it that ends in {ends.mask}{end}"
    return Found(items, what + (", in folders of subsets" if subsets else ""), unpaired, left_out, unlabelled)


def _found_ends(root: Path, pictures: list[Path]) -> Ends | None:
    """Return by which ends images and masks are told apart; None if they are not.

    Images for testing need no masks. If none of those for validation has one either, those for training decide.
    """
    paths = [path.relative_to(root) for path in pictures]
    subset_of = {path.with_suffix("").as_posix(): meaning_of(path.parts[0]).subset for path in paths}
    labelled = [key for key, subset in subset_of.items() if subset != "test"]
    training = [key for key in labelled if subset_of[key] == "train"]
    if any(key.endswith(MASK_ENDS) for key in labelled if subset_of[key] != "train"):
        training = []
    return ends_in_one_folder(labelled) or ends_in_one_folder(training)


def _has_subsets(root: Path, pictures: list[Path]) -> bool:
    """Return whether all images are in folders that are called as subsets are."""
    return common_subset([path.name for path in subfolders(root)]) and all(path.parent != root for path in pictures)


def _unlabelled(root: Path, without: list[Path], items: list[Item]) -> list[Path]:
    """Return the images of subsets other than that for training in which no image has a mask."""
    labelled = {"train", *(item.subset for item in items)}
    return [path for path in without if meaning_of(path.relative_to(root).parts[0]).subset not in labelled]
