"""Find the folders of images and of masks, of all subsets, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUBSETS, RequestError

from .walk import holds_picture, is_picture, some_names, subfolders, within
from .words import IMAGE_WORDS, MASK_WORDS, Role, common_subset, meaning_of

# The names that this data set itself uses: where they are, no other name counts.
PLAIN: Final = ("images", "masks")


@dataclass(frozen=True)
class Sides:
    """Hold the folder of images and the folder of masks, or None, of one subset.

    `prefix` begins the names of images in the data set; `subset` is empty if the layout has no subsets.
    """

    images: Path
    masks: Path | None
    prefix: str = ""
    subset: str = ""


def has_sides(root: Path) -> bool:
    """Return whether there is a folder of images and one of masks."""
    if all((root / name).is_dir() for name in PLAIN):
        return True
    named = _named_folders(root)
    with_images = {subset for role, subset, _ in named if role == "images"}
    return any(role == "masks" and subset in with_images and holds_picture(folder) for role, subset, folder in named)


def find_sides(root: Path, images_name: str | None = None, masks_name: str | None = None) -> list[Sides]:
    """Return the folders of images and masks of a folder, subset by subset.

    If the user has named one of the two folders, the other one is called as usual. Raises RequestError if there are two
    folders of images or of masks for one subset, or only one of the two. Only the images for testing may have no masks.
    """
    if images_name or masks_name:
        named = _expanded(
            [("images", "", root / (images_name or PLAIN[0])), ("masks", "", root / (masks_name or PLAIN[1]))]
        )
    else:
        named = _named_folders(root)
    sides = []
    for subset in ("", *SUBSETS):
        images = _only(root, [path for role, of, path in named if role == "images" and of == subset], "images")
        masks = _only(root, [path for role, of, path in named if role == "masks" and of == subset], "masks")
        if masks is not None and images is None:
            raise RequestError(f"There are masks in {within(root, masks)}, but no folder of images.", where=str(root))
        if images is not None and masks is None and subset != "test":
            raise RequestError(f"There are images in {within(root, images)}, but no folder of masks.", where=str(root))
        if images is not None:
            sides.append(Sides(images, masks, _prefix(root, images), subset))
    if not sides or not any(side.masks for side in sides):
        raise RequestError(
            "There is no folder of images and no folder of masks.",
            where=str(root),
            hint=f"They are found by their names: {', '.join(IMAGE_WORDS)}; {', '.join(MASK_WORDS)}.",
        )
    return sides


def _named_folders(root: Path) -> list[tuple[Role, str, Path]]:
    """Return (role, subset, folder) of all folders whose names say that they have images or masks.

    They are in `root`, which may have the folders of the subsets inside or above them.
    """
    here = [(*meaning_of(folder.name), folder) for folder in subfolders(root)]
    direct: list[tuple[Role, str, Path]] = [(role, subset, folder) for role, subset, folder in here if role]
    plain = [found for found in direct if found[2].name in PLAIN]
    direct = plain if len(plain) == len(PLAIN) else direct
    if {role for role, _, _ in direct} == {"images", "masks"}:
        return _expanded(direct)
    # Masks in train_masks/, images in train/ itself.
    beside = {subset for role, subset, _ in direct if role == "masks"} - {""}
    bare = [(subset, folder) for role, subset, folder in here if not role and subset and _loose_pictures(folder)]
    if {"train"} <= beside <= {subset for subset, _ in bare}:
        return [*direct, *(("images", subset, folder) for subset, folder in bare)]
    return [
        (role, subset, folder)
        for above, subset, parent in here
        if subset and not above
        for folder in subfolders(parent)
        for role, also in (meaning_of(folder.name),)
        if role and also in ("", subset)
    ]


def _expanded(direct: list[tuple[Role, str, Path]]) -> list[tuple[Role, str, Path]]:
    """Replace folders of images and of masks that have the subsets inside by the folders of the subsets."""
    inside = {folder: subfolders(folder) for _, _, folder in direct}
    if not all(
        not subset and common_subset([path.name for path in inside[folder]]) and not _loose_pictures(folder)
        for _, subset, folder in direct
    ):
        return direct
    return [(role, meaning_of(path.name).subset, path) for role, _, folder in direct for path in inside[folder]]


def _loose_pictures(folder: Path) -> bool:
    return any(is_picture(name) for name in next(some_names(folder), ("", []))[1])


def _only(root: Path, folders: Sequence[Path], what: str) -> Path | None:
    if len(folders) > 1:
        filled = [folder for folder in folders if holds_picture(folder)]
        folders = filled or folders
    if len(folders) > 1:
        names = " and ".join(within(root, folder) for folder in folders)
        raise RequestError(
            f"There are {len(folders)} folders of {what}: {names}.",
            where=str(root),
            hint=f"Name the one that is meant, as in {what}={within(root, folders[0])}.",
        )
    return folders[0] if folders else None


def _prefix(root: Path, images: Path) -> str:
    """Return the folders above the images, without those that only say that they are images."""
    parts = [part for part in Path(within(root, images)).parts if meaning_of(part).subset]
    return "".join(f"{part}/" for part in parts)
