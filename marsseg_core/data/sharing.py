"""Hand an object to other processes without copying its arrays for each of them.

Arrays that are memory-mapped from a file are opened again by its path. Other large arrays are copied once, into memory
that all processes share. The rest is pickled.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from types import FunctionType
from typing import Any, Final

import numpy as np

SPAWN: Final = get_context("spawn")
"""Start processes afresh: a copy of this process (fork) would inherit the locks of TensorFlow's threads."""

# Smaller arrays are pickled.
_SMALLEST: Final = 2**16


@dataclass(frozen=True)
class Shared:
    """Hold an object for other processes: pass it as an argument to a process of SPAWN, which calls `open`.

    The shared memory has no name and belongs to the processes that use it, so that none of it can be left behind.
    """

    pickled: bytes
    blocks: Sequence[Any]

    def open(self) -> Any:
        """Return the object, with read-only arrays."""
        return _Unpickler(io.BytesIO(self.pickled), self.blocks).load()


def share(value: Any) -> Shared:
    """Return an object in a form that other processes can open.

    Raises `pickle.PicklingError`, or what the classes of its parts raise, if the object cannot be pickled or if a class
    in it is one that another process cannot import, and MemoryError if there is no room for the arrays.
    """
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(value)
    return Shared(file.getvalue(), pickler.blocks)


def shared_block(size: int) -> Any:
    """Return so many bytes of memory to share, all 0; raise MemoryError if there is no room.

    On Linux they are in /dev/shm, or in a temporary file if that is full. Space is checked first, because writing to a
    file that does not fit kills a process.
    """
    folders = [folder for folder in ("/dev/shm", tempfile.gettempdir()) if os.path.isdir(folder)]
    if max(shutil.disk_usage(folder).free for folder in folders) < size:
        raise MemoryError(f"{' and '.join(folders)} have no room for {size / 2**20:,.0f} MiB to share")
    return SPAWN.RawArray("B", size)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.blocks: list[Any] = []
        # The number of the block of each array by its `id`, with the array itself: an `id` is given again when its
        # object is gone.
        self._numbers: dict[int, tuple[int, np.ndarray]] = {}

    def persistent_id(self, value: Any) -> Any:
        """Return what stands for a large array in the pickle, None for any other object."""
        # No other subclasses, such as masked arrays: a block holds only the numbers.
        if type(value) not in (np.ndarray, np.memmap) or value.nbytes < _SMALLEST or value.dtype.hasobject:
            return None
        if isinstance(value, np.memmap) and _is_file(value):
            return "file", os.path.abspath(str(value.filename)), value.dtype, value.shape, value.offset
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.blocks), value
            self.blocks.append(block := shared_block(value.nbytes))
            np.copyto(_as_array(block, value.dtype, value.shape), value)
        return "block", self._numbers[id(value)][0], value.dtype, value.shape

    def reducer_override(self, value: Any) -> Any:
        """Refuse classes and functions that another process cannot import; leave everything else to `pickle`."""
        if isinstance(value, type | FunctionType) and not _importable(str(value.__module__).partition(".")[0]):
            raise pickle.PicklingError(f"{value.__qualname__} is not in a module that another process can import")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, blocks: Sequence[Any]) -> None:
        super().__init__(file)
        self._blocks = blocks

    def persistent_load(self, reference: Any) -> np.ndarray:
        kind, *details = reference
        if kind == "file":
            path, dtype, shape, offset = details
            mapped: np.ndarray = np.memmap(path, dtype, "r", offset, shape)
            return mapped
        number, dtype, shape = details
        array = _as_array(self._blocks[number], dtype, shape)
        array.flags.writeable = False
        return array


def _as_array(block: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(block, np.uint8).view(dtype).reshape(shape)


def _is_file(array: np.memmap[Any, Any]) -> bool:
    """Return whether an array is all of what `np.memmap` mapped from a file, and is written by nobody."""
    return (
        array.mode == "r"
        and isinstance(array.base, mmap.mmap)  # not a part of another array, whose place in the file is unknown
        and array.flags.c_contiguous
        and isinstance(array.filename, str | os.PathLike)
    )


@cache
def _importable(package: str) -> bool:
    """Return whether a fresh process with this `sys.path` finds a package.

    It does not find `__main__`, which is another module there, or the modules of notebooks and of plugin files, which
    are in `sys.modules` only.
    """
    if package in sys.builtin_module_names:
        return True
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return package != "__main__" and any(finder.find_spec(package, None) for finder in finders)
