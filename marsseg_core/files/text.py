"""Read and write text files in UTF-8, also where a text contains a file name that is not UTF-8."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from .regular import check_regular

# Python represents each byte of a file name that is not UTF-8 by a surrogate. UTF-8 and TOML have no surrogates, so
# that a file stores them as characters of the last block for private use, which no text uses otherwise.
_SURROGATES: Final = range(0xDC80, 0xDD00)
_STORED_FROM: Final = 0x10FF00
_STORED: Final = {code: code - 0xDC80 + _STORED_FROM for code in _SURROGATES}
_RESTORED: Final = {stored: code for code, stored in _STORED.items()}


def read_text(path: Path, *, newline: str | None = None) -> str:
    """Read a text file in UTF-8, without the byte-order mark that some editors put at its beginning.

    Args:
        path: the file
        newline: an empty text keeps the ends of lines as they are in the file; None changes each to a line feed

    Returns:
        The text.

    Raises:
        OSError: if the file cannot be read, or is a named pipe, a socket or a device
        UnicodeDecodeError: if it has another encoding
    """
    check_regular(path)
    return decode_text(path.read_bytes(), newline=newline)


def decode_text(content: bytes, *, newline: str | None = None) -> str:
    """Return the text of a file in UTF-8, as `read_text` does."""
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=newline).read().translate(_RESTORED)


def encode_text(text: str) -> bytes:
    """Return the content of a text file in UTF-8. `read_text` reads an equal text from it."""
    return text.translate(_STORED).encode()
