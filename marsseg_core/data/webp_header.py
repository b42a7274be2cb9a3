"""Read the header of a WebP file: Pillow's decoder takes memory for the whole image before it says its size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

# A file with one image has less than ten chunks: the image, its alpha channel, and metadata.
_MOST_CHUNKS: Final = 100
_ANIMATION: Final = 0x02


@dataclass(frozen=True)
class WebPHeader:
    """Hold what the header of a WebP file says: the size in pixels, and how the image is stored."""

    width: int
    height: int
    lossless: bool
    animated: bool


def read_webp_header(file: BinaryIO) -> WebPHeader:
    """Read the header of an open WebP file. Raises ValueError or struct.error if the file is damaged."""
    file.seek(12)  # after "RIFF", the length and "WEBP"
    size, animated = None, False
    for _ in range(_MOST_CHUNKS):
        name, length = struct.unpack("<4sI", file.read(8))
        start = file.read(min(length, 10))
        if name == b"VP8X":
            size = _three_bytes(start[4:7]) + 1, _three_bytes(start[7:10]) + 1
            animated = bool(start[0] & _ANIMATION)
        elif name == b"VP8L":
            (bits,) = struct.unpack("<I", start[1:5])
            width, height = size or ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
            return WebPHeader(width, height, True, animated)
        elif name == b"VP8 ":
            columns, rows = struct.unpack("<HH", start[6:10])
            width, height = size or (columns & 0x3FFF, rows & 0x3FFF)
            return WebPHeader(width, height, False, animated)
        elif name == b"ANMF" and size is not None:
            return WebPHeader(*size, False, True)
        file.seek(length - len(start) + length % 2, 1)  # chunks begin at even places
    raise ValueError(f"it has no image in its first {_MOST_CHUNKS} parts")


def _three_bytes(content: bytes) -> int:
    return struct.unpack("<I", content + b"\0")[0]  # type: ignore[no-any-return]
