"""Data sets prepared once: arrays in the user's cache folder, memory-mapped whenever they are opened again.

An entry is a folder of .npy files and an `entry.json` with their sizes, times and checksums. Its name is a hash of what
it was made from: the state of the source's files (`CacheSource.key`), the code that prepared it, and the options. It is
prepared beside its place and renamed into it: whole or absent after a crash, and where two processes prepare the same
at once, the later one takes what is there. An entry that is not as it was written is prepared anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import numpy as np
import platformdirs

from ..errors import RequestError, RunError
from ..files.atomic import temporary_folder
from ..files.locks import hold
from ..files.npy import write_npy_header
from ..files.progress import ProgressBar
from ..messages import get_logger

_logger = get_logger(__name__)


VARIABLE: Final = "MARSSEG_CACHE"

_FORMAT: Final = 2
_RECORD: Final = "entry.json"
_FINISHED: Final = re.compile(r"[0-9a-f]{32}")
_UNFINISHED: Final = re.compile(r"\.[0-9a-f]{32}-.+")

# Of a source, this much of so many files goes into its key; of an array, its checksum is of so many blocks at most.
_SAMPLED_FILES: Final = 256
_SAMPLED_BYTES: Final = 2**12
_SAMPLED_BLOCKS: Final = 1024
_BLOCK_BYTES: Final = 2**16


@dataclass(frozen=True)
class CacheSource:
    """Say what a prepared data set is made from: where any of it changes, the set is prepared anew.

    Attributes:
        name: what it is called in messages
        files: those that are read
        options: every option that changes the arrays, as JSON can hold it
    """

    name: str
    files: Sequence[Path]
    options: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> str:
        """Give a hash of the options and of each file's path, size, and times of modification and of the last change.

        A file that is replaced by one of equal size and modification time is told by the time of the last change, which
        systems other than Windows keep and no program sets. Where times say nothing, content does: the first, middle
        and last 4 KiB of up to 256 files, evenly spread, are hashed too.

        Raises RequestError where a file is not there.
        """
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps([_FORMAT, self.options], sort_keys=True).encode())
        sampled = set(_spread(len(self.files), _SAMPLED_FILES))
        for position, path in enumerate(self.files):
            try:
                state = path.stat()
                told = (os.path.abspath(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns)
                digest.update(repr(told).encode("utf-8", "replace"))
                if position in sampled and stat.S_ISREG(state.st_mode):
                    for block in _blocks(path, state.st_size, _SAMPLED_BYTES, 3):
                        digest.update(block)
            except OSError as cause:
                what = "There is no such file." if isinstance(cause, FileNotFoundError) else f"{cause.strerror}."
                raise RequestError(what, where=str(path)) from cause
        return digest.hexdigest()


def _spread(count: int, wanted: int) -> Iterator[int]:
    """At most `wanted` of the numbers below `count`, evenly spread, the first and the last among them."""
    if count <= wanted:
        yield from range(count)
    else:
        yield from (place * (count - 1) // (wanted - 1) for place in range(wanted))


def _blocks(path: Path, size: int, length: int, wanted: int) -> Iterator[bytes]:
    """A file of `size` bytes in blocks of `length`; where there are more than `wanted`, as many, evenly spread."""
    with path.open("rb") as file:
        for block in _spread(-(-size // length), wanted):
            file.seek(block * length)
            yield file.read(length)


def _checksum(path: Path, size: int) -> str:
    """A hash of an array's file: of all its bytes up to 64 MiB, else of 1,024 blocks of 64 KiB, evenly spread."""
    digest = hashlib.blake2b(digest_size=16)
    for block in _blocks(path, size, _BLOCK_BYTES, _SAMPLED_BLOCKS):
        digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class CachedArrays:
    """An open entry: read-only memory-mapped arrays by name, and what else was noted."""

    arrays: Mapping[str, np.ndarray]
    notes: Mapping[str, Any]


@dataclass(frozen=True)
class CacheEntry:
    """An entry as the cache lists it; `prepared` is a time in seconds, as `time.time` gives it.

    An unfinished one is being prepared, or was given up by a process that died.
    """

    path: Path
    name: str
    bytes: int
    prepared: float
    finished: bool


class Writer:
    """Fill a set that is being prepared, piece by piece, so that it may be larger than memory."""

    def __init__(self, folder: Path, progress: ProgressBar) -> None:
        self._folder = folder
        self._arrays: dict[str, _Appended] = {}
        self.progress = progress
        self.notes: dict[str, Any] = {}

    def append(self, name: str, items: np.ndarray) -> None:
        """Add items (n, …) to the end of the array `name`: IMAGES, MASKS or GROUPS.

        Raises:
            ValueError: where their shape or type is not that of those before
            RunError: where the disk is full
        """
        with _writing(self._folder.parent):
            if name not in self._arrays:
                self._arrays[name] = _Appended(self._folder / f"{name}.npy", items)
            self._arrays[name].append(items)

    def arrays(self) -> dict[str, np.ndarray]:
        """Open what was written so far, memory-mapped."""
        with _writing(self._folder.parent):
            for array in self._arrays.values():
                array.flush()
        return {name: _mapped(array.path) for name, array in self._arrays.items()}

    def finish(self, source: CacheSource) -> None:
        """Write the record, last; all is on the disk then."""
        with _writing(self._folder.parent):
            states = {name: array.close() for name, array in self._arrays.items()}
            record = {"format": _FORMAT, "name": source.name, "arrays": states, "notes": self.notes}
            with (self._folder / _RECORD).open("w", encoding="utf-8") as file:
                json.dump(record | {"checksum": _checksum_of(record)}, file)
                file.flush()
                os.fsync(file.fileno())

    def abandon(self) -> None:
        """Close the files, whatever is in them."""
        for array in self._arrays.values():
            array.abandon()


class _Appended:
    """An .npy file that grows. Its header leaves room for the number of items, which is written at the end."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path = path
        self._dtype, self._item_shape = like.dtype, like.shape[1:]
        self._count = 0
        self._file: IO[bytes] = path.open("wb")
        self._write_header()

    def append(self, items: np.ndarray) -> None:
        if (items.dtype, items.shape[1:]) != (self._dtype, self._item_shape):
            given, here = (items.shape[1:], items.dtype), (self._item_shape, self._dtype)
            raise ValueError(f"{self.path.stem} has items of {here}; {given} was appended.")
        self._file.write(np.ascontiguousarray(items).data)
        self._count += len(items)

    def flush(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.seek(0, os.SEEK_END)
        self._file.flush()

    def close(self) -> dict[str, Any]:
        """What tells whether the file is as it was written."""
        self.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return _state(self.path)

    def abandon(self) -> None:
        with suppress(OSError):
            self._file.close()

    def _write_header(self) -> None:
        write_npy_header(self._file, (self._count, *self._item_shape), self._dtype)


def _state(path: Path) -> dict[str, Any]:
    """Size in bytes, modification time in nanoseconds and checksum of an array's file."""
    state = path.stat()
    return {"size": state.st_size, "modified": state.st_mtime_ns, "checksum": _checksum(path, state.st_size)}


def _checksum_of(record: Mapping[str, Any]) -> str:
    """A hash of an entry's record, its own checksum aside."""
    others = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.blake2b(json.dumps(others, sort_keys=True).encode(), digest_size=16).hexdigest()


def root() -> Path:
    """The cache folder: $MARSSEG_CACHE, else `marsseg` in the user's, as the system has it."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    found = None
    with suppress(RuntimeError):
        found = platformdirs.user_cache_path("marsseg", appauthor=False)
    if found is None or not found.is_absolute():  # without a home, versions of platformdirs differ in what they do
        raise RequestError("There is no home folder to keep prepared data in.", hint=f"Set {VARIABLE}.")
    return found


def opened(source: CacheSource, prepare: Callable[[Writer], None]) -> CachedArrays:
    """The entry made from `source`; where there is none, or a damaged one, `prepare` fills it first.

    Raises RequestError where the cache folder cannot be written, RunError where its disk is full or the source changed
    while it was read, and what `prepare` raises; nothing is left behind then.
    """
    key = source.key()
    final = _folder() / key
    found = _opened(final)
    _logger.debug("%s: %s %s", source.name, "prepared into" if found is None else "opened from", final)
    if found is None:
        with _temporary_folder(final) as temporary:
            with ProgressBar("Preparing", source.name) as progress:
                writer = Writer(temporary, progress)
                try:
                    prepare(writer)
                    if source.key() != key:
                        raise RunError("The files changed while they were read.", where=source.name, hint="Try again.")
                    writer.finish(source)
                finally:
                    writer.abandon()
            found = _settled(temporary, final)
    return found


def entries() -> list[CacheEntry]:
    """What the cache holds, by name."""
    found = []
    for path in _children():
        finished = bool(_FINISHED.fullmatch(path.name))
        if finished or _UNFINISHED.fullmatch(path.name):
            record = _record(path) if finished else None
            name = record["name"] if record is not None else "unfinished or damaged"
            with suppress(FileNotFoundError):  # cleared by another process meanwhile
                size = sum(file.stat().st_size for file in path.iterdir())
                found.append(CacheEntry(path, name, size, path.stat().st_mtime, record is not None))
    return sorted(found, key=lambda entry: (entry.name, entry.path))


def clear() -> list[CacheEntry]:
    """Remove all entries, and what processes that died left unfinished; give what is gone.

    What another process prepares just now stays. Raises RunError where something cannot be removed.
    """
    gone = []
    for entry in entries():
        if not _FINISHED.fullmatch(entry.path.name) and _in_use(entry.path):
            continue
        try:
            shutil.rmtree(entry.path)
        except OSError as cause:
            raise RunError(f"The cache cannot be cleared: {cause.strerror}.", where=str(entry.path)) from cause
        gone.append(entry)
    return gone


def _folder() -> Path:
    return root() / "data"


def _children() -> list[Path]:
    try:
        return sorted(path for path in _folder().iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as cause:
        raise RequestError(f"The cache folder cannot be read: {cause.strerror}.", where=str(root())) from cause


def _record(path: Path) -> dict[str, Any] | None:
    """What `entry.json` says; None where it is missing or damaged."""
    try:
        record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        sound = record["format"] == _FORMAT and record["checksum"] == _checksum_of(record)
        return record if sound and isinstance(record["name"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _opened(path: Path) -> CachedArrays | None:
    """The entry in this folder; None where there is none, or where a file is not as it was written."""
    record = _record(path)
    if record is None:
        return None
    try:
        arrays = {}
        for name, state in record["arrays"].items():
            if _state(path / f"{name}.npy") != state:
                return None
            arrays[name] = _mapped(path / f"{name}.npy")
        return CachedArrays(MappingProxyType(arrays), MappingProxyType(record["notes"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


@contextmanager
def _temporary_folder(final: Path) -> Iterator[Path]:
    """A folder beside `final` that only this user reads; it is gone afterwards, unless renamed."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(temporary_folder(final, mode=0o700))
        except OSError as cause:
            raise RequestError(
                f"The cache folder cannot be written: {cause.strerror or cause}.",
                where=str(root()),
                hint=f"CachedArrays data sets are kept there. Set {VARIABLE} to a folder that can be written.",
            ) from cause
        yield temporary


def _settled(temporary: Path, final: Path) -> CachedArrays:
    """Rename into place, unless another process was first."""
    with _writing(final.parent):
        for _ in range(2):
            try:
                temporary.rename(final)
            except OSError as cause:
                if cause.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if (found := _opened(final)) is not None:
                return found
            shutil.rmtree(final, ignore_errors=True)  # damaged, or else the new one would have taken its place
    raise RunError("What was prepared is damaged already.", where=str(final), hint="Is the disk sound?")


def _in_use(folder: Path) -> bool:
    """Whether the process that prepares this folder is alive."""
    try:
        with hold(folder):
            return False
    except BlockingIOError:
        return True


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """What goes wrong inside is that the cache's disk is full, or refuses."""
    try:
        yield
    except OSError as cause:
        raise RunError(
            f"The prepared data cannot be written: {cause.strerror or cause}.",
            where=str(folder),
            hint=f"Make room (marsseg data cache --clear), or set {VARIABLE} to a folder on another disk.",
        ) from cause
