"""Store prepared data sets in the user's cache folder, and open them memory-mapped later.

An entry is a folder of .npy files and an `entry.json` with their sizes, modification times and checksums. The name of
the folder is a hash of everything that the entry depends on: the state of the source files (`CacheSource.key`), the
code that prepared it, and the options. An entry is written to a temporary folder and then renamed, so that after a
crash it is complete or absent. Where two processes prepare the same entry at once, the later one uses the entry of the
first. An entry that changed after it was written is prepared again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import IO, Any, Final

import numpy as np

from ..errors import RequestError, RunError
from ..files.atomic import temporary_folder
from ..files.cache_folder import VARIABLE, root
from ..files.documents import Document, decoding, read_json
from ..files.leftovers import is_locked, may_be_in_use, remove_abandoned_folders
from ..files.npy import write_npy_header
from ..files.progress import ProgressBar
from ..files.schema import Number, Table, Text
from ..messages import get_logger

_logger = get_logger(__name__)


_FORMAT: Final = 2
_RECORD: Final = "entry.json"
_FINISHED: Final = re.compile(r"[0-9a-f]{32}")
_UNFINISHED: Final = re.compile(r"\.[0-9a-f]{32}-.+")

_RECORD_DOCUMENT: Final = Document(
    Table(
        required={
            "format": Number(whole=True),
            "name": Text(),
            "arrays": Table(others=Table()),
            "notes": Table(),
            "checksum": Text(),
        }
    )
)

# The key of a source hashes three blocks of _SAMPLED_BYTES from each of at most _SAMPLED_FILES files.
# The checksum of an array hashes at most _SAMPLED_BLOCKS blocks of _BLOCK_BYTES.
_SAMPLED_FILES: Final = 256
_SAMPLED_BYTES: Final = 2**12
_SAMPLED_BLOCKS: Final = 1024
_BLOCK_BYTES: Final = 2**16


@dataclass(frozen=True)
class CacheSource:
    """Describe the source of a prepared data set. If any part of it changes, the data set is prepared again.

    Attributes:
        name: the name of the data set in messages
        files: the files that are read
        options: every option that changes the arrays; the values must be serialisable to JSON
    """

    name: str
    files: Sequence[Path]
    options: Mapping[str, Any] = field(default_factory=dict)

    def key(self) -> str:
        """Return a hash of the options and of each file's path, size, modification time and (inode) change time.

        The change time reveals a file that was replaced by one of the same size and modification time: programs cannot
        set it (Windows stores the time of creation instead). In case all times are equal, the first, middle and last
        4 KiB of up to 256 evenly spaced files are hashed too.

        Raises:
            RequestError: if a file does not exist or cannot be read
        """
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps([_FORMAT, self.options], sort_keys=True).encode())
        sampled = set(_evenly_spaced(len(self.files), _SAMPLED_FILES))
        for position, path in enumerate(self.files):
            try:
                status = path.stat()
                identity = (os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                digest.update(repr(identity).encode("utf-8", "replace"))
                if position in sampled and stat.S_ISREG(status.st_mode):
                    for block in _sampled_blocks(path, status.st_size, _SAMPLED_BYTES, 3):
                        digest.update(block)
            except OSError as cause:
                what = "There is no such file." if isinstance(cause, FileNotFoundError) else f"{cause.strerror}."
                raise RequestError(what, where=str(path)) from cause
        return digest.hexdigest()


def _evenly_spaced(count: int, most: int) -> Iterator[int]:
    """Yield at most `most` evenly spaced numbers of 0 … count - 1, including the first and the last."""
    if count <= most:
        yield from range(count)
    else:
        yield from (step * (count - 1) // (most - 1) for step in range(most))


def _sampled_blocks(path: Path, size: int, length: int, most: int) -> Iterator[bytes]:
    """Yield at most `most` evenly spaced blocks of `length` bytes from a file of `size` bytes."""
    with path.open("rb") as file:
        for block in _evenly_spaced(-(-size // length), most):
            file.seek(block * length)
            yield file.read(length)


def _file_checksum(path: Path, size: int) -> str:
    """Return a hash of a file: of all bytes up to 64 MiB, of 1,024 evenly spaced blocks of 64 KiB beyond."""
    digest = hashlib.blake2b(digest_size=16)
    for block in _sampled_blocks(path, size, _BLOCK_BYTES, _SAMPLED_BLOCKS):
        digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class CachedArrays:
    """Hold an open entry: read-only memory-mapped arrays by name, and the notes of the code that prepared it."""

    arrays: Mapping[str, np.ndarray]
    notes: Mapping[str, Any]


@dataclass(frozen=True)
class CacheEntry:
    """Describe an entry for a listing of the cache.

    Attributes:
        path: the folder of the entry
        name: the name of the data set
        bytes: the size of all files
        prepared: the time at which the entry was prepared, in seconds as `time.time` returns it
        finished: False if a process is still preparing the entry, or ended before it was complete
    """

    path: Path
    name: str
    bytes: int
    prepared: float
    finished: bool


class Writer:
    """Write the arrays of a data set in chunks, so that they can be larger than memory.

    Attributes:
        progress: the progress bar; call it with (done, total)
        notes: what to store beside the arrays; the values must be serialisable to JSON
    """

    def __init__(self, folder: Path, progress: ProgressBar) -> None:
        self._folder = folder
        self._arrays: dict[str, _GrowingArray] = {}
        self.progress = progress
        self.notes: dict[str, Any] = {}

    def append(self, name: str, items: np.ndarray) -> None:
        """Append items to an array.

        Args:
            name: the name of the array: IMAGES, MASKS, GROUPS or SUBSET. `append_names` writes the names of items.
            items: (n, …) of the shape and dtype of earlier items

        Raises:
            ValueError: if the shape or dtype of the items differs from that of earlier items
            RunError: if the file cannot be written, for example because the disk is full
        """
        with _report_write_errors(self._folder.parent):
            if name not in self._arrays:
                self._arrays[name] = _GrowingArray(self._folder / f"{name}.npy", items)
            self._arrays[name].append(items)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays as written so far, memory-mapped."""
        with _report_write_errors(self._folder.parent):
            for array in self._arrays.values():
                array.flush()
        return {name: _memory_mapped(array.path) for name, array in self._arrays.items()}

    def finish(self, source: CacheSource) -> None:
        """Close the arrays and write `entry.json` last; all files are then synced to the disk."""
        with _report_write_errors(self._folder.parent):
            file_states = {name: array.close() for name, array in self._arrays.items()}
            record = {"format": _FORMAT, "name": source.name, "arrays": file_states, "notes": self.notes}
            with (self._folder / _RECORD).open("w", encoding="utf-8") as file:
                json.dump(record | {"checksum": _record_checksum(record)}, file)
                file.flush()
                os.fsync(file.fileno())

    def abandon(self) -> None:
        """Close the files without completing them; errors are ignored."""
        for array in self._arrays.values():
            array.abandon()


class _GrowingArray:
    """Append items to an .npy file. The header has room for any number of items; `flush` writes the current one."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path = path
        self._dtype, self._item_shape = like.dtype, like.shape[1:]
        self._count = 0
        self._file: IO[bytes] = path.open("wb")
        self._write_header()

    def append(self, items: np.ndarray) -> None:
        """Append items (n, …); ValueError if their shape or dtype differs from that of the array."""
        if (items.dtype, items.shape[1:]) != (self._dtype, self._item_shape):
            new, expected = (items.shape[1:], items.dtype), (self._item_shape, self._dtype)
            raise ValueError(f"{self.path.stem} has items of {expected}; {new} was appended.")
        self._file.write(np.ascontiguousarray(items).data)
        self._count += len(items)

    def flush(self) -> None:
        """Write the header for the current number of items, and all buffered data."""
        self._file.seek(0)
        self._write_header()
        self._file.seek(0, os.SEEK_END)
        self._file.flush()

    def close(self) -> dict[str, Any]:
        """Finish the file; return its state, by which later changes are detected."""
        self.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return _file_state(self.path)

    def abandon(self) -> None:
        """Close the file without completing it."""
        with suppress(OSError):
            self._file.close()

    def _write_header(self) -> None:
        write_npy_header(self._file, (self._count, *self._item_shape), self._dtype)


def _file_state(path: Path) -> dict[str, Any]:
    """Return the size in bytes, the modification time in nanoseconds and the checksum of an array's file."""
    status = path.stat()
    return {"size": status.st_size, "modified": status.st_mtime_ns, "checksum": _file_checksum(path, status.st_size)}


def _record_checksum(record: Mapping[str, Any]) -> str:
    """Return a hash of an entry's record, without the checksum that it contains."""
    others = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.blake2b(json.dumps(others, sort_keys=True).encode(), digest_size=16).hexdigest()


def open_or_prepare(source: CacheSource, prepare: Callable[[Writer], None]) -> CachedArrays:
    """Open the entry made from `source`; if it is missing or damaged, let `prepare` write it first.

    Raises RequestError if the cache folder cannot be written, RunError if the disk is full or the source changed while
    it was read, and whatever `prepare` raises. After an error no files are left behind. What processes left that were
    killed while they prepared an entry is removed first.
    """
    key = source.key()
    final = _entries_folder() / key
    entry = _open_entry(final)
    if entry is not None:
        _logger.debug("%s: opened from %s", source.name, final)
        return entry
    remove_abandoned_folders(final.parent, _UNFINISHED.fullmatch)
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
        entry = _move_into_place(temporary, final)
    _logger.debug("%s: prepared into %s", source.name, final)
    return entry


def entries() -> list[CacheEntry]:
    """Return all entries of the cache, sorted by name."""
    listed = []
    for path in _subfolders():
        finished = bool(_FINISHED.fullmatch(path.name))
        if finished or _UNFINISHED.fullmatch(path.name):
            record = _read_record(path) if finished else None
            name = record["name"] if record is not None else "unfinished or damaged"
            with suppress(FileNotFoundError):  # another process has cleared the cache meanwhile
                size = sum(file.stat().st_size for file in path.iterdir())
                listed.append(CacheEntry(path, name, size, path.stat().st_mtime, record is not None))
    return sorted(listed, key=lambda entry: (entry.name, entry.path))


def clear() -> list[CacheEntry]:
    """Remove all entries, also unfinished ones of processes that ended; return the removed entries.

    An entry that another process is preparing is not removed. One that others have open disappears for those who open
    it later; its arrays stay readable where they are memory-mapped already. (Windows does not rename a folder with open
    files, so such an entry stays.) Raises RunError if an entry cannot be removed.
    """
    removed = []
    for entry in entries():
        in_use = is_locked if entry.finished else may_be_in_use
        if in_use(entry.path):
            continue
        # Renamed first, so that other processes find the whole entry or none.
        unnamed = entry.path.with_name(f".{entry.path.name.lstrip('.')[:32]}-{os.getpid()}-{token_hex(4)}")
        try:
            entry.path.rename(unnamed)
            shutil.rmtree(unnamed)
        except FileNotFoundError:
            continue  # another process has cleared the cache meanwhile
        except OSError as cause:
            if sys.platform == "win32" and isinstance(cause, PermissionError):
                continue
            raise RunError(f"The cache cannot be cleared: {cause.strerror}.", where=str(entry.path)) from cause
        removed.append(entry)
    return removed


def _entries_folder() -> Path:
    return root() / "data"


def _subfolders() -> list[Path]:
    """Return the folders of all entries, and any other folder beside them."""
    try:
        return sorted(path for path in _entries_folder().iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as cause:
        raise RequestError(f"The cache folder cannot be read: {cause.strerror}.", where=str(root())) from cause


def _read_record(path: Path) -> dict[str, Any] | None:
    """Read `entry.json`; return None if it is missing or damaged."""
    try:
        record: dict[str, Any] = read_json(path / _RECORD, _RECORD_DOCUMENT)
    except RequestError:
        return None
    return record if record["format"] == _FORMAT and record["checksum"] == _record_checksum(record) else None


def _open_entry(path: Path) -> CachedArrays | None:
    """Open the entry in this folder; return None if there is none, or if a file changed after it was written."""
    record = _read_record(path)
    if record is None:
        return None
    arrays = {}
    for name, state in record["arrays"].items():
        try:
            with decoding(f"{name}.npy cannot be read", path):
                if _file_state(path / f"{name}.npy") != state:
                    return None
                arrays[name] = _memory_mapped(path / f"{name}.npy")
        except RequestError:
            return None
    return CachedArrays(MappingProxyType(arrays), MappingProxyType(record["notes"]))


def _memory_mapped(path: Path) -> np.ndarray:
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


@contextmanager
def _temporary_folder(final: Path) -> Iterator[Path]:
    """Create a folder beside `final` that only this user can read; remove it at the end, unless it was renamed."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(temporary_folder(final, mode=0o700))
        except OSError as cause:
            raise RequestError(
                f"The cache folder cannot be written: {cause.strerror or cause}.",
                where=str(root()),
                hint=f"Prepared data sets are stored there. Set {VARIABLE} to a folder that can be written.",
            ) from cause
        yield temporary


def _move_into_place(temporary: Path, final: Path) -> CachedArrays:
    """Rename `temporary` to `final` and open it; if another process was faster, open the entry of that one."""
    with _report_write_errors(final.parent):
        for _ in range(2):
            try:
                temporary.rename(final)
            except OSError as cause:
                if cause.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if (entry := _open_entry(final)) is not None:
                return entry
            shutil.rmtree(final, ignore_errors=True)  # a damaged entry, which prevented the rename
    raise RunError(
        "The data was damaged while it was written to the cache.",
        where=str(final),
        hint=f"Check the disk, or set {VARIABLE} to a folder on another one.",
    )


@contextmanager
def _report_write_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError of the block into a RunError which says that the cache cannot be written."""
    try:
        yield
    except OSError as cause:
        raise RunError(
            f"The prepared data cannot be written: {cause.strerror or cause}.",
            where=str(folder),
            hint=f"Make room (marsseg data cache --clear), or set {VARIABLE} to a folder on another disk.",
        ) from cause
