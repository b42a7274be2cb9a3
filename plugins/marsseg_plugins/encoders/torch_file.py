"""Read the tensors in a file of PyTorch's old format, without PyTorch.

Such a file is a row of five pickles (two numbers, facts about the machine, the tensors by name, the keys of the
storages) and then, for each storage, the number of its values and the values. A pickle can call any function that its
reader lets it find; this reader finds nothing but what tensors by name are made of. A pickle can also set attributes of
what it has made or found, after all checks; here nothing but the mapping of the tensors has any that can be set. It can
nest values so deeply that the interpreter crashes; this reader takes only the operations of such files, and no more
values that can be nested in a key than these have.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from marsseg_core.plugin_api import RequestError, open_regular

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001

# The operations of such pickles, as `pickletools` names them.
_OPERATIONS: Final = (
    "PROTO STOP GLOBAL REDUCE BUILD BINPERSID MARK BINPUT LONG_BINPUT BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS"
)

# Python computes the hash of nested tuples by recursion, without a limit. The largest published encoder of this format
# has some thousand tuples, in all; as many, nested, are no danger.
_MOST_TUPLES: Final = 10_000

# No more than this is read of a file. The largest published encoders have a third of it.
_MOST_BYTES: Final = 2**30


class _Storage(NamedTuple):
    """Values in a file, which tensors take their own from."""

    key: str
    kind: str
    size: int

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the values."""
        return np.dtype(self.kind)


class _Tensor(NamedTuple):
    """A view on the values of a storage: its first value, its shape, and the steps from value to value."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, values: np.ndarray) -> np.ndarray:
        """Return the tensor as an array, from the values of its storage."""
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False).copy()


class _Rebuilding:
    """The function that makes a tensor. Unlike a function of Python, it has no attributes that a pickle could set."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
        if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
            raise ValueError("a tensor has no storage")
        numbers = (offset, *shape, *strides)
        if any(type(number) is not int or number < 0 for number in numbers) or len(shape) != len(strides):
            raise ValueError("a tensor has an impossible shape")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if last >= storage.size or max(math.prod(shape), *numbers) > storage.size:
            raise ValueError(f"a tensor of shape {shape} is larger than its storage of {storage.size:,} values")
        return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """An unpickler that finds four names, none of which is PyTorch's own."""

    names: Final[Mapping[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _Rebuilding(),
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may call or refer to. Raises ValueError for anything else."""
        if (module, name) not in self.names:
            raise ValueError(f"it asks for {module}.{name}, which no weights need")
        return self.names[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a tensor refers to. Raises ValueError where it is described in another way."""
        match pid:
            case ("storage", ("<f4" | "<i8") as kind, str() as key, "cpu", int() as count, None) if count > 0:
                return _Storage(key, kind, count)
        raise ValueError("a storage is described in an unknown way")


def read_tensors(path: Path, sha256: str, remedy: str | None = None) -> dict[str, np.ndarray]:
    """Return the tensors of a file by name, if the file is the one with this checksum.

    Raises RequestError where it is another file, or is damaged, with `remedy` as its hint.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MOST_BYTES)
    except OSError as cause:
        raise RequestError(f"The weights cannot be read: {cause.strerror}.", where=str(path), hint=remedy) from cause
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RequestError("The file of weights is not the published one.", where=str(path), hint=remedy)
    return parse_tensors(content)


def parse_tensors(content: bytes) -> dict[str, np.ndarray]:
    """Return the tensors in the bytes of a file. Raises ValueError where they are not what PyTorch writes."""
    file = io.BytesIO(content)
    try:
        magic, protocol, machine, tensors, keys = (_load(file) for _ in range(5))
    except (pickle.UnpicklingError, EOFError, TypeError, AttributeError, IndexError, KeyError, MemoryError) as cause:
        raise ValueError(f"its pickle is damaged: {cause}") from cause
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not _is_little_endian(machine):
        raise ValueError("it is not a file in PyTorch's old format")
    # A pickle can hide the methods of an OrderedDict behind attributes.
    named = dict.items(tensors) if isinstance(tensors, dict) else [(None, tensors)]
    if not all(isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in named):
        raise ValueError("it holds something other than tensors by name")
    tensors = dict(named)
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if any(tensor.storage != storages[tensor.storage.key] for tensor in tensors.values()):
        raise ValueError("a storage is described in two ways")
    if not isinstance(keys, list) or len(keys) != len(storages) or not all(key in keys for key in storages):
        raise ValueError("its storages are not those of its tensors")
    values = {key: _values(storages[key], file) for key in keys}
    if file.read(1):
        raise ValueError("it continues after its last storage")
    return {name: tensor.read(values[tensor.storage.key]) for name, tensor in tensors.items()}


def _load(file: io.BytesIO) -> Any:
    """Return the value of the next pickle. Raises ValueError where it has operations that no weights need."""
    start, allowed, tuples = file.tell(), _OPERATIONS.split(), 0
    try:
        for operation, _, _ in pickletools.genops(file):
            tuples += operation.name.startswith("TUPLE")
            if operation.name not in allowed or tuples > _MOST_TUPLES:
                raise ValueError(f"no weights need its {operation.name}")
    except ValueError as cause:
        raise pickle.UnpicklingError(cause) from cause
    file.seek(start)
    return _Unpickler(file).load()


def _is_little_endian(machine: Any) -> bool:
    return isinstance(machine, dict) and dict.get(machine, "little_endian") is True


def _values(storage: _Storage, file: io.BytesIO) -> np.ndarray:
    count, length = int.from_bytes(file.read(8), "little", signed=True), storage.size * storage.dtype.itemsize
    content = file.read(min(length, _MOST_BYTES))
    if count != storage.size or len(content) != length:
        raise ValueError(f"the storage {storage.key} has another number of values than its tensors say")
    return np.frombuffer(content, storage.dtype)
