"""Write the inspection of a data set as one HTML file, with the pictures inside and without scripts and links."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from ..errors import counted
from .colours import class_colours, hex_code, paint
from .page import HERE, render_template
from .panels import brightened, stretched, striped

_MAX_PICTURES: Final = 6  # in a row
_MAX_GROUPS: Final = 4  # in a section
_MAX_LISTED: Final = 60  # numbers of items in a text
_MAX_SIDE: Final = 256  # of a picture, in pixels
_FEW_PIXELS: Final = 20  # less than this are drawn larger, to be visible
_MARK: Final = (230, 0, 170)
_MARK_NAME: Final = "magenta"


@dataclass(frozen=True)
class Figure:
    """Pictures side by side, as the bytes of PNG files, with a caption."""

    images: Sequence[bytes]
    caption: str


@dataclass(frozen=True)
class Section:
    """A section of the page: the pictures of one finding.

    Attributes:
        heading: The heading.
        count: The number of items with this finding.
        items: The names of these items, or their numbers if they have none, as text.
        rows: The rows of pictures.
        grouped: Whether each row is a group of items that belong together.
    """

    heading: str
    count: int
    items: str
    rows: Sequence[Sequence[Figure]]
    grouped: bool


def inspection_page(inspection: Inspection, data: SegmentationData, unlabelled: np.ndarray | None) -> str:
    """Return the page as HTML text. All texts are escaped, so HTML in them is shown literally.

    `inspection` is that of `data`, and `unlabelled` has the images without labels (M, H, W, C) uint8, if there are any.
    """
    pictures = _Pictures(data)
    return render_template(
        HERE,
        "inspection.html",
        title=f"Inspection of {inspection.source}",
        summary=summary(inspection),
        classes=_classes(inspection, pictures),
        findings=findings(inspection),
        mark=_MARK_NAME,
        numbered=data.names is None,
        sections=list(_sections(inspection, pictures, unlabelled)),
    )


class _Pictures:
    """Make figures of the images and masks of a data set."""

    def __init__(self, data: SegmentationData) -> None:
        self._data = data
        self.name = data.name
        self.colours = class_colours(data.class_names, data.ignore_classes, data.class_colours)

    def image(self, item: int, caption: str) -> Figure:
        return _figure([_thumbnail(self._data.images[item])], caption)

    def item(self, item: int, caption: str, marked: np.ndarray | None = None) -> Figure:
        """Return image and mask side by side, with the `marked` pixels (H, W) of the mask in magenta."""
        return _figure([_thumbnail(self._data.images[item]), self._mask(item, marked)], caption)

    def mask(self, item: int, caption: str) -> Figure:
        return _figure([self._mask(item, None)], caption)

    def rims(self, item: int, *, between: bool) -> Figure:
        where = rims(self._data.masks[item][None])[0 if between else 1][0]
        count = int(where.sum())
        visible = ndimage.binary_dilation(where, np.ones((3, 3))) if count < _FEW_PIXELS else where
        return self.item(item, f"{self.name(item)}: {counted(count, 'pixel')}", visible)

    def strips(self, item: int, edges: Iterable[str]) -> Figure:
        where = spurious_margin(self._data.masks[item][None], self._data.ignore_classes, WIDEST_STRIP)[0]
        return self.item(item, f"{self.name(item)}: {', '.join(edges)}", where)

    def typical(self, index: int) -> Figure:
        """Return the item with the most pixels of a class."""
        item = int(self._data.label_counts[:, index].argmax())
        return self.item(item, self.name(item))

    def _mask(self, item: int, marked: np.ndarray | None) -> np.ndarray:
        mask = np.asarray(self._data.masks[item])
        size = _size(mask.shape, up=True)
        ids = stretched(mask, size)
        picture = striped(paint(ids, self.colours), without_label(ids, self._data.ignore_classes))
        if marked is not None:
            picture[stretched(marked, size)] = _MARK
        return picture


def _thumbnail(image: np.ndarray) -> np.ndarray:
    size = _size(image.shape[:2], up=False)
    picture = Image.fromarray(brightened(np.asarray(image)))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX))


def _size(shape: Sequence[int], *, up: bool) -> tuple[int, int]:
    """Return height and width so that the longer side has at most _MAX_SIDE pixels.

    A smaller picture is enlarged to this size only if `up` is True.
    """
    scale = _MAX_SIDE / max(shape)
    if scale > 1 and not up:
        scale = 1
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _figure(pictures: Sequence[np.ndarray], caption: str) -> Figure:
    return Figure([_png(picture) for picture in pictures], caption)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _classes(inspection: Inspection, pictures: _Pictures) -> list[dict[str, Any]]:
    """Return the rows of the table of classes: facts, colour, length of the bar in percent, an example or None."""
    largest = max(each.share for each in inspection.classes) or 1
    return [
        {
            "facts": each,
            "colour": hex_code(pictures.colours[index]),
            "bar": 100 * each.share / largest,
            "example": pictures.typical(index) if each.pixels else None,
        }
        for index, each in enumerate(inspection.classes)
    ]


def _sections(inspection: Inspection, pictures: _Pictures, unlabelled: np.ndarray | None) -> Iterator[Section]:
    """Yield a section for each finding."""
    masks = inspection.masks
    if inspection.aliens:
        rows = [
            [pictures.mask(group[0], f"the mask of {len(group)} items")]
            + [pictures.image(item, pictures.name(item)) for item in group[: _MAX_PICTURES - 1]]
            for group in inspection.aliens[:_MAX_GROUPS]
        ]
        yield _section("Aliens: one mask, many images", inspection.aliens, inspection.names, rows, grouped=True)
    if inspection.near_images:
        rows = [
            [pictures.item(item, pictures.name(item)) for item in group[:_MAX_PICTURES]]
            for group in inspection.near_images[:_MAX_GROUPS]
        ]
        yield _section(
            "Nearly identical images, and their masks", inspection.near_images, inspection.names, rows, grouped=True
        )
    if inspection.also_unlabelled and unlabelled is not None:
        rows = [
            [
                pictures.item(labelled[0], pictures.name(labelled[0])),
                _figure([_thumbnail(unlabelled[copies[0]])], f"{copies[0]}, without labels"),
            ]
            for labelled, copies in inspection.also_unlabelled[:_MAX_GROUPS]
        ]
        groups = [labelled for labelled, _ in inspection.also_unlabelled]
        yield _section("Labelled, and without labels too", groups, inspection.names, rows, grouped=True)
    for leak in inspection.leaks[:_MAX_GROUPS]:
        where = ", ".join(f"{len(items)} in {subset}" for subset, items in leak.subsets.items())
        each = [
            pictures.item(item, f"{pictures.name(item)}, {subset}")
            for subset, items in leak.subsets.items()
            for item in items[:2]
        ]
        yield _section(f"Leak, {leak.kind}: {where}", [leak.items], inspection.names, [each], grouped=True)
    for heading, items in (
        ("Flat images", inspection.values.flat),
        ("Nothing labelled", masks.empty),
        ("One class in the whole image", masks.uniform),
    ):
        if items:
            yield _section(
                heading,
                [items],
                inspection.names,
                [[pictures.item(item, pictures.name(item)) for item in _spread(items)]],
            )
    for heading, items, between in (("Label rims", masks.rims, True), ("Label gaps", masks.gaps, False)):
        if items:
            worst = [pictures.rims(item, between=between) for item in items[:_MAX_PICTURES]]
            yield _section(f"{heading}: the items with the most", [items], inspection.names, [worst])
    edges = {edge: set(masks.strips[edge]) for edge in EDGES}
    if with_strips := sorted(set().union(*edges.values())):
        row = [pictures.strips(item, [edge for edge in EDGES if item in edges[edge]]) for item in _spread(with_strips)]
        yield _section("Strips without labels along the edges", [tuple(with_strips)], inspection.names, [row])


def _section(
    heading: str,
    groups: Sequence[ItemGroup],
    names: Mapping[int, str],
    rows: Sequence[Sequence[Figure]],
    *,
    grouped: bool = False,
) -> Section:
    return Section(heading, sum(map(len, groups)), listed(groups, _MAX_LISTED, names), rows, grouped)


def _spread(items: Sequence[int]) -> list[int]:
    """Return at most _MAX_PICTURES of the items, evenly spread."""
    if len(items) <= _MAX_PICTURES:
        return list(items)
    return [items[index * len(items) // _MAX_PICTURES] for index in range(_MAX_PICTURES)]
