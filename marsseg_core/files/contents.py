"""Name what a file is by its first bytes, for errors about files that are not what their names say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .regular import open_regular

START_BYTES: Final = 1024
"""Give the number of bytes at the start of a file that `identify` needs."""

_UNPACK: Final = "Unpack it first, and pass the file or folder inside."
_CONVERT: Final = "Convert it to PNG or TIFF first."


@dataclass(frozen=True)
class Content:
    """Hold what a file is.

    Attributes:
        name: what it is, with its article
        hint: what to do next, or None
    """

    name: str
    hint: str | None = None


_LFS: Final = Content("a Git LFS pointer", "Fetch the file itself: git lfs pull.")
_ANNEX: Final = Content("a git-annex pointer", "Fetch the file itself: git annex get.")
_HTML: Final = Content(
    "an HTML page", "The server probably sent an error or a login page instead of the file: download it again."
)
_TAR: Final = Content("a tar archive", _UNPACK)

# By the first bytes. What marsseg itself reads somewhere is here too: it can stand under a wrong name.
_STARTS: Final = {
    b"version https://git-lfs": _LFS,
    b"/annex/objects/": _ANNEX,
    b"PK\x03\x04": Content("a zip archive", _UNPACK),
    b"PK\x05\x06": Content("an empty zip archive"),
    b"Rar!\x1a\x07": Content("a RAR archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": Content("a 7-Zip archive", _UNPACK),
    b"\x1f\x8b": Content("a gzip archive", _UNPACK),
    b"BZh": Content("a bzip2 archive", _UNPACK),
    b"\xfd7zXZ\x00": Content("an xz archive", _UNPACK),
    b"\x28\xb5\x2f\xfd": Content("a Zstandard archive", _UNPACK),
    b"%PDF-": Content("a PDF document"),
    b"\x89HDF\r\n\x1a\n": Content("an HDF5 file"),
    b"\x93NUMPY": Content("an array as .npy"),
    b"\x89PNG\r\n\x1a\n": Content("a PNG image"),
    b"\xff\xd8\xff": Content("a JPEG image"),
    b"GIF8": Content("a GIF image"),
    b"II*\x00": Content("a TIFF image"),
    b"MM\x00*": Content("a TIFF image"),
    b"\x00\x00\x00\x0cjP  ": Content("a JPEG 2000 image", _CONVERT),
    b"\xffO\xffQ": Content("a JPEG 2000 image", _CONVERT),
    b"\x00\x00\x00\x0cJXL ": Content("a JPEG XL image", _CONVERT),
    b"\xff\x0a": Content("a JPEG XL image", _CONVERT),
    b"8BPS": Content("a Photoshop image", _CONVERT),
    b"SIMPLE  =": Content("a FITS image", _CONVERT),
    b"LBLSIZE=": Content("a VICAR image", _CONVERT),
    b"PDS_VERSION_ID": Content("a PDS image or label", _CONVERT),
}
# Inside the first bytes: (offset, bytes).
_INSIDE: Final = {
    (257, b"ustar"): _TAR,
    (4, b"ftypavif"): Content("an AVIF image", _CONVERT),
    (4, b"ftyphei"): Content("a HEIC image", _CONVERT),
    (4, b"ftypmif1"): Content("a HEIC image", _CONVERT),
    (8, b"WEBP"): Content("a WebP image"),
}


def identify(start: bytes) -> Content | None:
    """Name what a file is.

    Args:
        start: the first START_BYTES of the file, or all of it

    Returns:
        What the file is; None if its first bytes do not tell.
    """
    if not start:
        return Content("empty", "Copy or download it again.")
    for (offset, magic), content in _INSIDE.items():
        if start[offset:].startswith(magic):
            return content
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return _HTML
    if text.startswith(b"<?xml"):
        return Content("an XML document", "If a server sent it instead of the file, download the file again.")
    return next((content for magic, content in _STARTS.items() if start.startswith(magic)), None)


def unexpected(start: bytes, expected: str) -> tuple[str, str | None]:
    """Say what is wrong with a file that does not begin as it should.

    Args:
        start: its first START_BYTES, or all of it
        expected: what it should be, without its article, as in ".npz file"

    Returns:
        A sentence that says what is wrong, and one that says what to do next, or None.
    """
    content = identify(start)
    if content is None:
        return f"This file is not {_with_article(expected)}.", None
    if not start:
        return "This file is empty.", content.hint
    return f"This file is {content.name}, not {_with_article(expected)}.", content.hint


def _with_article(expected: str) -> str:
    """Return what a file should be with its article; the first letter of a suffix is read by its name."""
    return f"{'an' if expected.startswith(('.n', '.h', *'aeiou')) else 'a'} {expected}"


def other_content(path: Path | str, expected: str, magic: bytes | None = None) -> tuple[str, str | None] | None:
    """Say what a file is, if its first bytes tell that it is something else than its name or place says.

    Args:
        path: the file
        expected: what it should be, without its article, as in ".npz file"
        magic: the first bytes of a file that is as expected, if all such files have the same

    Returns:
        A sentence that says what the file is, and one that says what to do next, or None; None if the file begins as
        expected, is empty, or its first bytes do not tell.

    Raises:
        OSError: if the file cannot be read, or is no regular file
    """
    with open_regular(path) as file:
        start = file.read(START_BYTES)
    if not start or identify(start) is None or (magic is not None and start.startswith(magic)):
        return None
    return unexpected(start, expected)
