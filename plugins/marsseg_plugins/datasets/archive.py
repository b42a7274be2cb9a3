"""Read the arrays of an .npz file in chunks, and check everything that the file claims."""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn, Self

import numpy as np

from marsseg_core.plugin_api import (
    ITEM_LIMIT,
    MAX_NAME,
    PIXEL_LIMIT,
    VOID,
    Converter,
    ImageChunk,
    Range,
    RequestError,
    Scaling,
    check_regular,
    determine_scaling,
    is_text,
    items_per_chunk,
    numbers_of,
    other_content,
    read_npy_header,
)

from .classes import binary_ids

# An array of images that is larger and compressed more than this is refused as a zip bomb. Photographs stored as
# 8-byte numbers are compressed to about a thirtieth of their size, blank images to a thousandth.
BOMB_BYTES: Final = 256 * 2**20
BOMB_RATIO: Final = 200

# The bytes of a character: 4 in NumPy's texts, up to 4 in UTF-8.
_CHARACTER_BYTES: Final = 4

# What the kinds of NumPy's types are, in messages.
_KINDS: Final = {"iufb": "numbers", "iu": "whole numbers", "b": "booleans", "US": "strings"}

# The maximum number of names in a message.
_MAX_NAMES: Final = 20

_TOGETHER: Final = "training_set"
_IMAGES: Final = "images"
_MASKS: Final = "masks"
_GROUPS: Final = "training_groups"
_TEST: Final = "test_set"


class NpzArchive:
    """Hold an open .npz file in the course's layout. All methods raise RequestError if its content cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            check_regular(path)
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            self.refuse("There is no such file.")
        except IsADirectoryError:
            self.refuse("This is not an .npz file, but a folder.")
        except OSError as cause:
            self.refuse(f"This file cannot be opened: {cause.strerror or cause}.")
        except Exception as cause:
            content = other_content(path, ".npz file", b"PK")
            self.refuse(*content or (f"This is not an .npz file, or it is cut off: {cause}.",))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        """Return whether the file has an array with this name."""
        return f"{name}.npy" in self._zip.namelist()

    def count(self) -> int:
        """Return the number of labelled items, after a check that the shapes of their arrays match."""
        if self._separate:
            images, masks = self._shape(_IMAGES, (3, 4)), self._shape(_MASKS, (3,))
            if images[0] != masks[0]:
                self.refuse(f"There are {images[0]} images and {masks[0]} masks.")
            if images[1:3] != masks[1:]:
                self.refuse(f"Masks of shape {masks} do not match images of shape {(*images, 1)[:4]}.")
            return images[0]
        shape, _ = self._header(_TOGETHER)
        if len(shape) != 4 or shape[1] != 2:
            self.refuse(
                f"training_set must have the shape (N, 2, H, W), an image and a mask for each item, not {shape}.",
                hint="A file with separate arrays must name them images (N, H, W) and masks (N, H, W).",
            )
        return shape[0]

    def scaling(self, value_range: Range, *, unlabelled: bool = False) -> Scaling | None:
        """Return the scaling that `value_range` gives for the labelled images or, with `unlabelled`, for `test_set`.

        If the file has both and they hold numbers of the same kind, `test_set` gets the scaling of the labelled images.
        The shapes are not checked here: `count` and the method `unlabelled` do this.
        """
        names = [name for name in (_TOGETHER, _IMAGES) if self.has(name)][:1]
        if unlabelled and (not names or not self._same_numbers(names[0], _TEST)):
            names = [_TEST]
        (name,) = names
        _, dtype = self._header(name)
        first = ImageChunk(dtype, lambda: np.empty(0, dtype), lambda item: f"The image of item {item}", str(self._path))
        return determine_scaling(value_range, {dtype: first}, lambda: (chunk for _, chunk in self._images(name)))

    def _same_numbers(self, name: str, other: str) -> bool:
        """Return whether two arrays hold numbers of the same kind."""
        return numbers_of(self._header(name)[1]) == numbers_of(self._header(other)[1])

    def labelled(self, convert: Converter, *, binary: bool = False) -> Iterator[tuple[int, str, np.ndarray]]:
        """Yield (index of the first item, "image" or "mask", items as uint8) for one chunk after the other.

        Images are (n, H, W, C), masks (n, H, W). From `training_set`, images and masks alternate; otherwise all of
        `images` come before all of `masks`. Call `count` first: it checks the arrays.
        """
        if not self._separate:
            self._check_ratio(_TOGETHER)
            for start, items in self._chunks(_TOGETHER):
                yield start, "image", convert(self._chunk(items[:, 0, ..., None], start))
                yield start, "mask", self._ids(items[:, 1], start, binary)
            return
        for start, chunk in self._images(_IMAGES):
            yield start, "image", convert(chunk)
        for start, items in self._chunks(_MASKS):
            yield start, "mask", self._ids(items, start, binary)

    def unlabelled(self, convert: Converter) -> Iterator[np.ndarray]:
        """Return an iterator over the images of `test_set`, in chunks (n, H, W, C) uint8."""
        self._shape(_TEST, (3, 4))
        return (convert(chunk) for _, chunk in self._images(_TEST))

    def groups(self, count: int) -> np.ndarray | None:
        """Return the group of each of the `count` items; None if the file has no groups."""
        if not self.has(_GROUPS):
            return None
        shape, dtype = self._header(_GROUPS)
        if shape != (count,) or dtype.kind not in "iu":
            self.refuse(f"training_groups must hold {count} integers, but its shape is {shape} and its type {dtype}.")
        return np.concatenate([items for _, items in self._chunks(_GROUPS)])

    def texts(self, name: str, count: int | None = None) -> Iterator[list[str]]:
        """Yield the texts of an array (N,), in chunks. They are fixed-width, of characters (U) or UTF-8 bytes (S).

        N must be `count`, or without it at most 255.
        """
        shape, dtype = self._header(name, kinds="US")
        if len(shape) != 1 or shape[0] != (min(shape[0], VOID) if count is None else count):
            wanted = f"at most {VOID} strings" if count is None else f"{count} string{'' if count == 1 else 's'}"
            self.refuse(f"{name} must hold {wanted}, but its shape is {shape}.")
        if dtype.itemsize > _CHARACTER_BYTES * MAX_NAME:
            self.refuse(
                f"{name} has strings of up to {dtype.itemsize:,} bytes; at most {MAX_NAME:,} characters are read."
            )
        for start, items in self._chunks(name):
            if dtype.kind == "S":
                texts = [item.decode("utf-8", "surrogateescape") for item in items]
            elif items.view(f"{dtype.byteorder}u4").max() <= sys.maxunicode:
                texts = items.tolist()
            else:
                self.refuse(f"{name} is damaged: it has numbers that are not characters.")
            if wrong := [item for item, text in enumerate(texts) if not is_text(text)]:
                self.refuse(f"Item {start + wrong[0]} of {name} is not text: {texts[wrong[0]]!r}.")
            yield texts

    def small(self, name: str, shape: tuple[int | None, ...], kinds: str) -> np.ndarray:
        """Return an array of a known shape (None: any length up to 255) and kind of numbers."""
        actual, dtype = self._header(name)
        fits = len(actual) == len(shape) and all(
            length == (wanted or min(length, VOID)) for length, wanted in zip(actual, shape, strict=True)
        )
        if not fits or dtype.kind not in kinds:
            wanted_shape = ", ".join("N" if length is None else str(length) for length in shape)
            self.refuse(f"{name} must be an array ({wanted_shape}) of {_KINDS[kinds]}, not {actual} {dtype}.")
        return np.concatenate([items for _, items in self._chunks(name)])

    def check_scaled(self) -> None:
        """Raise RequestError unless the labelled images are uint8, as they are if their scaling is in the file."""
        dtype = self._header(_TOGETHER if self.has(_TOGETHER) else _IMAGES)[1]
        if dtype != np.uint8:
            self.refuse(
                f"The file says how its images were scaled to uint8, but they are {dtype}.",
                hint="Set range to the values that are black and white, such as range=0..255.",
            )

    @property
    def _separate(self) -> bool:
        """Whether images and masks are in two arrays."""
        return not self.has(_TOGETHER) and self.has(_IMAGES)

    def _shape(self, name: str, dimensions: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an array; it must have one of these numbers of dimensions."""
        shape, _ = self._header(name)
        if len(shape) not in dimensions:
            self.refuse(f"{name} must have {' or '.join(map(str, dimensions))} dimensions, N first, not {shape}.")
        return shape

    def _images(self, name: str) -> Iterator[tuple[int, ImageChunk]]:
        """Yield (index of the first item, images (n, H, W, C)) from an array of images or from `training_set`."""
        self._check_ratio(name)
        for start, items in self._chunks(name):
            pixels = items[:, 0] if name == _TOGETHER else items
            yield start, self._chunk(pixels if pixels.ndim == 4 else pixels[..., None], start)

    def _chunk(self, pixels: np.ndarray, start: int) -> ImageChunk:
        return ImageChunk(
            pixels.dtype, lambda: pixels, lambda item: f"The image of item {start + item}", str(self._path)
        )

    def _check_ratio(self, name: str) -> None:
        """Refuse images that are compressed like a zip bomb.

        Masks may be compressed so: they cannot be larger than their images.
        """
        member = self._zip.getinfo(f"{name}.npy")
        if member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * member.compress_size:
            self.refuse(
                f"{name} grows from {member.compress_size:,} to {member.file_size:,} bytes when it is unpacked: "
                f"it looks like a zip bomb, not like images.",
                hint="If the file is correct, save it without compression (np.savez).",
            )

    def _ids(self, items: np.ndarray, start: int, binary: bool) -> np.ndarray:
        """Convert masks to uint8 class ids; with `binary`, the values 0 and 255 become 0 and 1."""
        ids = self._whole(items, start)
        if not binary:
            return ids
        ids, other = binary_ids(ids)
        if other is not None:
            self.refuse(f"A mask holds the value {other}; with binary=true, masks may hold only 0 and 255.")
        return ids

    def _whole(self, items: np.ndarray, start: int) -> np.ndarray:
        """Convert masks of whole numbers from 0 to 255 to uint8."""
        if items.dtype == np.uint8:
            return items
        axes = tuple(range(1, items.ndim))
        with np.errstate(invalid="ignore"):
            outside = ~((items >= 0) & (items <= 255)).all(axis=axes)  # also True for NaN
        if outside.any():
            self.refuse(f"The mask of item {start + int(np.argmax(outside))} has values outside 0 to 255.")
        whole = np.rint(items) if items.dtype.kind == "f" else items
        if (fractional := (whole != items).any(axis=axes)).any():
            self.refuse(f"The mask of item {start + int(np.argmax(fractional))} has values that are not whole numbers.")
        return whole.astype(np.uint8)

    def _chunks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index of the first item, items) for one chunk of an array after the other."""
        with self._open(name) as file:
            shape, dtype, fortran = read_npy_header(file)
            if fortran and len(shape) > 1:
                self.refuse(f"{name} is stored in Fortran order; save it in C order (np.ascontiguousarray).")
            item_bytes = dtype.itemsize * math.prod(shape[1:])
            step = items_per_chunk(shape, dtype)
            for start in range(0, shape[0], step):
                count = min(step, shape[0] - start)
                content = file.read(count * item_bytes)
                if len(content) != count * item_bytes:
                    self.refuse(f"{name} ends after {start + len(content) // item_bytes} of {shape[0]} items.")
                yield start, np.frombuffer(content, dtype).reshape(count, *shape[1:])
            if file.read(1):
                self.refuse(f"{name} has data after its {shape[0]} items.")

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        """Open the bytes of an array. Any error while they are read is reported as damage to the array."""
        try:
            with self._zip.open(f"{name}.npy") as file:
                yield file
        except RequestError:
            raise
        except Exception as cause:
            self.refuse(f"{name} is damaged: {cause}.")

    def _header(self, name: str, kinds: str = "iufb") -> tuple[tuple[int, ...], np.dtype]:
        """Return the shape and the type of an array, after a check that it can be read safely."""
        if not self.has(name):
            self._refuse_missing(name)
        with self._open(name) as file:
            shape, dtype, _ = read_npy_header(file)
        if (member := self._zip.getinfo(f"{name}.npy")).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            self.refuse(
                f"{name} is not compressed as NumPy does it (zip method {member.compress_type}).",
                hint="Save it with np.savez or np.savez_compressed.",
            )
        if dtype.hasobject:
            self.refuse(
                f"{name} holds pickled objects. They could run code when read, so marsseg never loads them.",
                hint="Save an array of numbers instead, or of texts: dtype=str.",
            )
        if dtype.kind not in kinds:
            self.refuse(f"{name} must hold {_KINDS[kinds]}, not {dtype}.")
        if not all(length > 0 for length in shape):
            self.refuse(f"{name} is empty: its shape is {shape}.")
        declared, stored = dtype.itemsize * math.prod(shape), member.file_size
        if declared > stored:  # before memory is allocated for data that does not exist
            self.refuse(
                f"{name} declares the shape {shape} {dtype}, {declared:,} bytes, but only {stored:,} are stored."
            )
        if shape and shape[0] > ITEM_LIMIT:
            self.refuse(f"{name} has {shape[0]:,} items; the limit is {ITEM_LIMIT:,}.")
        if (values := math.prod(shape[1:])) > PIXEL_LIMIT:
            self.refuse(f"{name} has {values:,} values for each item; the limit is {PIXEL_LIMIT:,}.")
        return shape, dtype

    def _refuse_missing(self, name: str) -> NoReturn:
        members = sorted(self._zip.namelist())
        shown = [member.removesuffix(".npy") for member in members[:_MAX_NAMES]]
        more = f" and {len(members) - _MAX_NAMES:,} more" if len(members) > _MAX_NAMES else ""
        hint = None
        if members and not any(member.endswith(".npy") for member in members):
            hint = "This is a zip archive without arrays: unpack it, and pass the folder."
        self.refuse(f"There is no {name} in this file; it holds {', '.join(shown) or 'nothing'}{more}.", hint)

    def refuse(self, message: str, hint: str | None = None) -> NoReturn:
        """Raise RequestError about the file."""
        raise RequestError(message, where=str(self._path), hint=hint)
