"""Read and write the headers of .npy files, for arrays that are read and written in chunks.

Files are not trusted: their headers are checked before memory is taken for what they claim.
"""

from __future__ import annotations

import io
import math
import os
import struct
from pathlib import Path
from typing import IO, Final
from zipfile import ZipFile

import numpy as np

from .documents import decoding
from .regular import open_regular

# The longest header that NumPy parses. It reads all of a header first, though, and its length field allows 4 GB.
_MOST_HEADER_BYTES: Final = 10_000
_MOST_DIMENSIONS: Final = 32

# The space that the header of an array takes in a member of an archive, at most.
_HEADER_BYTES: Final = 2**12

# The code of the length field, for each version of the format.
_LENGTHS: Final = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}


def write_npy_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write the header of an .npy file for an array of this shape (N, …) in C order.

    The header has room for any N: it can be overwritten later with another number of items.
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Read the header of an open .npy file; the file is then positioned at the first byte of data.

    Args:
        file: the file, positioned at its beginning

    Returns:
        The shape, the dtype, and whether the data is in Fortran order.

    Raises:
        ValueError: if the file does not begin with the header of an .npy file, or with one that no array needs
    """
    version = np.lib.format.read_magic(file)
    if version not in _LENGTHS:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is unknown")
    field = file.read(struct.calcsize(_LENGTHS[version]))
    if len(field) < struct.calcsize(_LENGTHS[version]):
        raise ValueError("its header is cut off")
    (length,) = struct.unpack(_LENGTHS[version], field)
    if length > _MOST_HEADER_BYTES:
        raise ValueError(f"its header has {length:,} bytes; the limit is {_MOST_HEADER_BYTES:,}")
    header = io.BytesIO(field + file.read(length))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(header)
    except Exception as cause:  # NumPy evaluates the header as Python's literals, which can fail in many ways
        raise ValueError(str(cause) or type(cause).__name__) from cause
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"it has {len(shape)} dimensions; the limit is {_MOST_DIMENSIONS}")
    return shape, dtype, fortran


def read_npy_member(archive: ZipFile, name: str, limit: int) -> np.ndarray:
    """Read an array of numbers, of at most `limit` bytes, from an .npz file.

    Whatever it raises means that the file is damaged.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > limit + _HEADER_BYTES:
        raise ValueError(f"{name} has {member.file_size:,} bytes, but may have {limit:,}")
    with archive.open(member) as file:
        shape, dtype, fortran = read_npy_header(file)
        if dtype.kind not in "biuf":
            raise ValueError(f"{name} has values of the type {dtype}")
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C")


def read_known_npy(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Read an array whose type and shape are known. Nothing else is accepted, however the file is made.

    Raises RequestError where the file cannot be read, or has another array.
    """
    with decoding(f"{path.name} cannot be read", path.parent), open_regular(path) as file:
        found, found_dtype, fortran = read_npy_header(file)
        if found != shape or found_dtype != dtype or fortran:
            raise ValueError(f"it has {found_dtype} {found}, not {dtype} {shape}")
        if os.fstat(file.fileno()).st_size - file.tell() != math.prod(shape) * dtype.itemsize:
            raise ValueError("its size is not that of the array")
        return np.frombuffer(file.read(), dtype).reshape(shape)
