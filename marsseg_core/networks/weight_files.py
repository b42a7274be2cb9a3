"""Read files of weights: Keras' `.weights.h5`, NumPy's `.npz` and `.safetensors`.

Files are not trusted: each size is checked against the size of the file before memory is taken for it, nothing is
unpickled, and no link to another file is followed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import h5py
import numpy as np

from ..errors import RequestError
from ..files.contents import other_content
from ..files.documents import decoding, parse_json
from ..files.npy import read_npy_header
from ..files.regular import open_regular
from ..files.schema import Items, Number, Table, Text
from ..planning.encoder_weights import SUFFIXES
from .archive import check_stored

# The longest header of a .safetensors file; the format's own limit.
_MOST_HEADER_BYTES: Final = 100_000_000

# Types of numbers in a .safetensors file. BF16 is read separately, as NumPy has no such type.
_SAFETENSORS: Final[Mapping[str, np.dtype]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_BFLOAT16: Final = "BF16"

_METADATA: Final = "__metadata__"
_COUNTS: Final = Items(Number(low=0, whole=True))
_SAFETENSORS_HEADER: Final = Table(
    optional={_METADATA: Table()},
    others=Table(required={"dtype": Text(), "shape": _COUNTS, "data_offsets": Items(_COUNTS.form, least=2)}),
)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the weights in a file by their paths "layer/variable".

    The file `.weights.h5` has no names of variables: there, the position in the layer takes the place of the name, as
    in "stem_conv/0".

    Raises RequestError where the file cannot be read, is damaged, or has values that are no finite numbers.
    """
    suffix = next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix))
    reader, magic = _READERS[suffix]
    with decoding("The weights cannot be read", path):
        open_regular(path).close()
        if content := other_content(path, f"{suffix} file", magic):
            raise RequestError(content[0], where=str(path), hint=content[1])
        values = dict(reader(path))
    if broken := [name for name, value in values.items() if not np.isfinite(value).all()]:
        raise RequestError(
            f"The weights of {broken[0]} are not finite.",
            where=str(path),
            hint="Write the file again from a network whose weights are finite.",
        )
    return values


def _read_npz(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with ZipFile(path) as archive:
        for member in archive.infolist():
            check_stored(member.filename, member.file_size, member.compress_size)
            with archive.open(member) as file:
                shape, dtype, fortran = read_npy_header(file)
                if dtype.kind != "f":
                    raise ValueError(f"{member.filename} has values of the type {dtype}, which cannot be weights")
                content = file.read()
            name = member.filename.removesuffix(".npy")
            value = _array(name, content, dtype, shape[::-1] if fortran else shape)
            yield name, value.T if fortran else value


def _read_safetensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with open_regular(path) as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size - 8, _MOST_HEADER_BYTES):
            raise ValueError(f"its header would have {length:,} bytes, the file has {size:,}")
        header, begin = parse_json(file.read(length)), 8 + length
        left = size - begin
        for name, entry in _SAFETENSORS_HEADER.read(header).items():
            if name == _METADATA:
                continue
            dtype, shape, (first, end, *_) = entry["dtype"], entry["shape"], entry["data_offsets"]
            if not 0 <= first <= end <= size - begin:
                raise ValueError(f"{name} would be in the bytes {first:,} to {end:,}, beyond the end of the file")
            left -= end - first
            if left < 0:
                raise ValueError("its arrays would have more bytes than the file: some are in the same place")
            file.seek(begin + first)
            content = file.read(end - first)
            if dtype == _BFLOAT16:  # the upper half of a float32
                halves = _array(name, content, np.dtype("<u2"), shape)
                yield name, (halves.astype(np.uint32) << 16).view(np.float32)
            elif dtype in _SAFETENSORS:
                yield name, _array(name, content, _SAFETENSORS[dtype], shape)
            else:
                raise ValueError(f"{name} has values of the type {dtype}, which cannot be weights")


def _array(name: str, content: bytes, dtype: np.dtype, shape: Any) -> np.ndarray:
    """Return the bytes as an array. Raises ValueError where there are more or fewer than the shape needs."""
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(content):
        raise ValueError(f"{name} has {len(content):,} bytes, where its shape needs {needed:,}")
    return np.frombuffer(content, dtype).reshape(shape)


def _read_h5(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each array of each group `vars`, in the form that Keras 3 writes.

    The attribute `name` of such a group is the name of the layer that its parent stands for.
    """
    with h5py.File(path, "r") as file:
        groups, seen = [file], {_address(file)}
        while groups:
            for name, item in _members(groups.pop(), seen):
                if isinstance(item, h5py.Group):
                    groups.append(item)
                elif isinstance(item, h5py.Dataset) and item.parent.name.endswith("/vars"):
                    check_stored(item.name, math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size())
                    if item.external or item.is_virtual:
                        raise ValueError(f"{item.name} is in another file, which is never read")
                    if item.dtype.kind == "f":  # others are states of random generators
                        yield f"{_layer_path(item.parent.parent)}/{name}", np.asarray(item[()])


def _members(group: h5py.Group, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield what a group holds itself, and add the addresses to `seen`.

    Raises ValueError for links to other paths or files, and for what is in the file under another name, too: it could
    hold itself, or be read a thousand times.
    """
    for name in group:
        if type(group.get(name, getlink=True)) is not h5py.HardLink:
            raise ValueError(f"{group.name} has a link, {name}, which is never followed")
        item = group[name]
        address = _address(item)
        if address in seen:
            raise ValueError(f"{group.name} has {name}, which is in the file under another name, too")
        seen.add(address)
        yield name, item


def _address(item: Any) -> int:
    """Return where an object begins in its file."""
    address: int = h5py.h5o.get_info(item.id).addr
    return address


def _layer_path(group: h5py.Group) -> str:
    """Return the names of a layer and of those that it is inside, without the network's own, which is at the root."""
    names = []
    while group.name != "/":
        if "vars" in group:
            names.append(str(group["vars"].attrs.get("name", group.name.rpartition("/")[2])))
        group = group.parent
    return "/".join(reversed(names))


_READERS: Final[Mapping[str, tuple[Callable[[Path], Iterator[tuple[str, np.ndarray]]], bytes | None]]] = {
    ".weights.h5": (_read_h5, b"\x89HDF"),
    ".npz": (_read_npz, b"PK"),
    ".safetensors": (_read_safetensors, None),
}
