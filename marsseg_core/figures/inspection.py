"""An inspection as one HTML file that needs nothing beside it: no script, no link, pictures inside."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from ..data.arrays import SegmentationData
from ..data.findings import findings, listed, summary
from ..data.groups import Group
from ..data.inspection import EDGES, WIDEST_STRIP, ClassFacts, Inspection
from ..data.labels import rims, spurious_margin, unlabelled as without_label
from .colours import class_colours, hex_code, paint
from .page import fill_page
from .panels import brightened, stretched, striped

# Pictures of each kind; and of one group.
_MOST: Final = 6
_MOST_GROUPS: Final = 4
_LISTED: Final = 60
_SIDE: Final = 256
_FEW: Final = 20
_MARK: Final = (230, 0, 170)
_MARK_NAME: Final = "magenta"


def inspection_page(found: Inspection, data: SegmentationData, unlabelled: np.ndarray | None) -> str:
    """The whole page as HTML text. All text is shown as it is, whatever it holds."""
    pictures = _Pictures(data)
    return fill_page(
        "marsseg_core.figures",
        "inspection.html",
        title=escape(f"Inspection of {found.source}"),
        summary="\n".join(f"<p>{escape(line)}</p>" for line in summary(found)),
        classes=_classes_table(found, pictures),
        findings=_findings_table(found),
        mark=_MARK_NAME,
        pictures="\n".join(_sections(found, pictures, unlabelled)) or "<p>Nothing to show.</p>",
    )


class _Pictures:
    """Images and masks of a data set as figures."""

    def __init__(self, data: SegmentationData) -> None:
        self._data = data
        self.colours = class_colours(data.num_classes, data.ignored)

    def image(self, item: int, caption: str) -> str:
        return _figure([_shown(self._data.images[item])], caption)

    def item(self, item: int, caption: str, marked: np.ndarray | None = None) -> str:
        """Image and mask, with the `marked` pixels (H, W) of the mask in a colour of their own."""
        return _figure([_shown(self._data.images[item]), self._mask(item, marked)], caption)

    def mask(self, item: int, caption: str) -> str:
        return _figure([self._mask(item, None)], caption)

    def rims(self, item: int, *, between: bool) -> str:
        where = rims(self._data.masks[item][None])[0 if between else 1][0]
        count = int(where.sum())
        # A few single pixels would not be seen.
        seen = ndimage.binary_dilation(where, np.ones((3, 3))) if count < _FEW else where
        return self.item(item, f"{item}: {count} pixels", seen)

    def strips(self, item: int, edges: Iterable[str]) -> str:
        where = spurious_margin(self._data.masks[item][None], self._data.ignored, WIDEST_STRIP)[0]
        return self.item(item, f"{item}: {', '.join(edges)}", where)

    def typical(self, index: int) -> str:
        """The item with the most pixels of a class."""
        item = int(self._data.label_counts[:, index].argmax())
        return self.item(item, str(item))

    def _mask(self, item: int, marked: np.ndarray | None) -> np.ndarray:
        mask = np.asarray(self._data.masks[item])
        size = _size(mask.shape, up=True)
        ids = stretched(mask, size)
        shown = striped(paint(ids, self.colours), without_label(ids, self._data.ignored))
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


def _figure(pictures: Sequence[np.ndarray], caption: str) -> str:
    shown = "".join(
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{_png(picture)}">' for picture in pictures
    )
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"


def _png(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return b64encode(file.getvalue()).decode("ascii")


def _classes_table(found: Inspection, pictures: _Pictures) -> str:
    largest = max(each.share for each in found.classes) or 1
    rows = []
    for index, each in enumerate(found.classes):
        colour = hex_code(pictures.colours[index])
        name = escape(each.name) + ("<small>ignored</small>" if each.ignored else "")
        bar = f'<span class="bar" style="background:{colour};width:{100 * each.share / largest:.1f}%"></span>'
        example = pictures.typical(index) if each.pixels else ""
        rows.append(
            f'<tr><th scope="row"><span class="swatch" style="background:{colour}"></span>{name}</th>'
            f"<td>{100 * each.share:.2f}&nbsp;%{bar}</td>"
            f'<td class="number">{each.pixels:,}</td><td class="number">{each.images:,}</td>'
            f'<td class="number">{_weight(each, every=True)}</td><td class="number">{_weight(each, every=False)}</td>'
            f"<td>{example}</td></tr>"
        )
    head = (
        '<th scope="col">class</th><th scope="col">share of the pixels</th><th class="number" scope="col">pixels</th>'
        '<th class="number" scope="col">images</th>'
        '<th class="number" scope="col">weight<small>over all classes</small></th>'
        '<th class="number" scope="col">weight<small>over those that count</small></th>'
        '<th scope="col">where there is most of it</th>'
    )
    return _table(head, rows)


def _weight(each: ClassFacts, *, every: bool) -> str:
    weight = each.weight if every else each.weight_labelled
    return "–" if weight is None else f"{weight:.3f}"


def _findings_table(found: Inspection) -> str:
    rows = []
    for each in findings(found):
        style = "found" if each.count else "none"
        rows.append(
            f'<tr class="{style}"><th scope="row">{escape(each.name)}</th><td class="number">{each.count:,}</td>'
            f"<td>{escape(each.detail)}</td></tr>"
        )
    return _table('<th scope="col">what</th><th class="number" scope="col">count</th><th scope="col"></th>', rows)


def _table(head: str, rows: Sequence[str]) -> str:
    body = "\n".join(rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _sections(found: Inspection, pictures: _Pictures, unlabelled: np.ndarray | None) -> Iterable[str]:
    """A heading and pictures for each thing that was found."""
    masks = found.masks
    if found.aliens:
        groups = [
            pictures.mask(group[0], f"the mask of {len(group)} items")
            + "".join(pictures.image(item, str(item)) for item in group[: _MOST - 1])
            for group in found.aliens[:_MOST_GROUPS]
        ]
        yield _section("Aliens: one mask, many images", found.aliens, _grouped(groups))
    if found.near_images:
        groups = [
            "".join(pictures.item(item, str(item)) for item in group[:_MOST])
            for group in found.near_images[:_MOST_GROUPS]
        ]
        yield _section("Nearly identical images, and their masks", found.near_images, _grouped(groups))
    if found.also_unlabelled and unlabelled is not None:
        groups = [
            pictures.item(own[0], str(own[0]))
            + _figure([_shown(unlabelled[others[0]])], f"{others[0]}, without labels")
            for own, others in found.also_unlabelled[:_MOST_GROUPS]
        ]
        yield _section("Labelled, and without labels too", [own for own, _ in found.also_unlabelled], _grouped(groups))
    for leak in found.leaks[:_MOST_GROUPS]:
        where = ", ".join(f"{len(items)} in {part}" for part, items in leak.parts.items())
        each = [pictures.item(item, f"{item}, {part}") for part, items in leak.parts.items() for item in items[:2]]
        yield _section(f"Leak, {leak.kind}: {where}", [leak.items], _grouped(["".join(each)]))
    for heading, items in (
        ("Flat images", found.values.flat),
        ("Nothing labelled", masks.empty),
        ("One class all over", masks.uniform),
    ):
        if items:
            yield _section(heading, [items], _row(pictures.item(item, str(item)) for item in _spread(items)))
    for heading, items, between in (("Label rims", masks.rims, True), ("Label gaps", masks.gaps, False)):
        if items:
            most = _row(pictures.rims(item, between=between) for item in items[:_MOST])
            yield _section(f"{heading}, where there are most", [items], most)
    edges = {edge: set(masks.strips[edge]) for edge in EDGES}
    if stripped := sorted(set().union(*edges.values())):
        shown = _row(
            pictures.strips(item, [edge for edge in EDGES if item in edges[edge]]) for item in _spread(stripped)
        )
        yield _section("Strips without labels along the edges", [tuple(stripped)], shown)


def _section(heading: str, groups: Sequence[Group], pictures: str) -> str:
    count = sum(map(len, groups))
    return (
        f"<h3>{escape(heading)} <small>{count:,} item{'' if count == 1 else 's'}</small></h3>\n{pictures}\n"
        f'<p class="muted">{escape(listed(groups, _LISTED))}</p>'
    )


def _grouped(groups: Iterable[str]) -> str:
    return "\n".join(f'<div class="group">{_row([group])}</div>' for group in groups)


def _row(figures: Iterable[str]) -> str:
    return f'<div class="pictures">{"".join(figures)}</div>'


def _spread(items: Sequence[int]) -> list[int]:
    """Some of the items, evenly spread."""
    if len(items) <= _MOST:
        return list(items)
    return [items[place * len(items) // _MOST] for place in range(_MOST)]
