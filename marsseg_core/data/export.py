"""Write data sets to files, atomically."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import numpy as np
from PIL import Image

from ..errors import RequestError
from ..files.atomic import atomic_folder, atomic_write
from ..files.npy import write_npy_header
from ..files.text import encode_text
from .arrays import SegmentationData
from .chunks import items_per_chunk

Layout = Literal["training_set", "images"]
Items = Iterable[tuple[np.ndarray, np.ndarray]]

# Called with (number of items written, number of all items).
ProgressCallback = Callable[[int, int], None]

# Names with a special meaning in a class file.
_RESERVED: Final = ("void",)


def write_course_file(
    path: Path,
    labelled: Items,
    count: int,
    unlabelled: Items,
    test: int,
    size: tuple[int, int],
    progress: ProgressCallback,
) -> None:
    """Write an .npz file in the course's layout: `training_set` (count, 2, H, W) and `test_set` (test, H, W), float64.

    `labelled` and `unlabelled` yield pairs of an image (H, W, 1) and a mask (H, W), which are written one by one.
    """
    pairs = (np.stack([image[..., 0], mask]) for image, mask in labelled)
    images = (image[..., 0] for image, _ in unlabelled)
    with _npz(path, lambda done: progress(done, count + test)) as write:
        write("training_set", pairs, (count, 2, *size), np.dtype(np.float64))
        if test:
            write("test_set", images, (test, *size), np.dtype(np.float64))


def write_npz(
    path: Path, data: SegmentationData, unlabelled: np.ndarray | None, layout: Layout, progress: ProgressCallback
) -> None:
    """Write a data set to an .npz file for the data set `npz`: `training_set`, or `images` and `masks`, all uint8.

    Groups are written as `training_groups`, images without labels as `test_set`. Raises RequestError if the layout is
    `training_set` and the images have several channels.
    """
    channels = data.images.shape[-1]
    if layout == "training_set" and channels > 1:
        raise RequestError(
            f"A training_set has one channel, and these images have {channels}.",
            where="--layout training_set",
            hint="Use --layout images, which has room for all channels.",
        )
    grey = channels == 1
    images, uint8 = data.images[..., 0] if grey else data.images, np.dtype(np.uint8)
    total = len(data) * (1 if layout == "training_set" else 2)
    total += sum(len(others) for others in (data.groups, unlabelled) if others is not None)
    with _npz(path, lambda done: progress(done, total)) as write:
        if layout == "training_set":
            pairs = (np.stack(pair) for pair in zip(images, data.masks, strict=True))
            write("training_set", pairs, (len(data), 2, *images.shape[1:]), uint8)
        else:
            write("images", images, images.shape, uint8)
            write("masks", data.masks, data.masks.shape, uint8)
        if data.groups is not None:
            write("training_groups", data.groups, data.groups.shape, data.groups.dtype)
        if unlabelled is not None:
            flat = unlabelled[..., 0] if unlabelled.shape[-1] == 1 else unlabelled
            write("test_set", flat, flat.shape, uint8)


def write_folder(path: Path, data: SegmentationData, unlabelled: np.ndarray | None, progress: ProgressCallback) -> None:
    """Write a data set to a folder for the data set `folder`: PNG files in images/ and masks/, and classes.csv.

    Each group has a subfolder; images without labels are in unlabelled/. Raises RequestError if the images do not have
    1 or 3 channels, or a class name cannot be written to classes.csv.
    """
    if data.images.shape[-1] not in (1, 3):
        raise RequestError(f"PNG images have 1 or 3 channels, not {data.images.shape[-1]}.", where=data.source)
    for name in data.class_names:
        if name in _RESERVED or name != name.strip() or "\n" in name or name.startswith("#"):
            raise RequestError(f"A class file cannot contain the class name '{name}'.", where=data.source)
    total = len(data) + (0 if unlabelled is None else len(unlabelled))
    with atomic_folder(path) as temporary:
        text = io.StringIO()
        special = any(set(name) & set(',;\t"') for name in data.class_names)
        write = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if special else csv.QUOTE_MINIMAL)
        write.writerows([["name"], *([name] for name in data.class_names)])
        (temporary / "classes.csv").write_bytes(encode_text(text.getvalue()))
        for item, (image, mask) in enumerate(zip(data.images, data.masks, strict=True)):
            group = "" if data.groups is None else f"{data.groups[item]}/"
            _save(temporary / f"images/{group}{item:06}.png", image)
            _save(temporary / f"masks/{group}{item:06}.png", mask)
            progress(item + 1, total)
        for item, image in enumerate([] if unlabelled is None else unlabelled):
            _save(temporary / f"unlabelled/{item:06}.png", image)
            progress(len(data) + item + 1, total)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(flat)).save(path, format="PNG")


ArrayWriter = Callable[[str, Iterable[np.ndarray], tuple[int, ...], np.dtype], None]


@contextmanager
def _npz(path: Path, progress: Callable[[int], None]) -> Iterator[ArrayWriter]:
    """Return a function that writes arrays to a new .npz file, item by item; `progress` gets the number of items."""
    done = 0
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:

        def write(name: str, items: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> None:
            nonlocal done
            # A ZipInfo made here has a fixed time, so that equal data give equal files.
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_DEFLATED
            remaining, iterator = shape[0], iter(items)
            with archive.open(member, "w", force_zip64=True) as file:
                write_npy_header(file, shape, dtype)
                while chunk := list(islice(iterator, items_per_chunk(shape, dtype))):
                    array = np.asarray(chunk, dtype)
                    if array.shape[1:] != shape[1:] or len(array) > remaining:
                        raise ValueError(f"{name} of {shape} cannot take items of {array.shape[1:]}")
                    file.write(array.tobytes())
                    remaining -= len(array)
                    done += len(array)
                    progress(done)
            if remaining:
                raise ValueError(f"{name} of {shape} has {remaining} items too few")

        yield write
