"""Define limits for files that are read, as a protection against harmful ones."""

from __future__ import annotations

from typing import Final

ITEM_LIMIT: Final = 10_000_000
"""Limit the number of items of a data set: each needs memory for its place in the split, however small it is."""

PIXEL_LIMIT: Final = 100_000_000
"""Limit the number of pixels of one image: even a small file can decode to gigabytes, at 1 to 4 bytes a value."""

SIDE_LIMIT: Final = 10_000
"""Limit the height and width of the images that a network is built for. Its square is the limit of pixels."""
