"""Data sets by way of the cache: prepared once, then opened at once at any size."""

from __future__ import annotations

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
from .scaling import Scaling

_logger = get_logger(__name__)


IMAGES = "images"
"""Name the array of images that `prepare` writes: (N, H, W, C) uint8."""

MASKS = "masks"
"""Name the array of masks that `prepare` writes: (N, H, W) uint8, class ids or 255 for void."""

GROUPS = "groups"
"""Name the array of groups that `prepare` may write: (N,) integers; images of one group stay together."""

_COUNTS = "label_counts"
_FINGERPRINT = "fingerprint"
_SCALING = "scaling"
_DOUBTS = "doubts"
_CLASSES = "classes"


def note_scaling(writer: Writer, converter: Converter) -> None:
    """Keep with a set that is being prepared how its values became 0…255, and what is doubtful in that."""
    writer.notes[_SCALING] = None if converter.kept is None else converter.kept.to_json()
    note_remarks(writer, converter.doubts())


def note_remarks(writer: Writer, lines: Sequence[str]) -> None:
    """Keep with a set that is being prepared sentences that are told whenever it is opened."""
    writer.notes.setdefault(_DOUBTS, []).extend(lines)


def note_classes(writer: Writer, count: int) -> None:
    """Keep with a set that is being prepared how many classes were found in its masks."""
    writer.notes[_CLASSES] = count


def cached_data(
    source: CacheSource,
    prepare: Callable[[Writer], None],
    *,
    class_names: Sequence[str] | None,
    ignore_classes: Sequence[int],
) -> SegmentationData:
    """Open the data set made from `source`, memory-mapped; where it is not prepared yet, prepare it.

    What is written is checked before it is kept. What `note_scaling` and `note_remarks` noted is told, each time.
    CachedArrays by other code or from other files (`CacheSource.key`), it is another set.

    Args:
        source: what it is made from
        prepare: writes IMAGES (N, H, W, C) uint8, MASKS (N, H, W) uint8 and, if there are groups, GROUPS (N,) integers
        class_names: one for each class; with None they are as many as `note_classes` noted, called class_0 and so on,
            and that is told
        ignore_classes: the classes that count in no loss and no score

    Raises:
        RequestError: where the arrays do not belong together, or a file is not there
        RunError: where the disk is full
    """

    def named(notes: Mapping[str, Any]) -> tuple[str, ...]:
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
            arrays[IMAGES], arrays[MASKS], named(writer.notes), (), arrays.get(GROUPS), source.name, scaling=scaling
        )
        writer.append(_COUNTS, data.label_counts)
        writer.notes[_FINGERPRINT] = data.fingerprint()

    # How many classes there are decides what a mask may hold; their names and the ignored ones change no array.
    classes = None if class_names is None else len(class_names)
    found = cache.open_or_prepare(_keyed(source, prepare, classes=classes), prepare_and_check)
    arrays, names = found.arrays, named(found.notes)
    facts = Facts(arrays[_COUNTS], found.notes[_FINGERPRINT])
    scaling = Scaling.from_json(found.notes.get(_SCALING))
    remarks = list(found.notes.get(_DOUBTS, []))
    if class_names is None:
        remarks.insert(0, f"The classes are those found in the masks, {names[0]} to {names[-1]}: nothing names them.")
    _tell(source.name, scaling, remarks)
    return SegmentationData(
        arrays[IMAGES],
        arrays[MASKS],
        names,
        tuple(ignore_classes),
        arrays.get(GROUPS),
        source.name,
        scaling=scaling,
        facts=facts,
    )


def cached_images(source: CacheSource, prepare: Callable[[Writer], None]) -> np.ndarray:
    """Open the images without labels made from `source`, (M, H, W, C) uint8; where they are not there, prepare them.

    Args:
        source: what they are made from
        prepare: writes IMAGES (M, H, W, C) uint8

    Raises:
        RequestError: where a file is not there
        RunError: where the disk is full
    """
    found = cache.open_or_prepare(_keyed(source, prepare), prepare)
    _tell(source.name, None, found.notes.get(_DOUBTS, []))
    return found.arrays[IMAGES]


def _keyed(source: CacheSource, prepare: Callable[[Writer], None], **more: Any) -> CacheSource:
    return replace(source, options={"source": dict(source.options), "code": code_hash(prepare), **more})


def _tell(source: str, scaling: Scaling | None, doubts: Sequence[str]) -> None:
    for line in [*([] if scaling is None else [f"{scaling}."]), *doubts]:
        _logger.warning("%s: %s", source, line)
