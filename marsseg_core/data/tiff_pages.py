"""Read the list of images in a TIFF file, without their pixels, and recognise image pyramids.

Pillow counts the images of a file one by one, each with all of its tags, which takes minutes for a file of 100,000.
Here, reading stops after a few.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final

# Tags, and the types of whole numbers with the code that `struct` has for them.
_SUBFILE: Final = 254
_WIDTH: Final = 256
_HEIGHT: Final = 257
_TILE_WIDTH: Final = 322
_NUMBERS: Final = {3: "H", 4: "I", 16: "Q"}

# NewSubfileType is a set of bits. The lowest means a reduced copy of another image, the others something else: a page
# of a document, or a transparency mask.
_REDUCED: Final = 1

# No TIFF file needs more tags for an image: classic ones cannot have more.
_MOST_TAGS: Final = 65_535


@dataclass(frozen=True)
class Page:
    """Hold what the header of an image in a TIFF file says: its size, and whether it is a reduced copy, or tiled."""

    width: int
    height: int
    reduced: bool
    tiled: bool


def read_pages(file: BinaryIO, most: int) -> list[Page]:
    """Return the first images of a TIFF or BigTIFF file, `most` at the utmost.

    Raises ValueError or struct.error if the file is damaged.
    """
    file.seek(0)
    start = file.read(8)
    order = "<" if start.startswith(b"II") else ">"
    big = struct.unpack(f"{order}H", start[2:4])[0] == 43
    (place,) = struct.unpack(f"{order}Q", file.read(8)) if big else struct.unpack(f"{order}I", start[4:])
    pages: list[Page] = []
    while place and len(pages) < most:
        file.seek(place)
        page, place = _read_page(file, order, big)
        pages.append(page)
    return pages


def _read_page(file: BinaryIO, order: str, big: bool) -> tuple[Page, int]:
    """Return the image whose header begins here, and the place of the next one's header (0: there is none)."""
    (count,) = struct.unpack(f"{order}Q", file.read(8)) if big else struct.unpack(f"{order}H", file.read(2))
    if count > _MOST_TAGS:
        raise ValueError(f"an image cannot have {count:,} tags")
    length, value = (20, 12) if big else (12, 8)
    content = file.read(count * length)
    tags: dict[int, int] = {}
    for begin in range(0, count * length, length):
        tag, kind = struct.unpack(f"{order}HH", content[begin : begin + 4])
        if tag in (_SUBFILE, _WIDTH, _HEIGHT, _TILE_WIDTH) and kind in _NUMBERS:
            (tags[tag],) = struct.unpack_from(order + _NUMBERS[kind], content, begin + value)
    link = file.read(8 if big else 4)
    (following,) = struct.unpack(f"{order}{'Q' if big else 'I'}", link) if link else (0,)  # some files end before it
    page = Page(tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), tags.get(_SUBFILE, 0) == _REDUCED, _TILE_WIDTH in tags)
    return page, following


def is_pyramid(pages: Sequence[Page]) -> bool:
    """Return whether all images after the first are smaller copies of it, for display at a lower resolution.

    They are if their tags say so. Where none says so, all must be tiled, as in files for fast display, and each must be
    smaller than the one before and have the same ratio of width to height.
    """
    first, *others = pages
    if first.reduced or any(page.width > first.width or page.height > first.height for page in others):
        return False
    if all(page.reduced for page in others):
        return True
    tiled = all(page.tiled and not page.reduced for page in pages)
    smaller = all(page.width < before.width and page.height < before.height for before, page in pairwise(pages))
    return tiled and smaller and all(_same_ratio(first, page) for page in others)


def _same_ratio(first: Page, page: Page) -> bool:
    """Compare the ratios of width and height; each side of a reduced copy may be rounded by a pixel."""
    return abs(page.width * first.height - page.height * first.width) <= first.width + first.height
