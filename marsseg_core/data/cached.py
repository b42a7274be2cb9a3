"""Open data sets through the cache: they are prepared once, and later opened without delay at any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import RequestError
from ..messages import get_logger
from . import cache
from .arrays import Facts, SegmentationData
from .cache import CacheSource, Writer
from .code import code_hash
from .conversion import Converter
from .names import StoredNames, names_as_arrays
from .scaling import Scaling
from .split import Split

_logger = get_logger(__name__)


IMAGES = "images"
"""Name the array of images that `prepare` writes: (N, H, W, C) uint8."""

MASKS = "masks"
"""Name the array of masks that `prepare` writes: (N, H, W) uint8, class ids or 255 for void."""

GROUPS = "groups"
"""Name the array of groups that `prepare` may write: (N,) integers; a split keeps the images of a group together."""

SUBSET = "subset"
"""Name the array of the split that the data come with, which `prepare` may write: (N,) int8.

0 means train, 1 validation, 2 test, -1 none.
"""

_NAME_TEXT = "name_text"
_NAME_LENGTHS = "name_lengths"
_COUNTS = "label_counts"
_FINGERPRINT = "fingerprint"
_SCALING = "scaling"
_DOUBTS = "doubts"
_CLASSES = "classes"
_VALUES = "values"
_SHAPES = "shapes"


def append_names(writer: Writer, names: Sequence[str]) -> None:
    """Store the names of the next items of a data set while it is prepared: of none, or of all, in their order.

    Args:
        writer: the writer of `prepare`
        names: the name of each item, such as "site1/a.png", or `tile_name` of it and the place of a tile
    """
    text, lengths = names_as_arrays(names)
    writer.append(_NAME_TEXT, text)
    writer.append(_NAME_LENGTHS, lengths)


def note_scaling(writer: Writer, converter: Converter, earlier: Scaling | None = None) -> None:
    """Store how the values of a data set became 0…255, and warnings about that, while it is prepared.

    Both are logged whenever the data set is opened.

    Args:
        writer: the writer of `prepare`
        converter: the converter of its images, after the last one was converted
        earlier: how the values became 0…255 before they were written into the source, if the converter leaves them
    """
    scaling = earlier if converter.kept is None else converter.kept
    writer.notes[_SCALING] = None if scaling is None else scaling.to_json()
    note_warnings(writer, converter.doubts())


def note_warnings(writer: Writer, lines: Sequence[str]) -> None:
    """Store warnings with a data set while it is prepared; they are logged whenever the data set is opened.

    Args:
        writer: the writer of `prepare`
        lines: the warnings, each a sentence
    """
    writer.notes.setdefault(_DOUBTS, []).extend(lines)


def note_classes(writer: Writer, count: int) -> None:
    """Store the number of classes found in the masks of a data set while it is prepared.

    Args:
        writer: the writer of `prepare`
        count: the number of classes
    """
    writer.notes[_CLASSES] = count


def cached_data(
    source: CacheSource,
    prepare: Callable[[Writer], None],
    *,
    class_names: Sequence[str] | None,
    ignore_classes: Sequence[int],
    class_colours: Sequence[tuple[int, int, int]] | None = None,
) -> SegmentationData:
    """Open the data set made from `source`, memory-mapped; prepare it first if that was not done before.

    The arrays are checked before they are stored. If the files, the options (`CacheSource.key`) or the code of
    `prepare` change, it is prepared again. The warnings of `note_scaling` and `note_warnings` are logged each time.

    Args:
        source: the files and options that the data set is made from
        prepare: writes IMAGES (N, H, W, C) uint8, MASKS (N, H, W) uint8 and, if there are groups, GROUPS (N,) integers;
            it may also write names (`append_names`) and SUBSET (N,) int8
        class_names: the name of each class; with None their number is that of `note_classes`, and they are named
            class_0, class_1 and so on, with a warning
        ignore_classes: the ids of classes that losses and metrics ignore
        class_colours: red, green and blue (0…255) of each class, if masks are in colour

    Returns:
        The data set.

    Raises:
        RequestError: if the arrays do not match, or a file does not exist
        RunError: if the disk is full
    """

    def names_from(notes: Mapping[str, Any]) -> tuple[str, ...]:
        if class_names is not None:
            return tuple(class_names)
        return tuple(f"class_{number}" for number in range(notes[_CLASSES]))

    def prepare_and_check(writer: Writer) -> None:
        prepare(writer)
        arrays = writer.arrays()
        if IMAGES not in arrays or MASKS not in arrays:
            raise RequestError("There are no images.", where=source.name)
        scaling = Scaling.from_json(writer.notes.get(_SCALING))
        data = SegmentationData(
            arrays[IMAGES],
            arrays[MASKS],
            names_from(writer.notes),
            (),
            arrays.get(GROUPS),
            source.name,
            scaling=scaling,
            names=None if (names := _stored_names(arrays)) is None else list(names),  # a list, so that they are checked
            split=_stored_split(arrays),
        )
        writer.append(_COUNTS, data.label_counts)
        writer.notes[_FINGERPRINT] = data.fingerprint()

    # The number of classes is part of the key: masks are checked against it. Names and ignored classes change no array.
    classes = None if class_names is None else len(class_names)
    entry = cache.open_or_prepare(_with_code(source, prepare, classes=classes), prepare_and_check)
    arrays, names = entry.arrays, names_from(entry.notes)
    facts = Facts(arrays[_COUNTS], entry.notes[_FINGERPRINT])
    scaling = Scaling.from_json(entry.notes.get(_SCALING))
    remarks = list(entry.notes.get(_DOUBTS, []))
    if class_names is None:
        remarks.insert(0, f"The classes are those found in the masks, {names[0]} to {names[-1]}: they have no names.")
    _log_warnings(source.name, scaling, remarks)
    return SegmentationData(
        arrays[IMAGES],
        arrays[MASKS],
        names,
        tuple(ignore_classes),
        arrays.get(GROUPS),
        source.name,
        scaling=scaling,
        names=_stored_names(arrays),
        split=_stored_split(arrays),
        class_colours=None if class_colours is None else tuple(class_colours),
        facts=facts,
    )


def _stored_names(arrays: Mapping[str, np.ndarray]) -> StoredNames | None:
    return StoredNames(arrays[_NAME_TEXT], arrays[_NAME_LENGTHS]) if _NAME_TEXT in arrays else None


def _stored_split(arrays: Mapping[str, np.ndarray]) -> Split | None:
    return Split.from_numbers(arrays[SUBSET], "given") if SUBSET in arrays else None


def cached_images(source: CacheSource, prepare: Callable[[Writer], None]) -> np.ndarray:
    """Open the images without labels made from `source`; prepare them first if that was not done before.

    Args:
        source: the files and options that the images are made from
        prepare: writes IMAGES (M, H, W, C) uint8

    Returns:
        (M, H, W, C) uint8, memory-mapped

    Raises:
        RequestError: if a file does not exist
        RunError: if the disk is full
    """
    entry = cache.open_or_prepare(_with_code(source, prepare), prepare)
    _log_warnings(source.name, None, entry.notes.get(_DOUBTS, []))
    return entry.arrays[IMAGES]


def cached_values(source: CacheSource, prepare: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Open the float32 arrays of any shapes made from `source`, such as weights; prepare them first if necessary.

    Args:
        source: the files and options that the arrays are made from
        prepare: returns the arrays by name

    Returns:
        The arrays by name, memory-mapped.

    Raises:
        RequestError: if a file does not exist
        RunError: if the disk is full
    """

    def write(writer: Writer) -> None:
        values = prepare()
        for value in values.values():
            writer.append(_VALUES, np.asarray(value, np.float32).reshape(-1))
        writer.notes[_SHAPES] = {name: value.shape for name, value in values.items()}

    entry = cache.open_or_prepare(_with_code(source, prepare), write)
    values, begin = {}, 0
    for name, shape in entry.notes[_SHAPES].items():
        end = begin + math.prod(shape)
        values[name] = entry.arrays[_VALUES][begin:end].reshape(shape)
        begin = end
    return values


def _with_code(source: CacheSource, prepare: Callable[..., Any], **more: Any) -> CacheSource:
    """Add a hash of the code of `prepare`, and `more`, to the options of a source."""
    return replace(source, options={"source": dict(source.options), "code": code_hash(prepare), **more})


def _log_warnings(source: str, scaling: Scaling | None, remarks: Sequence[str]) -> None:
    for line in [*([] if scaling is None else [f"{scaling}."]), *remarks]:
        _logger.warning("%s: %s", source, line)
