"""Read and write packs: one file with trained networks and all that says what they are.

A pack is a zip archive of `pack.json`, a model card, and a run folder for each network. It may come from a stranger.
Everything is checked before anything is unpacked: only names that a pack has, nothing compressed, no link, and the
bytes of all members together no more than those of the file. A small file therefore cannot become a large one. Nothing
in a pack is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ..errors import RequestError, RunError
from .atomic import temporary_folder
from .cache_folder import VARIABLE, root
from .documents import checked, decoding, parse_json, read_toml
from .leftovers import is_locked, remove_abandoned_folders
from .regular import check_regular, open_regular
from .schema import Anything, Items, Nothing, Number, OneOf, Table, Text, Truth

DESCRIPTION: Final = "pack.json"
"""Name the file of a pack that says what is in it, with the size and the SHA-256 of each other file."""

CARD: Final = "README.md"
"""Name the model card of a pack."""

RUN_FILES: Final = ("plan.toml", "split.json", "metrics.json", "network.keras")
"""Name the files of a run that a pack must have."""

MORE_RUN_FILES: Final = ("cleaning.json", "decoding.json", "environment.json", "manifest.json")
"""Name the files of a run that a pack has where the run has them."""

TEST_INPUT: Final = "test_input.npy"
"""Name the image (H, W, C) uint8 that `marsseg check` predicts."""

TEST_OUTPUT: Final = "test_output.npy"
"""Name the logits (H, W, K) float32 of the test image, as they were where the pack was made."""

# The most bytes of a pack, its most runs, and the most bytes of its description, which is read into memory.
_MOST_BYTES: Final = 2**31 - 1
_MOST_RUNS: Final = 32
_MOST_DESCRIPTION: Final = 2**22

_BLOCK: Final = 2**20
_IN_RUN: Final = (*RUN_FILES, *MORE_RUN_FILES, TEST_INPUT, TEST_OUTPUT)
_MEMBER: Final = re.compile(rf"{CARD}|{DESCRIPTION}|runs/[1-9][0-9]?/({'|'.join(map(re.escape, _IN_RUN))})")
_MOST_MEMBERS: Final = 2 + _MOST_RUNS * len(_IN_RUN)

# The record at the end of a zip archive, the bytes of an archive's directory, and the mark of a larger format.
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_MOST_DIRECTORY: Final = 2**20
_LARGE_MARK: Final = b"PK\x06\x07"
_LARGE_BYTES: Final = 20

_ENCRYPTED: Final = 1

# Where packs are unpacked to in the cache folder, each in a folder named by its SHA-256.
_FOLDER: Final = "packs"
_UNPACKED: Final = re.compile(r"[0-9a-f]{32}")
_UNFINISHED: Final = re.compile(r"\.[0-9a-f]{32}-.+")

# What a plan with files of code has.
_CODE_KEY: Final = "plugin"

_SCORES: Final = Items(
    Table(required={"score": Text(), "reading": Text(), "value": OneOf(Number(), Nothing())}, others=Anything())
)

_FORM: Final = Table(
    required={
        "schema": Number(1, 1, whole=True),
        "name": Text(),
        "marsseg": Text(),
        "runs": Items(
            Table(
                required={
                    "name": Text(),
                    "image": Items(Number(1, whole=True), least=3),
                    "scaling": Anything(),
                    "scores": Table(others=_SCORES),
                    "needs": Table(others=Text()),
                    "tolerance": Number(0, 1),
                },
                optional={"transductive": Truth()},
                others=Anything(),
            ),
            least=1,
        ),
        "classes": Items(Table(required={"name": Text(), "colour": Text(), "ignored": Truth()}), least=1),
        "data": Table(required={"source": Text(), "fingerprint": Text()}, others=OneOf(Text(), Nothing())),
        "files": Table(others=Table(required={"bytes": Number(0, whole=True), "sha256": Text()})),
    },
    others=Anything(),
)

_AGAIN: Final = "Get the file again from where it was published. If it is the same there, do not use it."


@dataclass(frozen=True)
class Pack:
    """A pack that was checked and unpacked.

    Attributes:
        path: the file
        sha256: its SHA-256, by which two copies can be compared
        description: the content of pack.json
        folders: the run folders in the user's cache, in order
    """

    path: Path
    sha256: str
    description: Mapping[str, Any]
    folders: tuple[Path, ...]


def is_pack(path: Path | str) -> bool:
    """Return whether a path leads to a file that begins as a pack does. Runs are folders."""
    try:
        check_regular(path)
        with open_regular(path) as file:
            return file.read(4) == b"PK\x03\x04"
    except (OSError, ValueError):
        return False


def open_pack(path: Path | str) -> Pack:
    """Check a pack, unpack it into the user's cache unless it is there, and compare each file with its SHA-256.

    Raises RequestError where the file is not as a pack must be, RunError where the cache cannot be written.
    """
    path = Path(path)
    with _checked(path) as (file, archive, description):
        sha256 = _sha256(file)
        folder = root() / _FOLDER / sha256[:32]
        if not _is_unpacked(folder, description["files"]):
            _unpack(archive, description["files"], folder)
    folders = tuple(folder / "runs" / str(number) for number in range(1, len(description["runs"]) + 1))
    for run in folders:
        if _CODE_KEY in read_toml(run / "plan.toml"):
            raise RequestError(
                "The pack has a plan with plugin files. A pack holds no code, and none is executed.", where=str(path)
            )
    return Pack(path, sha256, description, folders)


def read_description(path: Path) -> Mapping[str, Any]:
    """Return the content of pack.json, after a check of what else the pack has. Nothing is unpacked.

    Raises RequestError where the file is not as a pack must be.
    """
    with _checked(path) as (_, _, description):
        return description


def write_pack(path: Path, description: Mapping[str, Any], members: Mapping[str, bytes | Path]) -> None:
    """Write a pack to `path`: the description, with the sizes and hashes of all members, and the members.

    Raises RequestError for a member that a pack does not have, or where the pack would be too large.
    """
    files = {name: _facts(content) for name, content in members.items()}
    if wrong := [name for name in files if not _MEMBER.fullmatch(name)]:
        raise RequestError(f"A pack has no file '{wrong[0]}'.")
    content = json.dumps({**description, "files": files}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    total = sum(facts["bytes"] for facts in files.values()) + len(content)
    if total > _MOST_BYTES - _MOST_DIRECTORY or len(description["runs"]) > _MOST_RUNS:
        raise RequestError(
            f"A pack holds at most {_MOST_RUNS} runs and {_MOST_BYTES:,} bytes; this would be {total:,} bytes.",
            hint="Make several packs.",
        )
    with ZipFile(path, "w", ZIP_STORED, allowZip64=False) as archive:
        for name, member in {DESCRIPTION: content.encode(), **members}.items():
            # The same time for all: equal runs give equal packs.
            with archive.open(ZipInfo(name), "w") as target:
                if isinstance(member, bytes):
                    target.write(member)
                else:
                    with open_regular(member) as source:
                        shutil.copyfileobj(source, target, _BLOCK)


def clear_unpacked() -> None:
    """Remove what packs were unpacked to in the user's cache."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for folder in (root() / _FOLDER).iterdir():
            if _UNPACKED.fullmatch(folder.name) and folder.is_dir() and not is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _checked(path: Path) -> Iterator[tuple[BinaryIO, ZipFile, Mapping[str, Any]]]:
    """Open a pack whose members are those of a pack, and yield the file, the archive and the description.

    Turn whatever a damaged or hostile file causes, here or in the block, into a RequestError.
    """
    with decoding("This file is not a pack as `marsseg pack` writes it", path, _AGAIN), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        _check_end(file, size)
        with ZipFile(file) as archive:
            members = _checked_members(archive, size)
            description = checked(parse_json(archive.read(members[DESCRIPTION])), _FORM, DESCRIPTION, path, _AGAIN)
            _check_files(description, members)
            yield file, archive, description


def _check_end(file: BinaryIO, size: int) -> None:
    """Check the record at the end, which says how much Python reads as the directory of the archive.

    Raises ValueError where it is not as in a pack.
    """
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes; the limit is {_MOST_BYTES:,}")
    file.seek(max(0, size - _END.size - _LARGE_BYTES))
    tail = file.read()
    end = tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_MARK):
        raise ValueError("it is cut off, or something follows the archive")
    _, disk, first_disk, here, count, directory, _, comment = _END.unpack(end)
    if tail[: -_END.size].startswith(_LARGE_MARK) or disk or first_disk or comment or here != count:
        raise ValueError("its archive is of another kind")
    if count > _MOST_MEMBERS or directory > _MOST_DIRECTORY:
        raise ValueError(f"it has {count:,} files; the limit is {_MOST_MEMBERS:,}")


def _checked_members(archive: ZipFile, size: int) -> dict[str, ZipInfo]:
    """Return the members by name. Raises ValueError where one of them is not as in a pack."""
    members: dict[str, ZipInfo] = {}
    for member in archive.infolist():
        name = member.orig_filename
        if not _MEMBER.fullmatch(name):
            raise ValueError(f"it has {name[:100]!r}, which belongs in no pack")
        if name in members:
            raise ValueError(f"it has {name} twice")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ValueError(f"{name} is a link or something other than a file")
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"{name} is encrypted")
        if member.compress_type != ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{name} is compressed")
        members[name] = member
    if sum(member.file_size for member in members.values()) > size:
        raise ValueError("its files would have more bytes than the archive")
    if DESCRIPTION not in members:
        raise ValueError(f"it has no {DESCRIPTION}")
    if members[DESCRIPTION].file_size > _MOST_DESCRIPTION:
        raise ValueError(f"{DESCRIPTION} is larger than {_MOST_DESCRIPTION:,} bytes")
    return members


def _check_files(description: Mapping[str, Any], members: Mapping[str, ZipInfo]) -> None:
    """Raise ValueError where the files are not those that the description lists, or a run is not complete."""
    files, count = description["files"], len(description["runs"])
    if files.keys() != members.keys() - {DESCRIPTION}:
        odd = sorted(files.keys() ^ (members.keys() - {DESCRIPTION}))
        raise ValueError(f"{odd[0]} is in the archive or in {DESCRIPTION}, but not in both")
    for name, facts in files.items():
        if facts["bytes"] != members[name].file_size:
            raise ValueError(f"{name} has {members[name].file_size:,} bytes, not {facts['bytes']:,}")
    needed = [f"runs/{run}/{name}" for run in range(1, count + 1) for name in (*RUN_FILES, TEST_INPUT, TEST_OUTPUT)]
    if missing := [name for name in (CARD, *needed) if name not in files]:
        raise ValueError(f"{missing[0]} is missing")
    if beyond := [name for name in files if name != CARD and int(name.split("/")[1]) > count]:
        raise ValueError(f"{beyond[0]} belongs to no run in {DESCRIPTION}")


def _unpack(archive: ZipFile, files: Mapping[str, Any], folder: Path) -> None:
    """Unpack all files into `folder`. Raises ValueError for a file that does not have its SHA-256."""
    remove_abandoned_folders(folder.parent, _UNFINISHED.fullmatch)
    try:
        with temporary_folder(folder, mode=0o700) as temporary:
            for name, facts in files.items():
                target = temporary / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as member, target.open("xb") as copy:
                    shutil.copyfileobj(member, copy, _BLOCK)
                with target.open("rb") as copy:
                    if _sha256(copy) != facts["sha256"]:
                        raise ValueError(f"{name} is not as it was when the pack was made")
            _move_into_place(temporary, folder, files)
    except OSError as cause:
        raise RunError(
            f"The pack cannot be unpacked: {cause.strerror or cause}.",
            where=str(folder.parent),
            hint=f"Make room, or set {VARIABLE} to a folder on another disk.",
        ) from cause


def _move_into_place(temporary: Path, folder: Path, files: Mapping[str, Any]) -> None:
    """Rename `temporary` to `folder`, unless another process was faster; a folder that was changed is replaced."""
    try:
        temporary.rename(folder)
    except OSError:
        if _is_unpacked(folder, files):  # others may be reading it already
            return
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def _is_unpacked(folder: Path, files: Mapping[str, Any]) -> bool:
    """Return whether all files are in the cache as they are in the pack."""
    try:
        return all(_facts(folder / name) == facts for name, facts in files.items())
    except OSError:
        return False


def _facts(content: bytes | Path) -> dict[str, Any]:
    if isinstance(content, bytes):
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    with open_regular(content) as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": _sha256(file)}


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
