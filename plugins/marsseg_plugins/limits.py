"""The largest sizes of networks: far beyond useful ones, but numbers that would build for hours are refused at once."""

from __future__ import annotations

from typing import Final

MOST_CHANNELS: Final = 16_384
MOST_HEADS: Final = 1_024
MOST_BLOCKS: Final = 100
MOST_LEVELS: Final = 16
MOST_PIXELS: Final = 1_024
MOST_WIDTH: Final = 64
