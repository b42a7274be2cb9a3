"""What readers refuse unless they are told otherwise."""

from __future__ import annotations

from typing import Final

PIXEL_LIMIT: Final = 100_000_000
"""Limit the pixels of one image. Decoded they take 1 to 4 bytes each, however small the file is."""
