"""Read text files that people edit."""

from __future__ import annotations

from pathlib import Path

from .regular import check_regular


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, without the byte-order mark that some editors put at its beginning.

    Args:
        path: the file

    Returns:
        The text.

    Raises:
        OSError: if the file cannot be read, or is a named pipe, a socket or a device
        UnicodeDecodeError: if it has another encoding
    """
    check_regular(path)
    return path.read_text(encoding="utf-8-sig")
