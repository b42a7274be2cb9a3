"""Describe the results of an inspection in words, for the table and the HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..errors import counted
from .duplicates import CORRELATION, HASH_BITS
from .groups import ItemGroup
from .inspection import WIDEST_STRIP, Inspection, Values

_NAMELESS: Final[Mapping[int, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Finding:
    """Hold one row of the table of findings.

    Attributes:
        name: what was searched for
        count: how many items have it
        detail: what that means, in a few words
        groups: the items, in groups that belong together
        labelled: whether these are labelled items; those without labels are numbered separately, and have no names
    """

    name: str
    count: int
    detail: str
    groups: tuple[ItemGroup, ...] = ()
    labelled: bool = True


def listed(groups: Sequence[ItemGroup], most: int, names: Mapping[int, str] = _NAMELESS) -> str:
    """Return the names of the first `most` items as text, with groups separated by semicolons.

    An item that is not in `names` is given by its number.

    >>> listed([(1, 2), (5, 9, 12)], most=4)
    '1, 2; 5, 9, …'
    """
    texts: list[str] = []
    for group in groups:
        if most <= 0:
            return "; ".join([*texts, "…"])
        items = [names.get(item, str(item)) for item in group[:most]] + (["…"] if len(group) > most else [])
        texts.append(", ".join(items))
        most -= len(group)
    return "; ".join(texts)


def summary(inspection: Inspection) -> list[str]:
    """Return lines that summarise the data set: counts, sizes, values, subsets and warnings."""
    height, width, channels = inspection.size
    kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    lines = [f"{inspection.source}: {counted(inspection.images, 'labelled image')} of {height} × {width}, {kind}"]
    if inspection.unlabelled:
        lines[0] += f"; {inspection.unlabelled:,} without labels"
    if inspection.groups is not None:
        lines[0] += f"; {counted(inspection.groups, 'group')}"
    lines.append(f"source: {inspection.scaling or 'its values are 0 to 255 and used unchanged'}")
    lines.append(f"items: {_origin(inspection)}")
    lines.append(f"values: {_values(inspection.values)}")
    if inspection.unlabelled_values is not None:
        lines.append(f"values without labels: {_values(inspection.unlabelled_values)}")
    if inspection.subsets is not None:
        origin = {"given": " (given with the data)", "file": " (from the file)"}.get(inspection.split_origin or "", "")
        lines.append(f"a run's subsets{origin}: {_sizes(inspection.subsets)}")
        lines += [f"split: {line}" for line in inspection.split_remarks]
    else:
        lines.append(f"a run's subsets: none. {inspection.unsplit}")
    return [*lines, *(f"doubtful: {line}" for line in inspection.doubts)]


def _sizes(subsets: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {subset}" for subset, count in subsets.items())


def _origin(inspection: Inspection) -> str:
    """Return what the data have besides images, masks and classes: names, a split of their own, colours."""
    split = (
        "no split of their own" if inspection.own_subsets is None else f"their split: {_sizes(inspection.own_subsets)}"
    )
    named = "with names" if inspection.named else "without names"
    return f"{named}; {split}; {'no colours' if inspection.class_colours is None else 'classes with colours'}"


def _values(values: Values) -> str:
    ends = [f"{100 * share:.1f} % are {end}" for end, share in ((0, values.zero), (255, values.full)) if share > 5e-4]
    return ", ".join([f"{values.lowest} to {values.highest}, mean {values.mean:.1f}", *ends])


def findings(inspection: Inspection) -> list[Finding]:
    """Return a row for each thing that was searched for, also for those with no items."""
    masks = inspection.masks
    flat = inspection.values.flat
    rows = [
        Finding(
            "aliens",
            _total(inspection.aliens),
            f"{_groups(inspection.aliens)} with one mask of two or more labelled classes, on different images",
            inspection.aliens,
        ),
        Finding(
            "other identical masks",
            _total(inspection.identical_masks),
            f"{_groups(inspection.identical_masks)} with one mask of a single labelled class, or copied with the image",
            inspection.identical_masks,
        ),
        Finding(
            "identical images",
            _total(inspection.identical_images),
            f"{_groups(inspection.identical_images)}, identical byte by byte",
            inspection.identical_images,
        ),
        Finding(
            "nearly identical images",
            _total(inspection.near_images),
            f"{_groups(inspection.near_images)}: difference hashes differ in at most {HASH_BITS} of 256 bits, "
            f"correlation at least {CORRELATION:g}",
            inspection.near_images,
        ),
    ]
    if inspection.unlabelled:
        across = [items for items, _ in inspection.also_unlabelled]
        rows += [
            Finding(
                "also without labels",
                sum(map(len, across)),
                "labelled images that are nearly identical to an unlabelled one",
                tuple(across),
            ),
            Finding(
                "copies without labels",
                _total(inspection.unlabelled_copies),
                f"{_groups(inspection.unlabelled_copies)} of nearly identical unlabelled images (numbered separately)",
                inspection.unlabelled_copies,
                labelled=False,
            ),
        ]
    void = f"{masks.void_pixels:,} pixels of 255, {100 * masks.void_share:.2f} % of all: ignored by losses and metrics"
    rows += [
        _of_items("void", masks.void, void if masks.void else "no pixel is 255"),
        _of_items("flat images", flat, "all pixels have the same value"),
        _of_items("empty masks", masks.empty, "no labelled pixel"),
        _of_items("masks of one class", masks.single, "all labelled pixels are of one class"),
        _of_items("uniform masks", masks.uniform, "all pixels are labelled as one class"),
        _of_items(
            "label rims",
            masks.rims,
            f"{masks.rim_pixels:,} single pixels between two labels, with an id in between: a sign of interpolation",
        ),
        _of_items(
            "label gaps",
            masks.gaps,
            f"{masks.gap_pixels:,} single pixels between two labels, with another id: a sign of drawn polygons",
        ),
    ]
    for edge, items in masks.strips.items():
        width = masks.strip_widths[edge]
        usual = f"; usually {width:g}" if width is not None else ""
        detail = f"1 to {WIDEST_STRIP} unlabelled pixels along the edge{usual}"
        rows.append(_of_items(f"strips, {edge}", items, detail))
    if inspection.subsets is not None:
        kinds = dict.fromkeys(leak.kind for leak in inspection.leaks)
        for kind in kinds:
            leaks = [leak.items for leak in inspection.leaks if leak.kind == kind]
            rows.append(Finding(f"leak: {kind}", len(leaks), "groups with items in several subsets", tuple(leaks)))
        if not kinds:
            rows.append(Finding("leaks", 0, "no related items are in different subsets"))
    return rows


def _of_items(name: str, items: ItemGroup, detail: str) -> Finding:
    return Finding(name, len(items), detail, (items,) if items else ())


def _total(groups: Sequence[ItemGroup]) -> int:
    return sum(map(len, groups))


def _groups(groups: Sequence[ItemGroup]) -> str:
    return counted(len(groups), "group")
