"""Check the sizes in a file of Keras' format before Keras reads it.

Such a file is a zip archive of a configuration in JSON and of weights in HDF5. Both formats can declare gigabytes in a
small file. Keras has limits too, but only from 4 GiB on.
"""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_STORED, ZipFile

import h5py

_WEIGHTS: Final = "model.weights.h5"

# A member of the archive, or an array of the weights, may be this many times as large as what is stored of it, and some
# bytes more. Keras compresses neither.
_EXPANSION: Final = 100
_FREE_BYTES: Final = 2**20


def check_sizes(path: Path) -> None:
    """Check the declared sizes of all members of the archive and of all arrays of the weights.

    Raises ValueError where a size is impossible, and whatever the libraries raise for a damaged file.
    """
    with ZipFile(path) as archive:
        for member in archive.infolist():
            check_stored(member.filename, member.file_size, member.compress_size)
        with _weights(archive) as weights, h5py.File(weights, "r") as file:
            file.visititems(_check_array)


def _weights(archive: ZipFile) -> IO[bytes]:
    """Open the weights, in memory where they are not compressed, as Keras reads them too.

    HDF5 jumps to and fro, and `ZipFile` reads a member from its beginning for each jump backwards.
    """
    member = archive.getinfo(_WEIGHTS)
    return BytesIO(archive.read(member)) if member.compress_type == ZIP_STORED else archive.open(member)


def _check_array(name: str, item: Any) -> None:
    if isinstance(item, h5py.Dataset):
        check_stored(name, math.prod(item.shape) * item.dtype.itemsize, item.id.get_storage_size())


def check_stored(name: str, declared: int, stored: int) -> None:
    """Raise ValueError where a member or an array would have many more bytes than are stored of it."""
    if declared > _EXPANSION * stored + _FREE_BYTES:
        raise ValueError(f"{name} would have {declared:,} bytes, of which {stored:,} are stored")
