"""Cleaning: what a plan may ask to be done to its data before it is split.

In this order, each step looking at the items as they were read: aliens are dropped, then the copies among what is left,
then margins are filled.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..errors import RequestError, RunError
from . import cache
from .arrays import SegmentationData
from .cleaning_options import CleaningOptions
from .cleaning_report import CleaningReport
from .duplicates import image_copies, mask_groups
from .groups import ItemGroup
from .labels import fill_margin


def clean(data: SegmentationData, options: CleaningOptions) -> SegmentationData:
    """The data cleaned, with the report as its `cleaning`; the same object where nothing is asked for.

    Raises RequestError where no item remains.
    """
    if options == CleaningOptions():
        return data
    aliens, duplicates = _dropped(data, options)
    report = CleaningReport(options, len(data), aliens, duplicates, {})
    kept = report.kept
    if not len(kept):
        raise RequestError("Cleaning leaves no image.", where=data.source, hint="Ask for less of it.")

    images, masks, groups = data.images, data.masks, data.groups
    if len(kept) < len(data):
        images, masks = _chosen(images, kept), _chosen(masks, kept)
        groups = None if groups is None else groups[kept]
    if options.fill_margin:
        masks, filled = _filled(masks, data.ignore_classes, options.fill_margin)
        report = replace(report, filled={int(kept[place]): pixels for place, pixels in filled.items()})
    return replace(data, images=images, masks=masks, groups=groups, source=f"{data.source}, cleaned", cleaning=report)


def _dropped(data: SegmentationData, options: CleaningOptions) -> tuple[tuple[ItemGroup, ...], tuple[ItemGroup, ...]]:
    """The groups that go as aliens, and what is left of the groups of copies."""
    by_images = options.drop_aliens == "images"
    copies = image_copies(data.images).near if by_images or options.drop_duplicates else ()
    aliens = copies if by_images else mask_groups(data)[0] if options.drop_aliens == "masks" else ()
    if not options.drop_duplicates:
        return aliens, ()
    gone = {item for group in aliens for item in group}
    left = [tuple(item for item in group if item not in gone) for group in copies]
    return aliens, tuple(group for group in left if len(group) > 1)


def _filled(masks: np.ndarray, ignore_classes: tuple[int, ...], margin: int) -> tuple[np.ndarray, dict[int, int]]:
    """The masks with their margins filled, and how many pixels of which that are."""
    filled: dict[int, int] = {}

    def each() -> Iterator[np.ndarray]:
        for place, mask in enumerate(masks):
            changed, pixels = fill_margin(mask, ignore_classes, margin)
            if pixels:
                filled[place] = pixels
            yield changed

    return _gathered(masks, each(), len(masks)), filled


def _chosen(array: np.ndarray, items: np.ndarray) -> np.ndarray:
    """These items of (N, …)."""
    return _gathered(array, (array[item] for item in items), len(items))


def _gathered(like: np.ndarray, items: Iterable[np.ndarray], count: int) -> np.ndarray:
    """So many items as one array: in memory, or where `like` is memory-mapped, in a nameless file in the cache."""
    shape = (count, *like.shape[1:])
    if not isinstance(like, np.memmap):
        result = np.empty(shape, like.dtype)
        for place, item in enumerate(items):
            result[place] = item
        return result
    try:
        with tempfile.TemporaryFile(dir=cache.root()) as file:
            for item in items:
                file.write(np.ascontiguousarray(item).data)
            file.flush()
            return np.memmap(file, like.dtype, "r", shape=shape)
    except OSError as cause:
        raise RunError(
            f"The cleaned data cannot be written: {cause.strerror or cause}.",
            where=str(cache.root()),
            hint=f"Make room, or set {cache.VARIABLE} to a folder on another disk.",
        ) from cause
