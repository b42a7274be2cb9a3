"""Open image files: find the format by their first bytes, and check what they claim before pixels are decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ..errors import RequestError
from ..files.contents import START_BYTES, unexpected
from ..files.regular import open_regular
from .tiff_pages import is_pyramid, read_pages
from .webp_header import read_webp_header

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""List the suffixes of image files that can be read, in lower case."""

FORMATS: Final = "PNG, JPEG, TIFF, BMP, WebP or GIF"
"""List the formats of image files that can be read, for messages."""

ORIENTATION: Final = "marsseg: orientation"
"""Name the key of the EXIF orientation in `picture.info`: Pillow turns TIFF images while decoding and drops the tag."""

LOSSLESS: Final = "marsseg: lossless"
"""Name the key in `picture.info` that says whether a WebP image is stored without loss."""

# The reader of each format, by the first bytes of a file. Pillow's `Image.open` is not used: it also tries many other
# formats, and applies a limit on pixels that is the same for the whole process.
_READERS: Final[Mapping[bytes, type[ImageFile.ImageFile]]] = {
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"II*\x00": TiffImagePlugin.TiffImageFile,
    b"MM\x00*": TiffImagePlugin.TiffImageFile,
    b"II+\x00": TiffImagePlugin.TiffImageFile,
    b"MM\x00+": TiffImagePlugin.TiffImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"GIF87a": GifImagePlugin.GifImageFile,
    b"GIF89a": GifImagePlugin.GifImageFile,
}

_TIFF_ORIENTATION: Final = 274

# A file with more images than this is refused without the exact number. No pyramid has as many levels.
_MOST_PAGES: Final = 100

# The bits of a pixel that Pillow decodes correctly from BMP, for its modes of one channel.
_BMP_BITS: Final = {"1": 1, "L": 8}


def refuse_file(path: Path | str, what: str, *, hint: str | None = None) -> NoReturn:
    """Raise a RequestError about a file.

    Args:
        path: the file, which the error names
        what: a sentence that says what is wrong
        hint: a sentence that says what to do next

    Raises:
        RequestError: always
    """
    raise RequestError(what, where=str(path), hint=hint)


@contextmanager
def opened(
    path: Path | str, limit: int, *, decoded: bool = True, upright: bool = False
) -> Iterator[ImageFile.ImageFile]:
    """Open an image file; decode it, and turn it according to its EXIF orientation, if requested.

    Any other exception of a decoder means that the file is damaged, and becomes a RequestError too.
    """
    try:
        with open_regular(path) as file:
            picture = _picture(path, file, limit)
            if decoded:
                tag = (
                    picture.tag_v2.get(_TIFF_ORIENTATION)
                    if isinstance(picture, TiffImagePlugin.TiffImageFile)
                    else None
                )
                picture.load()
                tag = picture.getexif().get(_TIFF_ORIENTATION) if tag is None else tag
                picture.info[ORIENTATION] = tag if tag in range(1, 9) else 1
                if upright:
                    ImageOps.exif_transpose(picture, in_place=True)
            yield picture
    except RequestError:
        raise
    except OSError as cause:
        # For damaged content, Pillow raises OSErrors without an error number: their `strerror` is None.
        refuse_file(path, f"This file cannot be read: {cause.strerror or cause}.")
    except MemoryError:
        refuse_file(path, "This image does not fit in memory.")
    except Exception as cause:
        refuse_file(path, f"This image is damaged: {str(cause) or type(cause).__name__}.")


def _picture(path: Path | str, file: BinaryIO, limit: int) -> ImageFile.ImageFile:
    """Return the image in an open file, not yet decoded, after a check of its size and that it is the only one."""
    start = file.read(START_BYTES)
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return _webp(path, file, limit)
    reader = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), None)
    if reader is None:
        what, hint = unexpected(start, FORMATS)
        refuse_file(path, what, hint=hint)
    file.seek(0)
    try:
        picture = reader(file)
    except SyntaxError as cause:
        if reader is TiffImagePlugin.TiffImageFile and str(cause) == "unknown pixel mode":
            _refuse_pixels(path)
        raise
    _check_size(path, picture.size, limit)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        _check_pages(path, file)
    elif isinstance(picture, GifImagePlugin.GifImageFile):
        if picture.is_animated:
            _refuse_animation(path, "GIF")
    elif isinstance(picture, BmpImagePlugin.BmpImageFile):
        _check_bmp(path, start, picture.mode)
    elif (images := getattr(picture, "n_frames", 1)) > 1:
        _refuse_several(path, str(images))
    return picture


def _webp(path: Path | str, file: BinaryIO, limit: int) -> ImageFile.ImageFile:
    header = read_webp_header(file)
    _check_size(path, (header.width, header.height), limit)
    if header.animated:
        _refuse_animation(path, "WebP")
    file.seek(0)
    picture = WebPImagePlugin.WebPImageFile(file)
    picture.info[LOSSLESS] = header.lossless
    return picture


def _check_size(path: Path | str, size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        refuse_file(
            path,
            f"This image has {height:,} × {width:,} pixels, more than the limit of {limit:,} in all.",
            hint="If you trust the file, raise the limit: pixel_limit of a data set, --pixel-limit of marsseg predict.",
        )


def _check_pages(path: Path | str, file: BinaryIO) -> None:
    """Raise RequestError if a TIFF file holds other images than one and its reduced copies."""
    place = file.tell()
    pages = read_pages(file, _MOST_PAGES + 1)
    file.seek(place)
    if len(pages) > _MOST_PAGES:
        _refuse_several(path, f"more than {_MOST_PAGES}")
    if len(pages) > 1 and not is_pyramid(pages):
        _refuse_several(path, str(len(pages)))


def _check_bmp(path: Path | str, start: bytes, mode: str) -> None:
    """Raise RequestError if Pillow takes the bits of a BMP image with few grey values for those of another depth."""
    (header,) = struct.unpack_from("<I", start, 14)
    (bits,) = struct.unpack_from("<H", start, 24 if header == 12 else 28)
    if _BMP_BITS.get(mode, bits) != bits:
        what = f"This BMP image of {bits} bits with few grey values cannot be read exactly."
        refuse_file(path, what, hint="Convert it to PNG.")


def _refuse_pixels(path: Path | str) -> NoReturn:
    refuse_file(
        path,
        "TIFF images with this number of channels and type of values cannot be read.",
        hint="Grey images of 8, 16 and 32 bits or 32-bit floats and colours of 8 bits can be read. Convert it, or put "
        "the images into an .npz file, which may hold any type.",
    )


def _refuse_several(path: Path | str, images: str) -> NoReturn:
    hint = "Save the image that you need as a file of its own."
    refuse_file(path, f"This file holds {images} images; one is expected.", hint=hint)


def _refuse_animation(path: Path | str, name: str) -> NoReturn:
    refuse_file(path, f"This {name} is animated; one image is expected.", hint="Save the image that you need as PNG.")
