"""Inspect a data set: its values and classes, duplicates, suspicious masks, and leaks between subsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np

from ..errors import RequestError
from ..files.waiting import waiting
from .arrays import SegmentationData
from .chunks import chunks
from .doubts import doubts
from .duplicates import Copies, identical_groups, image_copies, mask_groups
from .groups import ItemGroup
from .labels import rims, strip_widths
from .split import Split
from .split_options import SplitOptions
from .splits import make_split
from .statistics import balanced_weights
from .subsets import SUBSETS

WEIGHT_CAP: Final = 10.0
WIDEST_STRIP: Final = 8
EDGES: Final = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class Values:
    """Describe the grey or colour values of images.

    Attributes:
        lowest: the lowest value
        highest: the highest value
        mean: the mean of all values
        zero: the share of values that are 0
        full: the share of values that are 255
        flat: the items whose pixels all have the same value
    """

    lowest: int
    highest: int
    mean: float
    zero: float
    full: float
    flat: ItemGroup


@dataclass(frozen=True)
class ClassFacts:
    """Describe one class.

    The weights are n / (K · n_c), at most WEIGHT_CAP, for n pixels, K classes and n_c pixels of the class. They are
    None for an ignored class and for a class without pixels.

    Attributes:
        name: the name of the class
        ignored: whether the class is one of `ignore_classes`
        pixels: the number of its pixels
        share: its share of all pixels that are not void
        images: the number of images that contain it
        weight: the weight with n and K over all classes
        weight_labelled: the weight with n and K over the classes that are not ignored
    """

    name: str
    ignored: bool
    pixels: int
    share: float
    images: int
    weight: float | None
    weight_labelled: float | None


@dataclass(frozen=True)
class MaskFacts:
    """Describe the masks, and what is suspicious in them.

    A labelled pixel has a class that is not ignored. Fields of the type `ItemGroup` hold items.

    Attributes:
        void: the items with void pixels (255), those with the most first
        void_pixels: the number of void pixels
        void_share: their share of all pixels
        empty: the items without a labelled pixel
        single: the items whose labelled pixels are all of one class
        uniform: the items with all pixels labelled as one class
        rims: the items with single pixels between two labels whose id is in between, those with the most first
        rim_pixels: the number of these pixels
        gaps: the items with single pixels between two labels whose id is not in between, those with the most first
        gap_pixels: the number of these pixels
        strips: the items with an unlabelled strip along an edge, by edge
        strip_widths: the median width of these strips, by edge; None where there are none
    """

    void: ItemGroup
    void_pixels: int
    void_share: float
    empty: ItemGroup
    single: ItemGroup
    uniform: ItemGroup
    rims: ItemGroup
    rim_pixels: int
    gaps: ItemGroup
    gap_pixels: int
    strips: dict[str, ItemGroup]
    strip_widths: dict[str, float | None]


@dataclass(frozen=True)
class Leak:
    """Hold related items that are in different subsets: what relates them (`kind`), and the items by subset."""

    kind: str
    subsets: dict[str, ItemGroup]

    @property
    def items(self) -> ItemGroup:
        """Return the items of all subsets, sorted."""
        return tuple(sorted(item for group in self.subsets.values() for item in group))


@dataclass(frozen=True)
class Inspection:
    """Hold the results of an inspection.

    Items are numbered from 0 in the order in which they were read. Unlabelled images are numbered separately.

    Attributes:
        source: the name of the data set
        fingerprint: the hash of its arrays
        images: the number of labelled images
        unlabelled: the number of unlabelled images
        size: height, width and channels of the labelled images
        groups: the number of groups; None without groups
        scaling: how the values of the source became 0…255; None where they were not changed
        values: the values of the labelled images
        unlabelled_values: those of the unlabelled images; None without any
        classes: the classes, in the order of their ids
        masks: the masks
        aliens: groups of items with one mask on different images (see `mask_groups`)
        identical_masks: the other groups of items with one mask
        identical_images: groups of identical images
        near_images: groups of nearly identical images, including identical ones
        also_unlabelled: groups of labelled images and of the unlabelled images that are nearly identical to them
        unlabelled_copies: groups of nearly identical unlabelled images
        subsets: the size of each subset of a run; None where the data cannot be split
        leaks: related items in different subsets
        unsplit: why the data cannot be split; None where it can
        doubts: warnings about the labels
        named: whether the items have names
        own_subsets: the size of each subset that the data come with; None where they come with no split
        class_colours: the red, green and blue of each class; None without colours
        split_origin: who decided on the subsets: "drawn", "given" (the data) or "file"; None where there are none
        split_remarks: what the user should know about how the subsets were made
        subset_groups: the number of groups in each subset; None without groups or subsets
        names: the name of each labelled item that a field lists, by its number; empty if the items have no names
    """

    source: str
    fingerprint: str
    images: int
    unlabelled: int
    size: tuple[int, int, int]
    groups: int | None
    scaling: str | None
    values: Values
    unlabelled_values: Values | None
    classes: tuple[ClassFacts, ...]
    masks: MaskFacts
    aliens: tuple[ItemGroup, ...]
    identical_masks: tuple[ItemGroup, ...]
    identical_images: tuple[ItemGroup, ...]
    near_images: tuple[ItemGroup, ...]
    also_unlabelled: tuple[tuple[ItemGroup, ItemGroup], ...]
    unlabelled_copies: tuple[ItemGroup, ...]
    subsets: dict[str, int] | None
    leaks: tuple[Leak, ...]
    unsplit: str | None
    doubts: tuple[str, ...]
    named: bool
    own_subsets: dict[str, int] | None
    class_colours: tuple[tuple[int, int, int], ...] | None
    split_origin: str | None
    split_remarks: tuple[str, ...]
    subset_groups: dict[str, int] | None
    names: Mapping[int, str] = field(default_factory=dict)

    def items(self) -> set[int]:
        """Return the labelled items that a field lists."""
        masks = self.masks
        groups: Iterable[ItemGroup] = (
            *(self.values.flat, masks.void, masks.empty, masks.single, masks.uniform, masks.rims, masks.gaps),
            *(*masks.strips.values(), *self.aliens, *self.identical_masks, *self.identical_images, *self.near_images),
            *(labelled for labelled, _ in self.also_unlabelled),
            *(leak.items for leak in self.leaks),
        )
        return {item for group in groups for item in group}

    def to_json(self) -> dict[str, Any]:
        """Return all fields as a dictionary."""
        return asdict(self)


@waiting("Inspecting the data")
def inspect(data: SegmentationData, unlabelled: np.ndarray | None, split: SplitOptions) -> Inspection:
    """Inspect all images and masks, and the subsets that a run with the options `split` would use.

    `unlabelled` holds the images (M, H, W, C) of the data set that have no masks, or is None. They are compared with
    the labelled images if they have the same size. Raises RequestError if `split` names a file that cannot be used.
    """
    stacks = [data.images]
    if unlabelled is not None and unlabelled.shape[1:] == data.images.shape[1:]:
        stacks.append(unlabelled)
    copies = image_copies(*stacks)
    labelled_copies, across, unlabelled_copies = _separate_copies(copies, len(data))
    aliens, other_masks = mask_groups(data)
    made_split, unsplit = _split_or_reason(data, split)
    subsets, leaks = _leaks(data, made_split, labelled_copies, aliens)
    inspection = Inspection(
        source=data.source,
        fingerprint=data.fingerprint(),
        images=len(data),
        unlabelled=0 if unlabelled is None else len(unlabelled),
        size=(data.images.shape[1], data.images.shape[2], data.images.shape[3]),
        groups=None if data.groups is None else len(np.unique(data.groups)),
        scaling=None if data.scaling is None else str(data.scaling),
        values=_values(data.images),
        unlabelled_values=None if unlabelled is None else _values(unlabelled),
        classes=_classes(data),
        masks=_masks(data),
        aliens=aliens,
        identical_masks=other_masks,
        identical_images=labelled_copies.identical,
        near_images=labelled_copies.near,
        also_unlabelled=across,
        unlabelled_copies=unlabelled_copies,
        subsets=subsets,
        leaks=leaks,
        unsplit=unsplit,
        doubts=tuple(doubts(data, made_split)),
        named=data.names is not None,
        own_subsets=None if data.split is None else _sizes(data.split),
        class_colours=data.class_colours,
        split_origin=None if made_split is None else made_split.origin,
        split_remarks=() if made_split is None else (*made_split.remarks, *made_split.notes),
        subset_groups=None if made_split is None else _subset_groups(data, made_split),
    )
    if data.names is None:
        return inspection
    return replace(inspection, names={item: data.name(item) for item in sorted(inspection.items())})


def _sizes(split: Split) -> dict[str, int]:
    return {subset: len(split[subset]) for subset in SUBSETS}


def _subset_groups(data: SegmentationData, split: Split) -> dict[str, int] | None:
    groups = data.groups
    return None if groups is None else {subset: len(np.unique(groups[split[subset]])) for subset in SUBSETS}


def _values(images: np.ndarray) -> Values:
    counts = np.zeros(256, np.int64)
    flat: list[int] = []
    for start, chunk in chunks(images):
        for image in chunk:  # one at a time: bincount turns its input into 8-byte integers
            counts += np.bincount(image.ravel(), minlength=256)
        spread = np.ptp(chunk, axis=tuple(range(1, chunk.ndim)))
        flat += (start + np.flatnonzero(spread == 0)).tolist()
    present, total = np.flatnonzero(counts), counts.sum()
    return Values(
        lowest=int(present[0]),
        highest=int(present[-1]),
        mean=float(counts @ np.arange(256) / total),
        zero=float(counts[0] / total),
        full=float(counts[255] / total),
        flat=tuple(flat),
    )


def _masks(data: SegmentationData) -> MaskFacts:
    counts = data.label_counts[:, list(data.labelled_classes)]
    per_chunk: dict[str, list[np.ndarray]] = {"rims": [], "gaps": [], "strips": []}
    for _, chunk in chunks(data.masks):
        for name, pixels in zip(("rims", "gaps"), rims(chunk), strict=True):
            per_chunk[name].append(pixels.sum(axis=(1, 2)))
        per_chunk["strips"].append(strip_widths(chunk, data.ignore_classes, WIDEST_STRIP))
    rim, gap, strips = (np.concatenate(per_chunk[name]) for name in ("rims", "gaps", "strips"))
    by_edge = dict(zip(EDGES, strips.T, strict=True))
    return MaskFacts(
        void=_most_first(data.label_counts[:, -1]),
        void_pixels=int(data.label_counts[:, -1].sum(dtype=np.int64)),
        void_share=float(data.label_counts[:, -1].sum(dtype=np.int64) / data.masks.size),
        empty=_items(np.equal(counts.max(axis=1), 0)),
        single=_items((counts > 0).sum(axis=1) == 1),
        uniform=_items(np.equal(counts.max(axis=1), data.masks[0].size)),
        rims=_most_first(rim),
        rim_pixels=int(rim.sum()),
        gaps=_most_first(gap),
        gap_pixels=int(gap.sum()),
        strips={edge: _items(widths) for edge, widths in by_edge.items()},
        strip_widths={e: float(np.median(w[w > 0])) if w.any() else None for e, w in by_edge.items()},
    )


def _classes(data: SegmentationData) -> tuple[ClassFacts, ...]:
    pixels = data.label_counts.sum(axis=0, dtype=np.int64)[:-1]
    images = (data.label_counts > 0).sum(axis=0)
    weights_all = balanced_weights(pixels, range(data.num_classes))
    weights_labelled = balanced_weights(pixels, data.labelled_classes)

    def weight(weights: np.ndarray, index: int) -> float | None:
        has_weight = index in data.labelled_classes and pixels[index]
        return min(float(weights[index]), WEIGHT_CAP) if has_weight else None

    return tuple(
        ClassFacts(
            name=name,
            ignored=index in data.ignore_classes,
            pixels=int(pixels[index]),
            share=float(pixels[index] / max(pixels.sum(), 1)),
            images=int(images[index]),
            weight=weight(weights_all, index),
            weight_labelled=weight(weights_labelled, index),
        )
        for index, name in enumerate(data.class_names)
    )


def _separate_copies(
    copies: Copies, count: int
) -> tuple[Copies, tuple[tuple[ItemGroup, ItemGroup], ...], tuple[ItemGroup, ...]]:
    """Separate copies among `count` labelled images, followed by unlabelled ones, into three kinds of groups.

    Returns the copies among labelled images, pairs (labelled, unlabelled) of nearly identical images, and groups of
    nearly identical images that are all unlabelled.
    """

    def labelled_only(groups: Sequence[ItemGroup]) -> tuple[ItemGroup, ...]:
        members = (tuple(item for item in group if item < count) for group in groups)
        return tuple(group for group in members if len(group) > 1)

    across, unlabelled = [], []
    for group in copies.near:
        labelled = tuple(item for item in group if item < count)
        others = tuple(item - count for item in group if item >= count)
        if labelled and others:
            across.append((labelled, others))
        elif others:
            unlabelled.append(others)
    labelled_copies = Copies(labelled_only(copies.identical), labelled_only(copies.near))
    return labelled_copies, tuple(across), tuple(unlabelled)


def _split_or_reason(data: SegmentationData, options: SplitOptions) -> tuple[Split | None, str | None]:
    """Return the split of a run and None, or None and the reason why the data cannot be split.

    Raises RequestError for a file that cannot be used: this is no fault of the data.
    """
    if options.from_file:
        return make_split(data, options), None
    try:
        return make_split(data, options), None
    except RequestError as error:
        return None, error.what


def _leaks(
    data: SegmentationData, split: Split | None, copies: Copies, aliens: Sequence[ItemGroup]
) -> tuple[dict[str, int] | None, tuple[Leak, ...]]:
    """Return the size of each subset and the leaks between them; None and no leaks without a split."""
    if split is None:
        return None, ()
    subset_of = split.numbers(len(data))
    groups: tuple[ItemGroup, ...] = ()
    if data.groups is not None:
        groups = identical_groups([group.tobytes() for group in data.groups])
    identical = set(copies.identical)
    related = [("nearly identical images", group) for group in copies.near if group not in identical]
    related += [("identical images", group) for group in copies.identical]
    related += [("one mask (aliens)", group) for group in aliens]
    related += [("one group", group) for group in groups]
    leaks = []
    for kind, items in related:
        by_subset = {subset: tuple(i for i in items if subset_of[i] == n) for n, subset in enumerate(SUBSETS)}
        occupied = {subset: members for subset, members in by_subset.items() if members}
        if len(occupied) > 1:
            leaks.append(Leak(kind, occupied))
    return _sizes(split), tuple(leaks)


def _items(flags: np.ndarray) -> ItemGroup:
    """Return the items at which `flags` (N,) are true or not 0."""
    return tuple(np.flatnonzero(flags).tolist())


def _most_first(counts: np.ndarray) -> ItemGroup:
    """Return the items whose `counts` (N,) are not 0, those with the highest counts first."""
    order = np.argsort(-counts, kind="stable")
    return tuple(order[: np.count_nonzero(counts)].tolist())
