"""Know the usual names of folders of images, of masks and of subsets."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from marsseg_core.plugin_api import SUBSET_WORDS

IMAGE_WORDS: Final = ("images", "image", "imgs", "img", "jpegimages", "input", "inputs")
MASK_WORDS: Final = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "anns", "ann"),
    *("annot", "gt", "groundtruth", "segmentationclass"),
)

# Words beside the others that say nothing, as in img_dir.
_FILLERS: Final = ("dir", "png", "jpg", "jpeg", "tif", "tiff")

# The words of subsets, and those of nnU-Net (imagesTr), which count only at the end of a name.
_ENDS: Final = {**SUBSET_WORDS, "tr": "train", "ts": "test"}

Role = Literal["images", "masks", ""]


class Meaning(NamedTuple):
    """Hold what the name of a folder says: whether it has images or masks, and of which subset; empty for neither."""

    role: Role
    subset: str


def meaning_of(name: str) -> Meaning:
    """Return what the name of a folder says, such as "masks", "val", "train_images" or "trainannot".

    >>> meaning_of("train_images")
    Meaning(role='images', subset='train')
    >>> meaning_of("site1")
    Meaning(role='', subset='')
    """
    words = [word for word in re.split(r"[_\-. ]+", name.casefold()) if word]
    words = [word for word in words if word not in _FILLERS] or words
    for candidates in (words, ["".join(words)], *_halves("".join(words))):
        roles = [_role(word) for word in candidates]
        subsets = [(_ENDS if len(candidates) > 1 else SUBSET_WORDS).get(word, "") for word in candidates]
        known = all(role or subset for role, subset in zip(roles, subsets, strict=True))
        if candidates and known and len([*filter(None, roles)]) <= 1 and len([*filter(None, subsets)]) <= 1:
            return Meaning(next(filter(None, roles), ""), next(filter(None, subsets), ""))
    return Meaning("", "")


def _halves(text: str) -> list[list[str]]:
    """Return a name divided after the word of a subset, or before one."""
    return [
        [text[:place], text[place:]]
        for place in range(1, len(text))
        if text[:place] in SUBSET_WORDS or text[place:] in _ENDS
    ]


def _role(word: str) -> Role:
    return "images" if word in IMAGE_WORDS else "masks" if word in MASK_WORDS else ""


def common_subset(parts: list[str]) -> bool:
    """Return whether these names of folders are those of the subsets of a split: all are, and one is for training."""
    subsets = [meaning_of(part) for part in parts]
    return all(not role and subset for role, subset in subsets) and any(subset == "train" for _, subset in subsets)
