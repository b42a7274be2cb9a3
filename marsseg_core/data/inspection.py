"""What is in a data set, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .doubts import doubts
from .duplicates import Copies, identical_groups, image_copies, mask_groups
from .groups import ItemGroup
from .labels import rims, strip_widths
from .pieces import pieces
from .split_options import SplitOptions
from .splits import SUBSETS, Split, make_split
from .statistics import balanced_weights

WEIGHT_CAP: Final = 10.0
WIDEST_STRIP: Final = 8
EDGES: Final = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class Values:
    """Grey or colour values of images; `zero` and `full` are the shares of the values 0 and 255."""

    lowest: int
    highest: int
    mean: float
    zero: float
    full: float
    flat: ItemGroup


@dataclass(frozen=True)
class ClassFacts:
    """One class: its pixels, their share of all (void left out), and the images that hold it.

    The weights are n / (K · n_c), at most WEIGHT_CAP, with n and K over all classes, or over those that count alone;
    None for a class without pixels, or one that does not count.
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
    """What the masks hold, and what is doubtful in them. All but counts are items, or tuples of them.

    `empty` have nothing labelled, `single` one class that counts, `uniform` nothing but that. `rims` have pixels alone
    between two labels whose id is in between, `gaps` whose id is not; most pixels first. `strips` have a strip
    without labels along an edge: items and usual width for each of the four edges. `void` hold pixels of 255, most
    first; `void_share` is of all pixels.
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
    """Items that belong together and stand in different subsets; `subsets` has those of each."""

    kind: str
    subsets: dict[str, ItemGroup]

    @property
    def items(self) -> ItemGroup:
        return tuple(sorted(item for group in self.subsets.values() for item in group))


@dataclass(frozen=True)
class Inspection:
    """All that was found. Items are numbered from 0, as they were read; those of the unlabelled images likewise."""

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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def inspect(data: SegmentationData, unlabelled: np.ndarray | None, split: SplitOptions) -> Inspection:
    """Look at every image and mask, piece by piece, and at the subsets that a run with these options would make.

    `unlabelled` are the images (M, H, W, C) that come with the data without masks; their copies are looked for among
    the labelled ones where they are of the same size.
    """
    stacks = [data.images]
    if unlabelled is not None and unlabelled.shape[1:] == data.images.shape[1:]:
        stacks.append(unlabelled)
    copies = image_copies(*stacks)
    own, across, beyond = _sorted_out(copies, len(data))
    aliens, other_masks = mask_groups(data)
    split_options, unsplit = _split_or_reason(data, split)
    subsets, leaks = _leaks(data, split_options, own, aliens)
    return Inspection(
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
        identical_images=own.identical,
        near_images=own.near,
        also_unlabelled=across,
        unlabelled_copies=beyond,
        subsets=subsets,
        leaks=leaks,
        unsplit=unsplit,
        doubts=tuple(doubts(data, split_options)),
    )


def _values(images: np.ndarray) -> Values:
    counts = np.zeros(256, np.int64)
    flat: list[int] = []
    for start, block in pieces(images):
        for image in block:  # one at a time: bincount turns its input into 8-byte integers
            counts += np.bincount(image.ravel(), minlength=256)
        spread = np.ptp(block, axis=tuple(range(1, block.ndim)))
        flat += (start + np.flatnonzero(spread == 0)).tolist()
    seen, total = np.flatnonzero(counts), counts.sum()
    return Values(
        lowest=int(seen[0]),
        highest=int(seen[-1]),
        mean=float(counts @ np.arange(256) / total),
        zero=float(counts[0] / total),
        full=float(counts[255] / total),
        flat=tuple(flat),
    )


def _masks(data: SegmentationData) -> MaskFacts:
    held = data.label_counts[:, list(data.labelled_classes)]
    found: dict[str, list[np.ndarray]] = {"rims": [], "gaps": [], "strips": []}
    for _, block in pieces(data.masks):
        for name, each in zip(("rims", "gaps"), rims(block), strict=True):
            found[name].append(each.sum(axis=(1, 2)))
        found["strips"].append(strip_widths(block, data.ignore_classes, WIDEST_STRIP))
    rim, gap, strips = (np.concatenate(found[name]) for name in ("rims", "gaps", "strips"))
    by_edge = dict(zip(EDGES, strips.T, strict=True))
    return MaskFacts(
        void=_most_first(data.label_counts[:, -1]),
        void_pixels=int(data.label_counts[:, -1].sum(dtype=np.int64)),
        void_share=float(data.label_counts[:, -1].sum(dtype=np.int64) / data.masks.size),
        empty=_items(np.equal(held.max(axis=1), 0)),
        single=_items((held > 0).sum(axis=1) == 1),
        uniform=_items(np.equal(held.max(axis=1), data.masks[0].size)),
        rims=_most_first(rim),
        rim_pixels=int(rim.sum()),
        gaps=_most_first(gap),
        gap_pixels=int(gap.sum()),
        strips={edge: _items(widths) for edge, widths in by_edge.items()},
        strip_widths={e: float(np.median(w[w > 0])) if w.any() else None for e, w in by_edge.items()},
    )


def _classes(data: SegmentationData) -> tuple[ClassFacts, ...]:
    pixels = data.label_counts.sum(axis=0, dtype=np.int64)[:-1]
    holding = (data.label_counts > 0).sum(axis=0)
    every = balanced_weights(pixels, range(data.num_classes))
    labelled = balanced_weights(pixels, data.labelled_classes)

    def weight(weights: np.ndarray, index: int) -> float | None:
        counts = index in data.labelled_classes and pixels[index]
        return min(float(weights[index]), WEIGHT_CAP) if counts else None

    return tuple(
        ClassFacts(
            name=name,
            ignored=index in data.ignore_classes,
            pixels=int(pixels[index]),
            share=float(pixels[index] / max(pixels.sum(), 1)),
            images=int(holding[index]),
            weight=weight(every, index),
            weight_labelled=weight(labelled, index),
        )
        for index, name in enumerate(data.class_names)
    )


def _sorted_out(
    copies: Copies, count: int
) -> tuple[Copies, tuple[tuple[ItemGroup, ItemGroup], ...], tuple[ItemGroup, ...]]:
    """The copies among the labelled images; those that are unlabelled too; those among the unlabelled alone."""

    def within(groups: Sequence[ItemGroup]) -> tuple[ItemGroup, ...]:
        inside = (tuple(item for item in group if item < count) for group in groups)
        return tuple(group for group in inside if len(group) > 1)

    across, beyond = [], []
    for group in copies.near:
        labelled = tuple(item for item in group if item < count)
        others = tuple(item - count for item in group if item >= count)
        if labelled and others:
            across.append((labelled, others))
        elif others:
            beyond.append(others)
    return Copies(within(copies.identical), within(copies.near)), tuple(across), tuple(beyond)


def _split_or_reason(data: SegmentationData, options: SplitOptions) -> tuple[Split | None, str | None]:
    """The subsets of a run, or why there are none."""
    try:
        return make_split(data, options), None
    except RequestError as error:
        return None, error.what


def _leaks(
    data: SegmentationData, split: Split | None, copies: Copies, aliens: Sequence[ItemGroup]
) -> tuple[dict[str, int] | None, tuple[Leak, ...]]:
    """The sizes of the subsets, and what leaks between them; None and nothing where there are none."""
    if split is None:
        return None, ()
    subset_of = np.empty(len(data), int)
    for number, subset in enumerate(SUBSETS):
        subset_of[split[subset]] = number
    places: tuple[ItemGroup, ...] = ()
    if data.groups is not None:
        places = identical_groups([group.tobytes() for group in data.groups])
    suspects = [("nearly identical images", group) for group in copies.near if group not in copies.identical]
    suspects += [("identical images", group) for group in copies.identical]
    suspects += [("one mask (aliens)", group) for group in aliens]
    suspects += [("one group", group) for group in places]
    leaks = []
    for kind, items in suspects:
        by_subset = {subset: tuple(i for i in items if subset_of[i] == n) for n, subset in enumerate(SUBSETS)}
        apart = {subset: members for subset, members in by_subset.items() if members}
        if len(apart) > 1:
            leaks.append(Leak(kind, apart))
    return {subset: len(split[subset]) for subset in SUBSETS}, tuple(leaks)


def _items(found: np.ndarray) -> ItemGroup:
    """Where something was found in (N,)."""
    return tuple(np.flatnonzero(found).tolist())


def _most_first(found: np.ndarray) -> ItemGroup:
    """Where something was found in (N,), and how much: the items by that."""
    order = np.argsort(-found, kind="stable")
    return tuple(order[: np.count_nonzero(found)].tolist())
