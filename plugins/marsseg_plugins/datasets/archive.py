"""Reading the arrays of an .npz file in pieces, trusting nothing."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn, Self

import numpy as np

from marsseg_core.plugin_api import (
    Converter,
    Piece,
    Range,
    RequestError,
    Scaling,
    found_scaling,
    items_at_once,
    numbers_of,
    read_npy_header,
)

from .classes import binary_ids

# Photographs stored as 8-byte numbers are packed to about a thirtieth, blank ones to a thousandth.
BOMB_BYTES: Final = 256 * 2**20
BOMB_RATIO: Final = 200

_TOGETHER: Final = "training_set"
_IMAGES: Final = "images"
_MASKS: Final = "masks"
_GROUPS: Final = "training_groups"
_TEST: Final = "test_set"


class NpzArchive:
    """An open .npz file of the course's layout. Its methods raise RequestError for what is wrong in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            self._refuse("There is no such file.")
        except PermissionError as cause:
            self._refuse(f"This file cannot be opened: {cause.strerror}.")
        except Exception as cause:
            self._refuse(f"This is no .npz file, or only the beginning of one: {cause}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        """Whether there is an array of this name."""
        return f"{name}.npy" in self._zip.namelist()

    def count(self) -> int:
        """How many labelled items there are; the shapes of their arrays fit."""
        if self._separate:
            images, masks = self._shape(_IMAGES, (3, 4)), self._shape(_MASKS, (3,))
            if images[0] != masks[0]:
                self._refuse(f"There are {images[0]} images and {masks[0]} masks.")
            if images[1:3] != masks[1:]:
                self._refuse(f"Masks of {masks} do not fit images of {(*images, 1)[:4]}.")
            return images[0]
        shape, _ = self._header(_TOGETHER)
        if len(shape) != 4 or shape[1] != 2:
            self._refuse(
                f"training_set must be (N, 2, H, W), image and mask of each item, not {shape}.",
                hint="A file with separate arrays calls them images (N, H, W) and masks (N, H, W).",
            )
        return shape[0]

    def scaling(self, wanted: Range, *, unlabelled: bool = False) -> Scaling | None:
        """What `wanted` means for the labelled images, or for those of `test_set`: the same for both, where both are
        there and hold such numbers. `count`, or for the test set `unlabelled`, looks at the arrays."""
        names = [name for name in (_TOGETHER, _IMAGES) if self.has(name)][:1]
        if unlabelled and (not names or not self._alike(names[0], _TEST)):
            names = [_TEST]
        (name,) = names
        _, dtype = self._header(name)
        first = Piece(dtype, lambda: np.empty(0, dtype), lambda item: f"The image of item {item}", str(self._path))
        return found_scaling(wanted, {dtype: first}, lambda: (piece for _, piece in self._images(name)))

    def _alike(self, name: str, other: str) -> bool:
        return numbers_of(self._header(name)[1]) == numbers_of(self._header(other)[1])

    def labelled(self, convert: Converter, *, binary: bool = False) -> Iterator[tuple[int, str, np.ndarray]]:
        """(index of the first item, what, pieces as uint8): images (n, H, W, C) and masks (n, H, W).

        From `training_set`, both by turns, or from `images` and then `masks`. `what` is "image" or "mask". `count` has
        looked at the arrays before.
        """
        if not self._separate:
            self._check_ratio(_TOGETHER)
            for start, items in self._chunks(_TOGETHER):
                yield start, "image", convert(self._piece(items[:, 0, ..., None], start))
                yield start, "mask", self._ids(items[:, 1], start, binary)
            return
        for start, piece in self._images(_IMAGES):
            yield start, "image", convert(piece)
        for start, items in self._chunks(_MASKS):
            yield start, "mask", self._ids(items, start, binary)

    def unlabelled(self, convert: Converter) -> Iterator[np.ndarray]:
        """The images of `test_set`, (n, H, W, C) uint8 in pieces."""
        self._shape(_TEST, (3, 4))
        return (convert(piece) for _, piece in self._images(_TEST))

    def groups(self, count: int) -> np.ndarray | None:
        """The group of each of the `count` items, or None where the file has none."""
        if not self.has(_GROUPS):
            return None
        shape, dtype = self._header(_GROUPS)
        if shape != (count,) or dtype.kind not in "iu":
            self._refuse(f"training_groups must be {count} integers, not {shape} {dtype}.")
        return np.concatenate([items for _, items in self._chunks(_GROUPS)])

    @property
    def _separate(self) -> bool:
        return not self.has(_TOGETHER) and self.has(_IMAGES)

    def _shape(self, name: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        shape, _ = self._header(name)
        if len(shape) not in dimensions:
            self._refuse(f"{name} must have {' or '.join(map(str, dimensions))} dimensions, N first, not {shape}.")
        return shape

    def _images(self, name: str) -> Iterator[tuple[int, Piece]]:
        """(index of the first item, images (n, H, W, C)) of an array of images, or of images and masks."""
        self._check_ratio(name)
        for start, items in self._chunks(name):
            pixels = items[:, 0] if name == _TOGETHER else items
            yield start, self._piece(pixels if pixels.ndim == 4 else pixels[..., None], start)

    def _piece(self, pixels: np.ndarray, start: int) -> Piece:
        return Piece(pixels.dtype, lambda: pixels, lambda item: f"The image of item {start + item}", str(self._path))

    def _check_ratio(self, name: str) -> None:
        """Images are not packed as tightly as a zip bomb is. (Masks may be, but are no larger than their images.)"""
        member = self._zip.getinfo(f"{name}.npy")
        if member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * member.compress_size:
            self._refuse(
                f"{name} unpacks {member.compress_size:,} bytes to {member.file_size:,}: "
                f"that is no set of images, but a zip bomb.",
                hint="If it is meant so, save it unpacked (np.savez).",
            )

    def _ids(self, items: np.ndarray, start: int, binary: bool) -> np.ndarray:
        """Masks of whole numbers from 0 to 255 → uint8; with `binary` 0 and 255 → 0 and 1."""
        ids = self._whole(items, start)
        if not binary:
            return ids
        ids, other = binary_ids(ids)
        if other is not None:
            self._refuse(f"A mask holds the value {other}; with binary=true masks hold 0 and 255.")
        return ids

    def _whole(self, items: np.ndarray, start: int) -> np.ndarray:
        """Masks of whole numbers from 0 to 255 → uint8."""
        if items.dtype == np.uint8:
            return items
        axes = tuple(range(1, items.ndim))
        with np.errstate(invalid="ignore"):
            outside = ~((items >= 0) & (items <= 255)).all(axis=axes)  # true for NaN as well
        if outside.any():
            self._refuse(f"The mask of item {start + int(np.argmax(outside))} has values outside 0 to 255.")
        whole = np.rint(items) if items.dtype.kind == "f" else items
        if (broken := (whole != items).any(axis=axes)).any():
            self._refuse(f"The mask of item {start + int(np.argmax(broken))} has values that are not whole numbers.")
        return whole.astype(np.uint8)

    def _chunks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        """(index of the first item, items) in pieces."""
        with self._open(name) as file:
            shape, dtype, fortran = read_npy_header(file)
            if fortran and len(shape) > 1:
                self._refuse(f"{name} is stored in Fortran order; save it in C order (np.ascontiguousarray).")
            item_bytes = dtype.itemsize * math.prod(shape[1:])
            step = items_at_once(shape, dtype)
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
        if not self.has(name):
            keys = ", ".join(sorted(member.removesuffix(".npy") for member in self._zip.namelist())) or "nothing"
            self._refuse(f"There is no {name} in this file; it holds {keys}.")
        with self._open(name) as file:
            shape, dtype, _ = read_npy_header(file)
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
