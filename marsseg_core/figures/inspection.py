"""An inspection as one HTML file that needs nothing beside it: no script, no link, pictures inside."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image
from scipy import ndimage

from ..data.arrays import SegmentationData
from ..data.findings import findings, listed, summary
from ..data.groups import ItemGroup
from ..data.inspection import EDGES, WIDEST_STRIP, Inspection
from ..data.labels import rims, spurious_margin, unlabelled as without_label
from .colours import class_colours, hex_code, paint
from .page import HERE, render_template
from .panels import brightened, stretched, striped

# Pictures of each kind; and of one group.
_MOST: Final = 6
_MOST_GROUPS: Final = 4
_LISTED: Final = 60
_SIDE: Final = 256
_FEW: Final = 20
_MARK: Final = (230, 0, 170)
_MARK_NAME: Final = "magenta"


@dataclass(frozen=True)
class Figure:
    """Pictures side by side, as the bytes of PNG files, and what they are."""

    images: Sequence[bytes]
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading and pictures of one thing that was found.

    `count` and `items` say in how many items it was and in which. In a `grouped` one, each row is a group of items.
    """

    heading: str
    count: int
    items: str
    rows: Sequence[Sequence[Figure]]
    grouped: bool


def inspection_page(found: Inspection, data: SegmentationData, unlabelled: np.ndarray | None) -> str:
    """The whole page as HTML text. All text is shown as it is, whatever it holds."""
    pictures = _Pictures(data)
    return render_template(
        HERE,
        "inspection.html",
        title=f"Inspection of {found.source}",
        summary=summary(found),
        classes=_classes(found, pictures),
        findings=findings(found),
        mark=_MARK_NAME,
        sections=list(_sections(found, pictures, unlabelled)),
    )


class _Pictures:
    """Images and masks of a data set as figures."""

    def __init__(self, data: SegmentationData) -> None:
        self._data = data
        self.colours = class_colours(data.num_classes, data.ignore_classes)

    def image(self, item: int, caption: str) -> Figure:
        return _figure([_shown(self._data.images[item])], caption)

    def item(self, item: int, caption: str, marked: np.ndarray | None = None) -> Figure:
        """Image and mask, with the `marked` pixels (H, W) of the mask in a colour of their own."""
        return _figure([_shown(self._data.images[item]), self._mask(item, marked)], caption)

    def mask(self, item: int, caption: str) -> Figure:
        return _figure([self._mask(item, None)], caption)

    def rims(self, item: int, *, between: bool) -> Figure:
        where = rims(self._data.masks[item][None])[0 if between else 1][0]
        count = int(where.sum())
        # A few single pixels would not be seen.
        seen = ndimage.binary_dilation(where, np.ones((3, 3))) if count < _FEW else where
        return self.item(item, f"{item}: {count} pixels", seen)

    def strips(self, item: int, edges: Iterable[str]) -> Figure:
        where = spurious_margin(self._data.masks[item][None], self._data.ignore_classes, WIDEST_STRIP)[0]
        return self.item(item, f"{item}: {', '.join(edges)}", where)

    def typical(self, index: int) -> Figure:
        """The item with the most pixels of a class."""
        item = int(self._data.label_counts[:, index].argmax())
        return self.item(item, str(item))

    def _mask(self, item: int, marked: np.ndarray | None) -> np.ndarray:
        mask = np.asarray(self._data.masks[item])
        size = _size(mask.shape, up=True)
        ids = stretched(mask, size)
        shown = striped(paint(ids, self.colours), without_label(ids, self._data.ignore_classes))
        if marked is not None:
            shown[stretched(marked, size)] = _MARK
        return shown


def _shown(image: np.ndarray) -> np.ndarray:
    size = _size(image.shape[:2], up=False)
    picture = Image.fromarray(brightened(np.asarray(image)))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX))


def _size(shape: Sequence[int], *, up: bool) -> tuple[int, int]:
    """Height and width with at most _SIDE pixels on the longer side; smaller pictures grow only if they go `up`."""
    scale = _SIDE / max(shape)
    if scale > 1 and not up:
        scale = 1
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _figure(pictures: Sequence[np.ndarray], caption: str) -> Figure:
    return Figure([_png(picture) for picture in pictures], caption)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _classes(found: Inspection, pictures: _Pictures) -> list[dict[str, Any]]:
    """The rows of the classes' table: facts, colour, length of the bar in percent, and an example or None."""
    largest = max(each.share for each in found.classes) or 1
    return [
        {
            "facts": each,
            "colour": hex_code(pictures.colours[index]),
            "bar": 100 * each.share / largest,
            "example": pictures.typical(index) if each.pixels else None,
        }
        for index, each in enumerate(found.classes)
    ]


def _sections(found: Inspection, pictures: _Pictures, unlabelled: np.ndarray | None) -> Iterator[Section]:
    """A section for each thing that was found."""
    masks = found.masks
    if found.aliens:
        rows = [
            [pictures.mask(group[0], f"the mask of {len(group)} items")]
            + [pictures.image(item, str(item)) for item in group[: _MOST - 1]]
            for group in found.aliens[:_MOST_GROUPS]
        ]
        yield _section("Aliens: one mask, many images", found.aliens, rows, grouped=True)
    if found.near_images:
        rows = [
            [pictures.item(item, str(item)) for item in group[:_MOST]] for group in found.near_images[:_MOST_GROUPS]
        ]
        yield _section("Nearly identical images, and their masks", found.near_images, rows, grouped=True)
    if found.also_unlabelled and unlabelled is not None:
        rows = [
            [
                pictures.item(own[0], str(own[0])),
                _figure([_shown(unlabelled[others[0]])], f"{others[0]}, without labels"),
            ]
            for own, others in found.also_unlabelled[:_MOST_GROUPS]
        ]
        owns = [own for own, _ in found.also_unlabelled]
        yield _section("Labelled, and without labels too", owns, rows, grouped=True)
    for leak in found.leaks[:_MOST_GROUPS]:
        where = ", ".join(f"{len(items)} in {subset}" for subset, items in leak.subsets.items())
        each = [
            pictures.item(item, f"{item}, {subset}") for subset, items in leak.subsets.items() for item in items[:2]
        ]
        yield _section(f"Leak, {leak.kind}: {where}", [leak.items], [each], grouped=True)
    for heading, items in (
        ("Flat images", found.values.flat),
        ("Nothing labelled", masks.empty),
        ("One class all over", masks.uniform),
    ):
        if items:
            yield _section(heading, [items], [[pictures.item(item, str(item)) for item in _spread(items)]])
    for heading, items, between in (("Label rims", masks.rims, True), ("Label gaps", masks.gaps, False)):
        if items:
            most = [pictures.rims(item, between=between) for item in items[:_MOST]]
            yield _section(f"{heading}, where there are most", [items], [most])
    edges = {edge: set(masks.strips[edge]) for edge in EDGES}
    if stripped := sorted(set().union(*edges.values())):
        shown = [pictures.strips(item, [edge for edge in EDGES if item in edges[edge]]) for item in _spread(stripped)]
        yield _section("Strips without labels along the edges", [tuple(stripped)], [shown])


def _section(
    heading: str, groups: Sequence[ItemGroup], rows: Sequence[Sequence[Figure]], *, grouped: bool = False
) -> Section:
    return Section(heading, sum(map(len, groups)), listed(groups, _LISTED), rows, grouped)


def _spread(items: Sequence[int]) -> list[int]:
    """Some of the items, evenly spread."""
    if len(items) <= _MOST:
        return list(items)
    return [items[place * len(items) // _MOST] for place in range(_MOST)]
