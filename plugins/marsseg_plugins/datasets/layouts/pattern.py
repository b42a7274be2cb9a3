"""Read images and masks whose paths follow a pattern, such as `images/{subset}/{group}/{name}_left.png`."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from marsseg_core.plugin_api import SUBSET_WORDS, SUBSETS, SUFFIXES, RequestError, refuse_file

from .base import Found, Item, Wanted
from .pairing import NO_IMAGE, NO_MASK
from .walk import list_folder, merged

LOOKS_FOR: Final = "the patterns images and masks, with {name} and, if you like, {subset} and {group}"

_EXAMPLE: Final = "For example: images=images/{name}.jpg and masks=masks/{name}.png."

FIELDS: Final = ("subset", "group", "name")


class Fields(NamedTuple):
    """Hold what the path of a file says by its pattern; empty where the pattern says nothing."""

    subset: str
    group: str
    name: str


def recognises(root: Path) -> bool:
    """Return False: patterns are what the user says."""
    return False


def is_pattern(text: str | None) -> bool:
    """Return whether a text is a pattern, and not the name of a folder."""
    return text is not None and "{" in text


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files whose paths have the same subset, group and name."""
    if wanted.images is None or wanted.masks is None:
        raise RequestError("A pattern is needed for the images and for the masks.", where=str(root), hint=_EXAMPLE)
    return find_by_patterns(root, wanted.images, wanted.masks, wanted.suffixes)


def find_by_patterns(root: Path, images: str, masks: str, suffixes: Collection[str] = SUFFIXES) -> Found:
    """Pair the files of two patterns. Images and masks in other subsets than those of a split are left out."""
    unfit = f"neither {images} nor {masks}"
    image_of, image_others = _matching(root, "images", images, suffixes, unfit)
    mask_of, mask_others = _matching(root, "masks", masks, suffixes, unfit)
    both = set(_fields_of(images)) & set(_fields_of(masks))
    by_shared: dict[Fields, Path] = {}
    for fields, mask in mask_of.items():
        other = by_shared.setdefault(_only(fields, both), mask)
        if other != mask:
            _refuse_second(root, mask, other)
    items, without, unlabelled, elsewhere = [], [], [], []
    used: set[Path] = set()
    with_masks = {fields.subset for fields in mask_of}
    for fields, image in sorted(image_of.items(), key=lambda pair: _order(pair[0])):
        found = by_shared.get(_only(fields, both))
        subset = SUBSET_WORDS.get(fields.subset.lower(), "")
        if fields.subset and not subset:
            elsewhere.append(image)
            used |= {found} if found else set()
        elif found is not None:
            items.append(Item(image, found, image.relative_to(root).as_posix(), fields.group, subset))
            used.add(found)
        elif subset == "test" and fields.subset not in with_masks:
            unlabelled.append(image)
        else:
            without.append(image)
    fitting = {*image_of.values(), *mask_of.values()}
    left_out = {
        reason: [path for path in dict.fromkeys(paths) if path not in fitting]
        for reason, paths in merged(image_others, mask_others).items()
    }
    left_out |= {"in no subset of a split": elsewhere} if elsewhere else {}
    lonely = [mask for mask in mask_of.values() if mask not in used]
    return Found(items, f"{images} with {masks}", {NO_MASK: without, NO_IMAGE: lonely}, left_out, unlabelled)


def _matching(
    root: Path, parameter: str, pattern: str, suffixes: Collection[str], unfit: str
) -> tuple[dict[Fields, Path], dict[str, list[Path]]]:
    """Return the files of a pattern by their fields, and others in its folder by the reason, such as `unfit`."""
    fixed = pattern.split("/")[:-1]
    depth = next((number for number, part in enumerate(fixed) if "{" in part or "*" in part), len(fixed))
    folder = root.joinpath(*fixed[:depth])
    expression = _expression(parameter, pattern)
    listing = list_folder(folder, suffixes=suffixes)
    files: dict[Fields, Path] = {}
    others: dict[str, list[Path]] = dict(listing.left_out)
    for path in listing.files:
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match is None:
            others.setdefault(unfit, []).append(path)
            continue
        fields = Fields(*(match.groupdict().get(field) or "" for field in FIELDS))
        if fields in files:
            _refuse_second(root, path, files[fields])
        files[fields] = path
    return files, others


def _refuse_second(root: Path, path: Path, first: Path) -> NoReturn:
    refuse_file(
        path,
        f"There is also {first.relative_to(root).as_posix()}: which of them is meant?",
        hint="Remove one of them, or change the pattern so that it fits only one.",
    )


def _expression(parameter: str, pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern; `*` is any part of a name."""
    text = ""
    seen: set[str] = set()
    for part in re.split(r"(\{[^{}]*\}|\*)", pattern):
        field = part.strip("{}")
        if part == "*":
            text += "[^/]*"
        elif not part.startswith("{"):
            text += re.escape(part)
        elif field not in FIELDS:
            fields = ", ".join(f"{{{known}}}" for known in FIELDS)
            raise RequestError(
                f"There is no field {part} in patterns.", where=f"{parameter}={pattern}", hint=f"Fields are {fields}."
            )
        else:
            text += f"(?P={field})" if field in seen else f"(?P<{field}>[^/]+)"
            seen.add(field)
    if "name" not in seen:
        raise RequestError("A pattern needs the field {name}.", where=f"{parameter}={pattern}", hint=_EXAMPLE)
    return re.compile(text)


def _fields_of(pattern: str) -> list[str]:
    return [field for field in FIELDS if f"{{{field}}}" in pattern]


def _only(fields: Fields, names: set[str]) -> Fields:
    return fields._replace(**{field: "" for field in FIELDS if field not in names})


def _order(fields: Fields) -> tuple[int, str, str, str]:
    subset = SUBSET_WORDS.get(fields.subset.lower(), "")
    return (SUBSETS.index(subset) if subset else len(SUBSETS), *fields)
