"""Reading the arrays of an .npz file in pieces, trusting nothing."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn, Self

import numpy as np

from marsseg_core.errors import RequestError

CHUNK_BYTES: Final = 32 * 2**20


class NpzArchive:
    """An open .npz file of the course's layout. Its methods raise RequestError for what is wrong in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            self._refuse("There is no such file.")
        except Exception as cause:
            self._refuse(f"This is no .npz file, or only the beginning of one: {cause}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read_labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, H, W, C) and masks (N, H, W), uint8 both, from `training_set` or from `images` and `masks`."""
        if "training_set.npy" in self._zip.namelist() or "images.npy" not in self._zip.namelist():
            images, masks = self._read_training_set()
            return images[..., None], masks
        images = self._read_whole("images", "image", dimensions=(3, 4))
        masks = self._read_whole("masks", "mask", dimensions=(3,))
        if len(images) != len(masks):
            self._refuse(f"There are {len(images)} images and {len(masks)} masks.")
        return images if images.ndim == 4 else images[..., None], masks

    def _read_training_set(self) -> tuple[np.ndarray, np.ndarray]:
        shape, _ = self._header("training_set")
        if len(shape) != 4 or shape[1] != 2:
            self._refuse(
                f"training_set must be (N, 2, H, W), image and mask of each item, not {shape}.",
                hint="A file with separate arrays calls them images (N, H, W) and masks (N, H, W).",
            )
        count, _, height, width = shape
        images, masks = (self._empty("training_set", (count, height, width)) for _ in range(2))
        for start, items in self._chunks("training_set"):
            stop = start + len(items)
            images[start:stop] = self._bytes(items[:, 0], "image", start)
            masks[start:stop] = self._bytes(items[:, 1], "mask", start)
        return images, masks

    def read_test_set(self) -> np.ndarray:
        """Images without labels, (M, H, W) uint8."""
        return self._read_whole("test_set", "image", dimensions=(3,))

    def _read_whole(self, name: str, what: str, dimensions: tuple[int, ...]) -> np.ndarray:
        shape, _ = self._header(name)
        if len(shape) not in dimensions:
            self._refuse(f"{name} must have {' or '.join(map(str, dimensions))} dimensions, N first, not {shape}.")
        array = self._empty(name, shape)
        for start, items in self._chunks(name):
            array[start : start + len(items)] = self._bytes(items, what, start)
        return array

    def _empty(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        try:
            return np.empty(shape, np.uint8)
        except (MemoryError, ValueError):
            self._refuse(f"{name} of {shape} does not fit into memory.")

    def read_groups(self, count: int) -> np.ndarray | None:
        """The group of each of the `count` items, or None where the file has none."""
        if "training_groups.npy" not in self._zip.namelist():
            return None
        shape, dtype = self._header("training_groups")
        if shape != (count,) or dtype.kind not in "iu":
            self._refuse(f"training_groups must be {count} integers, not {shape} {dtype}.")
        return np.concatenate([items for _, items in self._chunks("training_groups")])

    def _bytes(self, items: np.ndarray, what: str, start: int) -> np.ndarray:
        """Whole numbers from 0 to 255 → uint8; a float image between them is rounded, a mask is refused."""
        if items.dtype == np.uint8:
            return items
        axes = tuple(range(1, items.ndim))
        with np.errstate(invalid="ignore"):
            outside = ~((items >= 0) & (items <= 255)).all(axis=axes)  # true for NaN as well
        if outside.any():
            item = int(np.argmax(outside))
            self._refuse(f"The {what} of item {start + item} has values outside 0 to 255.")
        whole = np.rint(items) if items.dtype.kind == "f" else items
        if what == "mask" and (broken := (whole != items).any(axis=axes)).any():
            item = int(np.argmax(broken))
            self._refuse(f"The mask of item {start + item} has values that are not whole numbers.")
        return whole.astype(np.uint8)

    def _chunks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        """(index of the first item, items) in pieces of about CHUNK_BYTES."""
        with self._open(name) as file:
            shape, dtype, fortran = _read_header(file)
            if fortran and len(shape) > 1:
                self._refuse(f"{name} is stored in Fortran order; save it in C order (np.ascontiguousarray).")
            item_bytes = dtype.itemsize * math.prod(shape[1:])
            step = max(1, CHUNK_BYTES // item_bytes)
            for start in range(0, shape[0], step):
                count = min(step, shape[0] - start)
                content = file.read(count * item_bytes)
                if len(content) != count * item_bytes:
                    self._refuse(f"{name} ends after {start + len(content) // item_bytes} of {shape[0]} items.")
                yield start, np.frombuffer(content, dtype).reshape(count, *shape[1:])
            if file.read(1):
                self._refuse(f"{name} goes on after its {shape[0]} items.")

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        """The array's bytes. Whatever reading them raises, it is because they are cut off or garbled."""
        try:
            with self._zip.open(f"{name}.npy") as file:
                yield file
        except RequestError:
            raise
        except Exception as cause:
            self._refuse(f"{name} is damaged: {cause}.")

    def _header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        if f"{name}.npy" not in self._zip.namelist():
            keys = ", ".join(sorted(member.removesuffix(".npy") for member in self._zip.namelist())) or "nothing"
            self._refuse(f"There is no {name} in this file; it holds {keys}.")
        with self._open(name) as file:
            shape, dtype, _ = _read_header(file)
        if dtype.hasobject:
            self._refuse(f"{name} holds pickled objects, which could run code when read; they are never loaded.")
        if dtype.kind not in "iufb":
            self._refuse(f"{name} must hold numbers, not {dtype}.")
        if not all(length > 0 for length in shape):
            self._refuse(f"{name} holds nothing: its shape is {shape}.")
        declared, stored = dtype.itemsize * math.prod(shape), self._zip.getinfo(f"{name}.npy").file_size
        if declared > stored:  # before any memory is taken for what is not there
            self._refuse(f"{name} declares {shape} {dtype}, {declared:,} bytes, but has {stored:,}.")
        return shape, dtype

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        raise RequestError(what, where=str(self._path), hint=hint)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype and Fortran order of an open .npy file, which is left at its first byte of data."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, dtype, fortran
