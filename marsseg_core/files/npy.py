"""Read and write the headers of .npy files, for arrays that are read and written in chunks."""

from __future__ import annotations

from typing import IO

import numpy as np


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
        ValueError: if the file does not begin with the header of an .npy file
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, dtype, fortran
