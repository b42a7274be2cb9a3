"""What readers refuse unless they are told otherwise."""

from __future__ import annotations

from typing import Final

# Pixels of one image. Decoded they take 1 to 4 bytes each, however small the file is.
PIXEL_LIMIT: Final = 100_000_000
