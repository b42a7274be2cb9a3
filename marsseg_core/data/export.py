"""Write data sets to files, atomically."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from ..conventions import VOID
from ..errors import RequestError, counted
from ..files.atomic import atomic_folder, atomic_write
from ..files.npy import write_npy_header
from ..files.text import encode_text
from ..messages import get_logger
from .arrays import SegmentationData
from .chunks import items_per_chunk
from .file_names import file_names, file_stem
from .folder_facts import write_folder_facts
from .images import Colour, png_picture
from .item_file import ITEM_FILE, item_table
from .names import MAX_NAME, is_text
from .subsets import SUBSETS

_logger = get_logger(__name__)

Layout = Literal["training_set", "images"]
Items = Iterable[tuple[np.ndarray, np.ndarray]]

# Called with (number of items written, number of all items).
ProgressCallback = Callable[[int, int], None]

# Names with a special meaning in a class file.
_VOID_NAME: Final = "void"
_RESERVED: Final = (_VOID_NAME,)


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

    Groups are written as `training_groups`, images without labels as `test_set`, and everything else that the data have
    under names of its own (`_texts_and_facts`). Raises RequestError if the layout is `training_set` and the images have
    several channels, or if a name cannot be stored.
    """
    channels = data.images.shape[-1]
    if layout == "training_set" and channels > 1:
        raise RequestError(
            f"A training_set has one channel, and these images have {channels}.",
            where="--layout training_set",
            hint="Use --layout images, which has room for all channels.",
        )
    _check_names(data)
    grey = channels == 1
    images, uint8 = data.images[..., 0] if grey else data.images, np.dtype(np.uint8)
    facts = _texts_and_facts(data)
    total = len(data) * (1 if layout == "training_set" else 2) + sum(map(len, facts.values()))
    total += sum(len(others) for others in (data.groups, unlabelled, data.names) if others is not None)
    with _npz(path, lambda done: progress(done, total)) as write:
        if layout == "training_set":
            pairs = (np.stack(pair) for pair in zip(images, data.masks, strict=True))
            write("training_set", pairs, (len(data), 2, *images.shape[1:]), uint8)
        else:
            write("images", images, images.shape, uint8)
            write("masks", data.masks, data.masks.shape, uint8)
        if data.groups is not None:
            write("training_groups", data.groups, data.groups.shape, data.groups.dtype)
        if data.names is not None:
            write("names", data.names, (len(data),), np.dtype(f"U{max(map(len, data.names))}"))
        for name, array in facts.items():
            write(name, array, array.shape, array.dtype)
        if unlabelled is not None:
            flat = unlabelled[..., 0] if unlabelled.shape[-1] == 1 else unlabelled
            write("test_set", flat, flat.shape, uint8)


def _texts_and_facts(data: SegmentationData) -> dict[str, np.ndarray]:
    """Return the arrays that describe the classes, the scaling and the split that the data come with."""
    ignored = np.zeros(data.num_classes, bool)
    ignored[list(data.ignore_classes)] = True
    arrays = {"class_names": np.array(data.class_names), "class_ignored": ignored}
    if data.class_colours is not None:
        arrays["class_colours"] = np.array(data.class_colours, np.uint8)
    if data.scaling is not None:
        arrays["scaling"] = np.array([json.dumps(data.scaling.to_json())])
    if data.split is not None:
        arrays["split"] = np.array([*SUBSETS, ""])[data.split.numbers(len(data))]
    return arrays


def _check_names(data: SegmentationData) -> None:
    """Raise RequestError if a name of a class or an item cannot be stored."""
    for what, names in (("a class", data.class_names), ("an item", data.names or ())):
        for name in names:
            if not name or name.endswith("\0") or len(name) > MAX_NAME or not is_text(name):
                fault = f"has {len(name):,} characters" if len(name) > MAX_NAME else f"is {name!r}"
                raise RequestError(
                    f"The name of {what} {fault}; it must be text of 1 to {MAX_NAME:,} characters.",
                    where=data.source,
                )


def write_folder(path: Path, data: SegmentationData, unlabelled: np.ndarray | None, progress: ProgressCallback) -> None:
    """Write a data set to a folder for the data set `folder`: PNG files in images/ and masks/, and classes.csv.

    Files are called like their items, and each group of items without names has a subfolder; names, the split and
    groups are in the table items.csv, the scaling and the ignored classes in marsseg.json. Images without labels are in
    unlabelled/. If the classes have colours, masks are palette images. Raises RequestError if the images do not have 1
    or 3 channels, or a name cannot be written.
    """
    if data.images.shape[-1] not in (1, 3):
        raise RequestError(f"PNG images have 1 or 3 channels, not {data.images.shape[-1]}.", where=data.source)
    for name in data.class_names:
        if name in _RESERVED or name != name.strip() or "\n" in name or name.startswith("#"):
            raise RequestError(f"A class file cannot contain the class name '{name}'.", where=data.source)
    _check_names(data)
    names = _numbered(data) if data.names is None else data.names
    files = [f"{file}.png" for file in file_names(names)]
    palette = _palette(data)
    total = len(data) + (0 if unlabelled is None else len(unlabelled))
    with atomic_folder(path) as temporary:
        text = io.StringIO()
        special = any(set(name) & set(',;\t"') for name in data.class_names)
        write = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if special else csv.QUOTE_MINIMAL)
        write.writerows(_class_rows(data, palette))
        (temporary / "classes.csv").write_bytes(encode_text(text.getvalue()))
        write_folder_facts(temporary, data.scaling, data.ignore_classes)
        if data.names is not None or data.split is not None or data.groups is not None:
            table = item_table(data, files if data.names is None else data.names, files)
            (temporary / ITEM_FILE).write_bytes(encode_text(table))
        for item, (image, mask) in enumerate(zip(data.images, data.masks, strict=True)):
            _save(temporary / "images" / files[item], image)
            _save(temporary / "masks" / files[item], mask, palette)
            progress(item + 1, total)
        for item, image in enumerate([] if unlabelled is None else unlabelled):
            _save(temporary / f"unlabelled/{item:06}.png", image)
            progress(len(data) + item + 1, total)
    if data.names is not None:
        _tell_changed_names(path, data.names, files)


def _numbered(data: SegmentationData) -> list[str]:
    """Return names for items without names: their numbers, in a subfolder for each group."""
    groups = [""] * len(data) if data.groups is None else [f"{group}/" for group in data.groups]
    return [f"{group}{item:06}" for item, group in enumerate(groups)]


def _palette(data: SegmentationData) -> dict[Colour, int] | None:
    """Return the class id of each colour, with a colour for void; None if the classes have no colours that differ."""
    colours = data.class_colours
    if colours is None:
        return None
    if len(set(colours)) < len(colours):
        _logger.warning("Two classes of %s have the same colour: masks are written without colours.", data.source)
        return None
    shades = ((shade, shade, shade) for shade in (0, *range(255, 0, -1)))
    void = next(colour for colour in shades if colour not in colours)
    return {colour: label for label, colour in enumerate(colours)} | {void: VOID}


def _class_rows(data: SegmentationData, palette: dict[Colour, int] | None) -> list[list[Any]]:
    """Return the rows of the class file, with its header."""
    if palette is None:
        return [["name"], *([name] for name in data.class_names)]
    names = {**dict(enumerate(data.class_names)), VOID: _VOID_NAME}
    return [["name", "r", "g", "b"], *([names[label], *colour] for colour, label in palette.items())]


def _tell_changed_names(path: Path, names: Sequence[str], files: Sequence[str]) -> None:
    """Log how many names of items are not the names of their files, apart from the suffix, and an example."""
    changed = [item for item, name in enumerate(names) if file_stem(name) != file_stem(files[item])]
    if changed:
        first = changed[0]
        _logger.warning(
            "%s: %s another name than the item, such as %s for %r: the item's name cannot be that of a file, or "
            "differs from another only in the suffix. %s has all names.",
            path.name,
            counted(len(changed), "file has", "files have"),
            files[first],
            names[first],
            ITEM_FILE,
        )


def _save(path: Path, pixels: np.ndarray, palette: dict[Colour, int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    png_picture(pixels, palette).save(path, format="PNG")


ArrayWriter = Callable[[str, Iterable[Any], tuple[int, ...], np.dtype], None]


@contextmanager
def _npz(path: Path, progress: Callable[[int], None]) -> Iterator[ArrayWriter]:
    """Return a function that writes arrays to a new .npz file, item by item; `progress` gets the number of items."""
    done = 0
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:

        def write(name: str, items: Iterable[Any], shape: tuple[int, ...], dtype: np.dtype) -> None:
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
