"""Read the images without labels that a plan names, and find those among them that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from ..data.arrays import SegmentationData
from ..data.collecting import collect, select
from ..data.duplicates import image_copies
from ..data.split import Split
from ..errors import RequestError, counted
from ..messages import get_logger
from ..planning import grammar
from ..planning.options import OF_LABELLED_DATA, OWN, UNUSED
from ..planning.plan import Plan
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry import kinds
from .data import load_unlabelled, read_data

_logger = get_logger(__name__)


def read_others(plan: Plan, others: str, data: SegmentationData, split: Split) -> tuple[np.ndarray, str]:
    """Read the images of a data set, or of a word for images of the labelled one, and return the name of the source.

    The images are (M, H, W, C) uint8. Raises RequestError where there are none, or where they do not fit those of
    `data`, which have labels.
    """
    if others in OF_LABELLED_DATA:
        images, source = _images_of_data(plan, others, data, split)
    else:
        images, source = _images_of(others, plan, data)
    rows, columns = plan.training.crop or data.images.shape[1:3]
    if images.shape[-1] != data.images.shape[-1] or images.shape[1] < rows or images.shape[2] < columns:
        name = (
            plan.resolved[kinds.DATASET][0].entry.name if others in OF_LABELLED_DATA else grammar.parse(others)[0].name
        )
        raise RequestError(
            f"Images without labels of {_size(images)} do not fit images with labels of {_size(data.images)}.",
            where=f"--unlabelled {plan.training.unlabelled}",
            hint="They must have as many channels, and be at least as large as the images that the network takes. "
            f"`marsseg show {name}` lists what can be set of these images.",
        )
    if images.shape[1:] != data.images.shape[1:]:
        _logger.warning(
            f"Images without labels of {_size(images)} cannot be compared with those of the validation and test "
            f"subsets of {_size(data.images)}, so none of them is found among the others. Leave them out yourself."
        )
    return images, source


def held_out_images(images: np.ndarray, data: SegmentationData, split: Split) -> np.ndarray:
    """Return which images are copies or near copies of one of the validation or the test subset, (M,) bool."""
    found = np.zeros(len(images), bool)
    if images.shape[1:] == data.images.shape[1:]:
        own = select(data.images, [*split["validation"], *split["test"]])
        for group in image_copies(own, images).near:
            if group[0] < len(own):
                found[[item - len(own) for item in group if item >= len(own)]] = True
    return found


def joined(parts: Sequence[np.ndarray], *, where: str, hint: str) -> np.ndarray:
    """Return the images of all parts, memory-mapped if one of them is. Raises RequestError for different sizes."""
    first = parts[0]
    if len(parts) == 1:
        return first
    for other in parts[1:]:
        if other.shape[1:] != first.shape[1:]:
            raise RequestError(
                f"Images without labels of {_size(first)} cannot be used with labelled ones of {_size(other)}.",
                where=where,
                hint=hint,
            )
    like = next((images for images in parts if isinstance(images, np.memmap)), first)
    return collect(like, chain.from_iterable(parts), sum(map(len, parts)))


def _images_of(others: str, plan: Plan, data: SegmentationData) -> tuple[np.ndarray, str]:
    """Return the images of another data set than the labelled one."""
    resolved = resolve(Request(compositions={"data": others}), plan.session, only=(kinds.DATASET,))
    resolved = resolved.with_scaling(data.scaling)
    images = load_unlabelled(resolved)
    if images is not None:
        return images, f"{others}, without labels"
    labelled = read_data(resolved)
    return labelled.images, labelled.source


def _images_of_data(plan: Plan, others: str, data: SegmentationData, split: Split) -> tuple[np.ndarray, str]:
    """Return the images without labels of the labelled data set and, if `others` says so, those in no subset."""
    own = load_unlabelled(plan)
    in_no_subset = _in_no_subset(plan, data, split)
    found = [] if own is None else [own]
    source = f"{data.source}, without labels"
    if others == UNUSED and len(in_no_subset):
        found.append(select(data.images, in_no_subset))
        source += " or in no subset"
    if not found:
        hint = "Name a source of such images: --unlabelled PATH. The labels of its images are not used."
        if len(in_no_subset):
            count = counted(len(in_no_subset), "labelled image that is", "labelled images that are")
            hint += f" Or use {count} in no subset: --unlabelled {UNUSED}."
        raise RequestError(
            "The data set has no images without labels"
            + (
                ", and all that have labels are in a subset, or of the places of one that scores."
                if others == UNUSED
                else "."
            ),
            where=f"--data {plan.resolved[kinds.DATASET][0].entry.name}",
            hint=hint,
        )
    return joined(found, where=f"--unlabelled {UNUSED}", hint=f"Use the first alone: --unlabelled {OWN}."), source


def _in_no_subset(plan: Plan, data: SegmentationData, split: Split) -> np.ndarray:
    """Return the labelled images that are in no subset, but those of the places of the validation and test subsets."""
    numbers = split.numbers(len(data))
    items = np.flatnonzero(numbers < 0)
    if data.groups is None or plan.transductive:
        return items
    held_out = data.groups[[*split["validation"], *split["test"]]]
    return items[~np.isin(data.groups[items], held_out)]


def _size(images: np.ndarray) -> str:
    return " × ".join(map(str, images.shape[1:]))
