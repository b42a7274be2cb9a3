"""Unpack wheels that are not installed and read their metadata: an author can examine one before publishing it.

Nothing of a wheel is executed here. Its components are loaded in processes of their own, like those that are installed.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path, PurePosixPath
from typing import Any, Final
from zipfile import ZipFile, ZipInfo

from packaging.metadata import InvalidMetadata, Metadata
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ..errors import RequestError
from ..files.documents import decoding
from ..files.regular import open_regular
from ..files.similar import similar_path
from ..registry.catalog import Catalog
from ..registry.discovery import entries_from, own_points, unknown_groups, with_conflicts
from ..registry.distribution import DISTRIBUTION
from ..registry.entries import INVALID, Entry
from .subjects import Subject

_BUILD: Final = "Build it anew, in the folder of its project: python -m build"

# What is unpacked has at most so many files and bytes.
_MOST_FILES: Final = 100_000
_MOST_BYTES: Final = 2**32

# The folders of NAME-VERSION.data whose content is installed beside the packages.
_DATA: Final = ".data"
_BESIDE: Final = ("purelib", "platlib")


@contextmanager
def opened_wheels(paths: Sequence[Path], catalog: Catalog) -> Iterator[tuple[list[Subject], list[str]]]:
    """Unpack wheels into a temporary folder, and yield what is to be examined and what is wrong with their metadata.

    The names of a wheel are compared with those of the catalog, without what is installed of the same distribution.

    Raises RequestError for a file that does not exist or is not a wheel, or whose files would leave the folder.
    """
    for path in paths:
        if not os.path.exists(path):
            similar = similar_path(str(path))
            raise RequestError("There is no such file.", where=str(path), hint=similar and f"Did you mean '{similar}'?")
    with tempfile.TemporaryDirectory(prefix="marsseg-wheel-") as temporary:
        subjects: list[Subject] = []
        problems: list[str] = []
        for number, path in enumerate(paths):
            folder = Path(temporary, str(number))
            with decoding("This file is not a wheel", path, _BUILD):
                distribution = _unpack(path, folder)
                entries = _entries(distribution, folder, catalog)
                problems += (f"{path.name}: {problem}" for problem in _problems(distribution, path))
            subjects += (Subject(entry, word=str(path), folder=folder) for entry in entries)
        yield subjects, problems


def _unpack(path: Path, folder: Path) -> Distribution:
    """Unpack a wheel as an installer does, and return its distribution. Raises ValueError if it is not a wheel."""
    folder.mkdir()
    with open_regular(path) as file, ZipFile(file) as archive:
        for place, member in _checked_members(archive).items():
            target = folder.joinpath(*place.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("xb") as copy:
                shutil.copyfileobj(source, copy)
    found = [*folder.glob("*.dist-info")]
    if len(found) != 1 or not (found[0] / "METADATA").is_file():
        raise ValueError(f"it has {len(found)} .dist-info folders with METADATA, not one")
    return PathDistribution(found[0])


def _checked_members(archive: ZipFile) -> dict[PurePosixPath, ZipInfo]:
    """Return the files by the place where they are installed. Raises ValueError where one of them may not be there."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    size = sum(member.file_size for member in members)
    if len(members) > _MOST_FILES or size > _MOST_BYTES:
        raise ValueError(f"it has {len(members):,} files of {size:,} bytes in all")
    places: dict[PurePosixPath, ZipInfo] = {}
    for member in members:
        name = member.orig_filename
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ValueError(f"{name!r} is a link or something other than a file")
        place = _place(name)
        if place in places:
            raise ValueError(f"it has {name!r} twice")
        places[place] = member
    return places


def _place(name: str) -> PurePosixPath:
    """Return the path in the folder at which a file is installed. Raises ValueError where that leaves the folder."""
    parts = name.split("/")
    if {"", ".", ".."} & {*parts} or any(character in name for character in "\\:\0"):
        raise ValueError(f"the file {name!r} would leave the folder that the wheel is installed into")
    if len(parts) > 2 and parts[0].endswith(_DATA) and parts[1] in _BESIDE:
        parts = parts[2:]
    return PurePosixPath(*parts)


def _entries(distribution: Distribution, folder: Path, catalog: Catalog) -> list[Entry]:
    """Return the entries of a distribution; those whose module is not in the folder are invalid."""
    own = entries_from(own_points(distribution))
    names = {entry.distribution for entry in own}
    others = [entry for entry in catalog.everything if entry.distribution not in names]
    entries = [entry for entry in with_conflicts([*others, *own]) if entry.distribution in names]
    return [
        entry
        if _has(folder, entry)
        else replace(entry, status=INVALID, reason=f"the wheel does not contain {entry.module}")
        for entry in entries
    ]


def _has(folder: Path, entry: Entry) -> bool:
    """Return whether the module of an entry, or its file, is in the folder. Nothing is imported."""
    parts = entry.module.split(".")
    if entry.kind.file:
        return folder.joinpath(*parts[:-1], parts[-1] + entry.kind.file).is_file()
    places: Sequence[str] | None = [str(folder)]
    for end in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: end + 1]), places)
        if spec is None:
            return False
        places = [*(spec.submodule_search_locations or ())]
    return True


def _problems(distribution: Distribution, path: Path) -> Iterator[str]:
    """Yield a sentence for each fault of a wheel that an installed distribution does not show."""
    name = distribution.metadata["Name"] or ""
    try:
        named, version, _, tags = parse_wheel_filename(path.name)
        if (named, str(version)) != (canonicalize_name(name), distribution.version):
            yield f"its metadata is of {name} {distribution.version}."
        if tags.isdisjoint(sys_tags()):
            yield f"it is for another Python or another machine: {', '.join(sorted(map(str, tags)))}."
    except InvalidWheelFilename as cause:
        yield f"{cause}."
    try:
        Metadata.from_email(distribution.read_text("METADATA") or "")
    except ExceptionGroup as group:
        yield from (f"the field {cause.field} of its metadata is wrong: {cause}." for cause in _causes(group))
    fields: Any = distribution.metadata
    classifiers = fields.get_all("Classifier") or []
    licensed = fields.get("License-Expression") or fields.get("License")
    if not licensed and not any(each.startswith("License ::") for each in classifiers):
        yield (
            "it names no licence, so nobody may use it: choose one, write it as `license` into pyproject.toml and its "
            "text into a file LICENSE, and build the wheel again."
        )
    own = canonicalize_name(name) == DISTRIBUTION
    if not own and not any(map(_requires_marsseg, fields.get_all("Requires-Dist") or ())):
        yield f"it does not require {DISTRIBUTION}: add the versions that it works with to its `dependencies`."
    points = own_points(distribution)
    if not points:
        yield f"it has no entry point of {DISTRIBUTION}, so nothing in it can be found."
    yield from unknown_groups(name, points)


def _requires_marsseg(text: str) -> bool:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return False
    needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    return needed and canonicalize_name(requirement.name) == DISTRIBUTION


def _causes(group: ExceptionGroup[Exception]) -> Iterator[InvalidMetadata]:
    yield from (cause for cause in group.exceptions if isinstance(cause, InvalidMetadata))
