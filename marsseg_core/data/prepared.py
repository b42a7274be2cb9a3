"""Data sets by way of the cache: prepared once, then opened at once at any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import RequestError
from . import cache
from .arrays import Facts, SegmentationData
from .cache import Source, Writer

IMAGES = "images"
MASKS = "masks"
GROUPS = "groups"

_COUNTS = "label_counts"
_FINGERPRINT = "fingerprint"


def prepared_data(
    source: Source, prepare: Callable[[Writer], None], *, class_names: Sequence[str], ignored: Sequence[int]
) -> SegmentationData:
    """The data set made from `source`; where it is not prepared, `prepare` writes its arrays, by the names above.

    It writes IMAGES (N, H, W, C) uint8, MASKS (N, H, W) uint8 and, if there are groups, GROUPS (N,) integers. They are
    checked before they are kept. Raises RequestError as `SegmentationData` and `cache.opened` do.
    """
    names = tuple(class_names)

    def prepare_and_check(writer: Writer) -> None:
        prepare(writer)
        arrays = writer.arrays()
        if IMAGES not in arrays or MASKS not in arrays:
            raise RequestError("There are no images.", where=source.name)
        data = SegmentationData(arrays[IMAGES], arrays[MASKS], names, (), arrays.get(GROUPS), source.name)
        writer.append(_COUNTS, data.label_counts)
        writer.notes[_FINGERPRINT] = data.fingerprint()

    # How many classes there are decides what a mask may hold; their names and the ignored ones change no array.
    keyed = replace(source, options={**source.options, "classes": len(names)})
    found = cache.opened(keyed, prepare_and_check)
    arrays = found.arrays
    facts = Facts(arrays[_COUNTS], found.notes[_FINGERPRINT])
    return SegmentationData(
        arrays[IMAGES], arrays[MASKS], names, tuple(ignored), arrays.get(GROUPS), source.name, facts=facts
    )


def prepared_images(source: Source, prepare: Callable[[Writer], None]) -> np.ndarray:
    """The images without labels made from `source`, (M, H, W, C) uint8; `prepare` writes IMAGES where they are not."""
    return cache.opened(source, prepare).arrays[IMAGES]
