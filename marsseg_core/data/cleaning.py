"""Clean a data set before it is split, as requested in a plan.

The steps are, in this order: drop aliens, drop duplicates among the remaining items, fill margins. Each step compares
the items as they were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .cleaning_options import CleaningOptions
from .cleaning_report import CleaningReport
from .collecting import collect, select
from .duplicates import image_copies, mask_groups
from .groups import ItemGroup
from .labels import fill_margin
from .split import Split


def clean(data: SegmentationData, options: CleaningOptions) -> SegmentationData:
    """Return the cleaned data, with the report as its `cleaning`; without any step, return the same object.

    Raises RequestError if no item remains.
    """
    if options == CleaningOptions():
        return data
    aliens, duplicates = _find_dropped(data, options)
    named = {} if data.names is None else {item: data.name(item) for group in aliens + duplicates for item in group}
    report = CleaningReport(options, len(data), aliens, duplicates, {}, named)
    kept = report.kept
    if not len(kept):
        raise RequestError("Cleaning leaves no image.", where=data.source, hint="Omit one of its steps.")

    images, masks, groups, names, split = data.images, data.masks, data.groups, data.names, data.split
    if len(kept) < len(data):
        images, masks = select(images, kept), select(masks, kept)
        groups = None if groups is None else groups[kept]
        names = None if names is None else [names[item] for item in kept]
        split = None if split is None else Split.from_numbers(split.numbers(len(data))[kept], split.origin)
    if options.fill_margin:
        masks, filled = _fill_margins(masks, data.ignore_classes, options.fill_margin)
        report = replace(report, filled={int(kept[index]): pixels for index, pixels in filled.items()})
    return replace(
        data,
        images=images,
        masks=masks,
        groups=groups,
        names=names,
        split=split,
        source=f"{data.source}, cleaned",
        cleaning=report,
    )


def _find_dropped(
    data: SegmentationData, options: CleaningOptions
) -> tuple[tuple[ItemGroup, ...], tuple[ItemGroup, ...]]:
    """Return the groups of aliens to drop, and the groups of duplicates among the other items."""
    by_images = options.drop_aliens == "images"
    copies = image_copies(data.images).near if by_images or options.drop_duplicates else ()
    aliens = copies if by_images else mask_groups(data)[0] if options.drop_aliens == "masks" else ()
    if not options.drop_duplicates:
        return aliens, ()
    dropped = {item for group in aliens for item in group}
    remaining = [tuple(item for item in group if item not in dropped) for group in copies]
    return aliens, tuple(group for group in remaining if len(group) > 1)


def _fill_margins(masks: np.ndarray, ignore_classes: tuple[int, ...], margin: int) -> tuple[np.ndarray, dict[int, int]]:
    """Return the masks with filled margins, and the number of filled pixels by the index of the mask."""
    filled: dict[int, int] = {}

    def fill_each() -> Iterator[np.ndarray]:
        for index, mask in enumerate(masks):
            changed, pixels = fill_margin(mask, ignore_classes, margin)
            if pixels:
                filled[index] = pixels
            yield changed

    return collect(masks, fill_each(), len(masks)), filled
