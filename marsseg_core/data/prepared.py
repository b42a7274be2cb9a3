"""Data sets by way of the cache: prepared once, then opened at once at any size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import RequestError
from . import cache
from .arrays import Facts, SegmentationData
from .cache import Source, Writer
from .code import code_hash
from .conversion import Converter
from .scaling import Scaling

IMAGES = "images"
MASKS = "masks"
GROUPS = "groups"

_COUNTS = "label_counts"
_FINGERPRINT = "fingerprint"
_SCALING = "scaling"
_DOUBTS = "doubts"


def note_scaling(writer: Writer, converter: Converter) -> None:
    """Keep with a set that is being prepared how its values became 0…255, and what is doubtful in that."""
    writer.notes[_SCALING] = None if converter.kept is None else converter.kept.to_json()
    writer.notes[_DOUBTS] = converter.doubts()


def prepared_data(
    source: Source, prepare: Callable[[Writer], None], *, class_names: Sequence[str], ignored: Sequence[int]
) -> SegmentationData:
    """The data set made from `source`; where it is not prepared, `prepare` writes its arrays, by the names above.

    It writes IMAGES (N, H, W, C) uint8, MASKS (N, H, W) uint8 and, if there are groups, GROUPS (N,) integers. They are
    checked before they are kept. What `note_scaling` noted is told, each time. Prepared by other code (`code_hash`) or
    from other files (`Source.key`), it is another set. Raises RequestError as `SegmentationData` and `cache.opened` do.
    """
    names = tuple(class_names)

    def prepare_and_check(writer: Writer) -> None:
        prepare(writer)
        arrays = writer.arrays()
        if IMAGES not in arrays or MASKS not in arrays:
            raise RequestError("There are no images.", where=source.name)
        scaling = Scaling.from_json(writer.notes.get(_SCALING))
        data = SegmentationData(
            arrays[IMAGES], arrays[MASKS], names, (), arrays.get(GROUPS), source.name, scaling=scaling
        )
        writer.append(_COUNTS, data.label_counts)
        writer.notes[_FINGERPRINT] = data.fingerprint()

    # How many classes there are decides what a mask may hold; their names and the ignored ones change no array.
    found = cache.opened(_keyed(source, prepare, classes=len(names)), prepare_and_check)
    arrays = found.arrays
    facts = Facts(arrays[_COUNTS], found.notes[_FINGERPRINT])
    scaling = Scaling.from_json(found.notes.get(_SCALING))
    _tell(source.name, scaling, found.notes.get(_DOUBTS, []))
    return SegmentationData(
        arrays[IMAGES],
        arrays[MASKS],
        names,
        tuple(ignored),
        arrays.get(GROUPS),
        source.name,
        scaling=scaling,
        facts=facts,
    )


def prepared_images(source: Source, prepare: Callable[[Writer], None]) -> np.ndarray:
    """The images without labels made from `source`, (M, H, W, C) uint8; `prepare` writes IMAGES where they are not."""
    found = cache.opened(_keyed(source, prepare), prepare)
    _tell(source.name, None, found.notes.get(_DOUBTS, []))
    return found.arrays[IMAGES]


def _keyed(source: Source, prepare: Callable[[Writer], None], **more: Any) -> Source:
    return replace(source, options={"source": dict(source.options), "code": code_hash(prepare), **more})


def _tell(source: str, scaling: Scaling | None, doubts: Sequence[str]) -> None:
    for line in [*([] if scaling is None else [f"{scaling}."]), *doubts]:
        logging.getLogger("marsseg").warning("%s: %s", source, line)
