"""Choose the layout of a folder or file, and say what is there where none fits."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUFFIXES, RequestError, counted, nearest, refuse_file

from . import cityscapes, coco, images, labelme, pattern, suffix, table, two_folders, voc
from .base import Found, Layout, Wanted
from .pattern import is_pattern
from .walk import is_picture, some_names, subfolders, within
from .words import IMAGE_WORDS, MASK_WORDS, meaning_of

# Of the layouts with masks as images, the first that fits is read. Those with polygons count only where none fits.
MASKS: Final[dict[str, Layout]] = {
    "table": table,
    "cityscapes": cityscapes,
    "voc": voc,
    "two_folders": two_folders,
    "suffix": suffix,
}
POLYGONS: Final[dict[str, Layout]] = {"coco": coco, "labelme": labelme}
LAYOUTS: Final[dict[str, Layout]] = {**MASKS, **POLYGONS, "pattern": pattern, "images": images}

# What explanations list, the most usual first.
_LOOKED_FOR: Final[tuple[Layout, ...]] = (two_folders, suffix, table, cityscapes, voc, coco, labelme)
_AS_SAID: Final = (
    "what its parameters images and masks say: names of folders, or patterns such as images/{subset}/{group}/{name}.png"
)

# What the user may set about where images and masks are, by layout.
_USED: Final = {
    "two_folders": ("images", "masks", "image_suffix", "mask_suffix"),
    "suffix": ("image_suffix", "mask_suffix"),
    "cityscapes": ("image_suffix", "mask_suffix"),
    "pattern": ("images", "masks"),
    "coco": ("images",),
}

# How a user says which files are images and which are masks.
HOW_TO_SAY: Final = (
    'Say which files are meant, as in --data folder:path=… --set "data.folder.images=left/{name}.jpg" '
    '--set "data.folder.masks=ids/{name}_id.png" (with {subset} and {group} if they are in the paths), or name the two '
    "folders."
)

# How many names of folders an explanation lists, and how many names of files are looked at for it.
_NAMED: Final = 6
_MOST_NAMES: Final = 200_000


def recognised(root: Path) -> list[str]:
    """Return the names of the layouts that a folder or file has: one of masks, or else those of polygons."""
    with_masks = [name for name, layout in MASKS.items() if layout.recognises(root)]
    return with_masks[:1] or [name for name, layout in POLYGONS.items() if layout.recognises(root)]


def find(root: Path, name: str, wanted: Wanted) -> Found:
    """Find the images and masks in the layout of this name; "auto" means that it is found.

    Raises RequestError if no layout fits, or more than one.
    """
    _check_readable(root)
    if name == "auto":
        name = _automatic(root, wanted)
    _check_used(root, name, wanted)
    if name == "plain":
        return two_folders.find_plain(root)
    return replace(LAYOUTS[name].find(root, wanted), layout=name)


def find_unlabelled(root: Path, name: str, wanted: Wanted) -> Found:
    """Find the images without labels. If no layout fits a folder, all of its images are.

    Raises RequestError if it has no images, or more than one layout fits.
    """
    said = wanted.images or wanted.masks or wanted.mask_suffix
    if name == "auto" and not said and images.recognises(root) and not recognised(root):
        name = "images"
    return find(root, name, wanted)


def _automatic(root: Path, wanted: Wanted) -> str:
    if is_pattern(wanted.images) or is_pattern(wanted.masks):
        return "pattern"
    names = recognised(root)
    if (wanted.images or wanted.masks) and names != ["coco"]:
        return "two_folders"
    if not names and wanted.mask_suffix:
        return "suffix"
    if not names:
        raise RequestError("No layout of images and masks is found here.", where=str(root), hint=explain(root))
    if len(names) > 1:
        raise RequestError(
            f"This can be read in {len(names)} ways: {', '.join(names)}.",
            where=str(root),
            hint=f"Say which, as in layout={names[0]}.",
        )
    return names[0]


def _check_used(root: Path, name: str, wanted: Wanted) -> None:
    """Raise RequestError if the user has set something that has no meaning in a layout."""
    for key in ("images", "masks", "image_suffix", "mask_suffix"):
        if getattr(wanted, key) is not None and key not in _USED.get(name, ()):
            using = [layout for layout, keys in _USED.items() if key in keys]
            hint = f"Remove it, or set a layout that uses it: {', '.join(using)}."
            raise RequestError(f"{key} has no meaning in the layout {name}.", where=str(root), hint=hint)


def _check_readable(root: Path) -> None:
    try:
        if not root.is_file():
            os.scandir(root).close()
    except OSError as cause:
        refuse_file(root, f"This folder cannot be read: {cause.strerror}.")


def explain(path: Path) -> str:
    """Return what is there, in sentences, and what is looked for, in a line each."""
    wanted = "\n- ".join(["It looks for one of these:", *(layout.LOOKS_FOR for layout in _LOOKED_FOR), _AS_SAID])
    return f"{_there(path)}\n{wanted}" if path.is_dir() else wanted


def _there(path: Path) -> str:
    """Return what is in a folder, in sentences."""
    folders = [folder.name for folder in subfolders(path)]
    suffixes = Counter(Path(name).suffix.lower() or "without a suffix" for name in _files(path))
    there = [f"{name}/" for name in folders[:_NAMED]]
    there += [counted(len(folders) - _NAMED, "more folder")] if len(folders) > _NAMED else []
    there += [f"{count:,} {suffix}" for suffix, count in suffixes.most_common(_NAMED)]
    lines = [f"The folder holds {', '.join(there) or 'nothing'}."]
    fits = 0
    for name in folders[:_NAMED]:
        if fitting := recognised(path / name):
            fits += 1
            lines.append(f"{name}/ has the layout {fitting[0]}: pass {path / name}.")
        guess = nearest(name.lower(), (*IMAGE_WORDS, *MASK_WORDS))
        if guess.startswith("Did you mean") and not meaning_of(name).role:
            lines.append(f"{name}/: {guess[0].lower()}{guess[1:]}")
    return " ".join(lines if fits == 1 else [*lines, *_examples(path)])


def _examples(path: Path) -> list[str]:
    """Return sentences with an image of each folder that has some, or with the files that are there instead."""
    examples: list[str] = []
    without: list[str] = []
    suffixes: Counter[str] = Counter()
    for folder, names in some_names(path, _MOST_NAMES):
        suffixes.update(
            "".join(Path(name).suffixes[-2:] if name.endswith(".gz") else Path(name).suffix) for name in names
        )
        picture = next(filter(is_picture, names), None)
        if picture:
            examples.append(within(path, Path(folder, picture)))
        elif names and meaning_of(Path(folder).name).role == "masks":
            without.append(f"{within(path, Path(folder))}/ has no images, but {names[0]}.")
    if examples:
        more = len(examples) - _NAMED
        end = f", and those of {counted(more, 'more folder')}" if more > 0 else ""
        return [*without[:_NAMED], f"Images here are, for example, {', '.join(examples[:_NAMED])}{end}. {HOW_TO_SAY}"]
    most = [suffix for suffix, _ in suffixes.most_common(_NAMED) if suffix]
    return [f"No file is an image ({', '.join(sorted(SUFFIXES))}), but there are {', '.join(most)}."] if most else []


def _files(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and not entry.is_dir()]
    except OSError:
        return []
