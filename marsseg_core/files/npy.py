"""Headers of .npy files, for arrays that are read and written piece by piece."""

from __future__ import annotations

from typing import IO

import numpy as np


def write_npy_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Begin an .npy file with what says that an array (N, …) in C order follows.

    Over an array of fewer items it may be written again: it leaves room for any N.
    """
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Read shape, dtype and Fortran order of an open .npy file, which is left at its first byte of data.

    Raises:
        ValueError: This is no header of an .npy file.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, dtype, fortran
