"""Where things are in the AI4Mars release, in both of its layouts, and which image each label belongs to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import RequestError, refuse_file

from .pairs import Pair, pictures_in, some

_M2020_FOLDERS: Final = ("ncam", "mcam", "HAFIQ")


@dataclass(frozen=True)
class LabelFolder:
    """A folder of labels, and the folders of images they may belong to, for each camera.

    `rejects` are folders of masks of what must not count: the names of their files have another word for `edr`.
    `nulls` are values that mean no label, besides 255.
    """

    rover: str
    path: str
    images: Mapping[str, tuple[str, ...]]
    rejects: Mapping[str, str] = field(default_factory=dict)
    nulls: tuple[int, ...] = ()


# Of two folders of one rover and camera the first is merged-0.6, the second merged-0.1.
_TRAIN: Final = (
    LabelFolder(
        "msl",
        "msl/ncam/labels/train",
        {"ncam": ("msl/ncam/images/edr",)},
        rejects={"mxy": "msl/ncam/images/mxy", "rng": "msl/ncam/images/rng-30m"},
    ),
    LabelFolder(
        "msl",
        "msl/labels/train",
        {"ncam": ("msl/images/edr",)},
        rejects={"mxy": "msl/images/mxy", "rng": "msl/images/rng-30m"},
    ),
    LabelFolder("msl", "msl/mcam/labels/train", {"mcam": ("msl/mcam/images",)}, nulls=(4,)),
    LabelFolder("mer", "mer/labels/train/merged-unmasked", {"ncam": ("mer/images/eff",)}),
    LabelFolder("m2020", "m2020/labels/NAV", {name.lower(): (f"m2020/images/{name}",) for name in _M2020_FOLDERS}),
)
_GOLD: Final = (
    LabelFolder("msl", "msl/ncam/labels/test/masked-gold-min{}-100agree", {"ncam": ("msl/ncam/images/edr",)}),
    LabelFolder("msl", "msl/labels/test/masked-gold-min{}-100agree", {"ncam": ("msl/images/edr",)}),
    LabelFolder("mer", "mer/labels/test/masked-gold-min{}-100agree", {"ncam": ("mer/images/test", "mer/images/eff")}),
)
_GEOLOGY: Final = tuple(
    LabelFolder("m2020", f"m2020/labels/M2020_GEO/{name}", {name.lower(): (f"m2020/images/{name}",)})
    for name in _M2020_FOLDERS
)

# Rover positions in stems, lower case. Numbers of different kinds are kept apart; an MSL position is its own number.
_MSL_POSITION: Final = re.compile(r"edr_[a-z](\d{7})")
_MER_POSITION: Final = re.compile(r"([12])[a-z]\d{9}[a-z]{3}([0-9a-z]{4})")
_M2020_POSITION: Final = re.compile(r"_[a-z](\d{7})[a-z]{4}")
_MSL_SOL: Final = re.compile(r"(\d{4})m[lr]")
_KIND: Final = 10**8
_ALONE: Final = 10**9


@dataclass(frozen=True)
class Found:
    """The pairs, and a sentence about each kind of label that belongs to no image or not to one."""

    pairs: tuple[Pair, ...]
    faults: tuple[str, ...]


def find_pairs(
    root: Path, rovers: Sequence[str], cameras: Collection[str] | None, labels: str, taxonomy: str = "terrain"
) -> Found:
    """The labelled images of these rovers and cameras (None: all), by rover and then by name.

    Raises RequestError where a rover or camera that is asked for has no such labels here.
    """
    table = _GEOLOGY if taxonomy == "geology" else _TRAIN if labels == "train" else _GOLD
    pairs: list[Pair] = []
    faults: list[str] = []
    for rover in dict.fromkeys(rovers):
        here = [replace(f, path=f.path.format(labels.removeprefix("gold"))) for f in table if f.rover == rover]
        missing = set(cameras or [camera for folder in here for camera in folder.images])
        nothing_yet = set(missing)
        for folder in here:
            wanted = missing & set(folder.images)
            if wanted and (root / folder.path).is_dir():
                missing -= wanted
                _pair(root, folder, wanted, pairs, faults)
        if missing == nothing_yet or (missing and cameras):
            which = f" {', '.join(sorted(missing))}" if cameras else ""
            raise RequestError(
                f"There are no {labels} labels of {rover}{which} here.",
                where=str(root),
                hint=f"Labels of {rover} would be in {', '.join(folder.path for folder in here)}." if here else None,
            )
    if not pairs:
        raise RequestError("No label belongs to an image.", where=str(root), hint=" ".join(faults) or None)
    return Found(tuple(pairs), tuple(faults))


def _pair(root: Path, folder: LabelFolder, wanted: Collection[str], pairs: list[Pair], faults: list[str]) -> None:
    """Add the pairs of one folder of labels, and what is wrong with it."""
    images = {camera: _by_stem([root / name for name in names]) for camera, names in folder.images.items()}
    rejects = {word: _by_stem([root / name]) for word, name in folder.rejects.items()}
    lonely, torn, doubled = [], [], []
    claims: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for label in pictures_in(root / folder.path):
        stem, owners = _owners(label.stem.lower(), images)
        if not owners:
            lonely.append(label.name)
        elif len(owners) > 1:
            torn.append(label.name)
        elif owners[0] in wanted:
            claims[owners[0], stem].append(label)
    for (camera, stem), claiming in sorted(claims.items()):
        # The name nearest to the image's first: it is the one to keep, if others are to be skipped.
        label, *others = sorted(claiming, key=lambda claim: (len(claim.name), claim.name))
        doubled += [other.name for other in others]
        masks = [kept[name] for word, kept in rejects.items() if (name := stem.replace("edr", word, 1)) in kept]
        group = _position(folder.rover, stem)
        group = _ALONE + len(pairs) if group is None else group
        pairs.append(Pair(images[camera][stem], label, group, tuple(masks), folder.nulls))
    for what, names in (("without an image", lonely), ("of two cameras", torn), ("for an image that has one", doubled)):
        if names:
            counted = "1 label" if len(names) == 1 else f"{len(names):,} labels"
            faults.append(f"{counted} {what} in {folder.path}: {some(names)}.")


def _owners(stem: str, images: Mapping[str, Mapping[str, Path]]) -> tuple[str, list[str]]:
    """The longest beginning of a label's stem, in whole segments, that names an image; and the cameras that have it."""
    while stem:
        if owners := [camera for camera, known in images.items() if stem in known]:
            return stem, owners
        stem = stem.rpartition("_")[0]
    return "", []


def _by_stem(folders: Sequence[Path]) -> dict[str, Path]:
    """The pictures of some folders by their stems in lower case; the first folder that has one counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        here: dict[str, Path] = {}
        for path in pictures_in(folder) if folder.is_dir() else []:
            if (other := here.setdefault(path.stem.lower(), path)) != path:
                refuse_file(path, f"There is also {other.name}: which of them is meant?")
        found = here | found
    return found


def _position(rover: str, stem: str) -> int | None:
    """A number for the rover's place, from the stem of an image; None where the stem does not tell."""
    if rover == "msl" and (match := _MSL_POSITION.search(stem)):
        return int(match[1])
    if rover == "msl" and (match := _MSL_SOL.match(stem)):
        return _KIND + int(match[1])
    if rover == "mer" and (match := _MER_POSITION.match(stem)):
        return 2 * _KIND + int(match[1]) * 36**4 + int(match[2], 36)
    if rover == "m2020" and (match := _M2020_POSITION.search(stem)):
        return 3 * _KIND + int(match[1])
    return None
