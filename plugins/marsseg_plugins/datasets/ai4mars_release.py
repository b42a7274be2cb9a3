"""Find the labels of the AI4Mars release, in both of its layouts, and the image of each label."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import RequestError, counted, refuse_file, some

from .pairs import Pair, pictures_in

_M2020_FOLDERS: Final = ("ncam", "mcam", "HAFIQ")


@dataclass(frozen=True)
class LabelFolder:
    """A folder of labels and, for each camera, the folders of images that they may belong to.

    `rejects` are folders of masks: pixels above 0 become background. The names of their files have another word instead
    of `edr`. `nulls` are values that mean "no label", in addition to 255.
    """

    rover: str
    path: str
    images: Mapping[str, tuple[str, ...]]
    rejects: Mapping[str, str] = field(default_factory=dict)
    nulls: tuple[int, ...] = ()


# If a rover and camera have two folders, the first is of merged-0.6, the second of merged-0.1.
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

# Rover positions in stems, in lower case. Multiples of _KIND are added so that positions of different kinds get
# different numbers; images without a position count up from _ALONE.
_MSL_POSITION: Final = re.compile(r"edr_[a-z](\d{7})")
_MER_POSITION: Final = re.compile(r"([12])[a-z]\d{9}[a-z]{3}([0-9a-z]{4})")
_M2020_POSITION: Final = re.compile(r"_[a-z](\d{7})[a-z]{4}")
_MSL_SOL: Final = re.compile(r"(\d{4})m[lr]")
_KIND: Final = 10**8
_ALONE: Final = 10**9


@dataclass(frozen=True)
class Matches:
    """The pairs, and a sentence for each kind of fault: labels that match no image, or not exactly one."""

    pairs: tuple[Pair, ...]
    faults: tuple[str, ...]


def find_pairs(
    root: Path, rovers: Sequence[str], cameras: Collection[str] | None, labels: str, taxonomy: str = "terrain"
) -> Matches:
    """Return the labelled images of these rovers and cameras (None: all), sorted by rover and then by name.

    Raises RequestError if a requested rover or camera has no such labels in `root`.
    """
    table = _GEOLOGY if taxonomy == "geology" else _TRAIN if labels == "train" else _GOLD
    pairs: list[Pair] = []
    faults: list[str] = []
    for rover in dict.fromkeys(rovers):
        folders = [replace(f, path=f.path.format(labels.removeprefix("gold"))) for f in table if f.rover == rover]
        missing = set(cameras or [camera for folder in folders for camera in folder.images])
        all_missing = set(missing)
        for folder in folders:
            wanted = missing & set(folder.images)
            if wanted and (root / folder.path).is_dir():
                missing -= wanted
                _pair(root, folder, wanted, pairs, faults)
        if missing == all_missing or (missing and cameras):
            which = f" {', '.join(sorted(missing))}" if cameras else ""
            raise RequestError(
                f"There are no {labels} labels of {rover}{which} in this folder.",
                where=str(root),
                hint=f"Labels of {rover} should be in {', '.join(folder.path for folder in folders)}."
                if folders
                else None,
            )
    if not pairs:
        raise RequestError("No label matches an image.", where=str(root), hint=" ".join(faults) or None)
    return Matches(tuple(pairs), tuple(faults))


def _pair(root: Path, folder: LabelFolder, wanted: Collection[str], pairs: list[Pair], faults: list[str]) -> None:
    """Add the pairs and the faults of one folder of labels."""
    images = {camera: _by_stem([root / name for name in names]) for camera, names in folder.images.items()}
    rejects = {word: _by_stem([root / name]) for word, name in folder.rejects.items()}
    without_image, ambiguous, repeated = [], [], []
    claims: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for label in pictures_in(root / folder.path):
        stem, owners = _owners(label.stem.lower(), images)
        if not owners:
            without_image.append(label.name)
        elif len(owners) > 1:
            ambiguous.append(label.name)
        elif owners[0] in wanted:
            claims[owners[0], stem].append(label)
    for (camera, stem), claiming in sorted(claims.items()):
        # The label with the shortest name, which is nearest to that of the image, is used; the others are faults.
        label, *others = sorted(claiming, key=lambda claim: (len(claim.name), claim.name))
        repeated += [other.name for other in others]
        masks = [files[name] for word, files in rejects.items() if (name := stem.replace("edr", word, 1)) in files]
        group = _position(folder.rover, stem)
        group = _ALONE + len(pairs) if group is None else group
        image = images[camera][stem]
        pairs.append(Pair(image, label, image.relative_to(root).as_posix(), group, tuple(masks), folder.nulls))
    for fault, names in (
        ("without an image", without_image),
        ("with images of two cameras", ambiguous),
        ("for an image that has another label", repeated),
    ):
        if names:
            faults.append(f"{counted(len(names), 'label')} {fault} in {folder.path}: {some(names)}.")


def _owners(stem: str, images: Mapping[str, Mapping[str, Path]]) -> tuple[str, list[str]]:
    """Return the longest beginning of a label's stem that is the stem of an image, and the cameras with that image.

    A beginning ends before an underscore. The result is ("", []) if there is no such image.
    """
    while stem:
        if owners := [camera for camera, known in images.items() if stem in known]:
            return stem, owners
        stem = stem.rpartition("_")[0]
    return "", []


def _by_stem(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the images of the folders by their stems in lower case; the first folder with a stem is used."""
    by_stem: dict[str, Path] = {}
    for folder in folders:
        here: dict[str, Path] = {}
        for path in pictures_in(folder) if folder.is_dir() else []:
            if (other := here.setdefault(path.stem.lower(), path)) != path:
                refuse_file(path, f"There is also {other.name}: which of them is meant?", hint="Remove one of them.")
        by_stem = here | by_stem
    return by_stem


def _position(rover: str, stem: str) -> int | None:
    """Return a number for the position of the rover, from the stem of an image; None if the stem has no position."""
    if rover == "msl" and (match := _MSL_POSITION.search(stem)):
        return int(match[1])
    if rover == "msl" and (match := _MSL_SOL.match(stem)):
        return _KIND + int(match[1])
    if rover == "mer" and (match := _MER_POSITION.match(stem)):
        return 2 * _KIND + int(match[1]) * 36**4 + int(match[2], 36)
    if rover == "m2020" and (match := _M2020_POSITION.search(stem)):
        return 3 * _KIND + int(match[1])
    return None
