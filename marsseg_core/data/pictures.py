"""Image files ↔ arrays: PNG, JPEG and TIFF, read without trust and written whole.

What cannot be read as it should is a RequestError that names the file and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from ..errors import RequestError
from ..runs import written_whole
from .limits import PIXEL_LIMIT
from .scaling import scaled_values

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})

Colour = tuple[int, int, int]
Palette = Mapping[Colour, int]

# The formats by their first bytes. Named here, they are opened without the many others that Pillow knows, and without
# its own limit on pixels, which is one for the whole process.
_READERS: Final[Mapping[bytes, type[ImageFile.ImageFile]]] = {
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"II*\x00": TiffImagePlugin.TiffImageFile,
    b"MM\x00*": TiffImagePlugin.TiffImageFile,
    b"II+\x00": TiffImagePlugin.TiffImageFile,
    b"MM\x00+": TiffImagePlugin.TiffImageFile,
}

_SIXTEEN_BITS: Final = "I;16"  # what Pillow's names of such pixels begin with
_COLOURS: Final = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr")

# Of PNG: where its header has the bits of a value. Of TIFF: the tags for that and for what 0 means, black or white.
_PNG_DEPTH: Final = 24
_TIFF_DEPTH: Final = 258
_TIFF_PHOTOMETRIC: Final = 262


def read_image(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.ndarray:
    """An image file as (H, W, C) uint8, as `read_pixels` reads it; 16 bits are scaled down to 8 over their whole range.

    Raises RequestError, as for other numbers.
    """
    pixels = read_pixels(path, limit=limit, upper_bits=True)
    if pixels.dtype not in (np.uint8, np.uint16):
        refuse(path, f"It holds {pixels.dtype}; an image of 8 or 16 bits is expected.")
    return pixels if pixels.dtype == np.uint8 else scaled_values(pixels, 0, 65535)[0]


def read_pixels(path: Path | str, *, limit: int = PIXEL_LIMIT, upper_bits: bool = False) -> np.ndarray:
    """An image file as (H, W, C) of the numbers that it holds: one channel where it is grey, three for colours.

    The numbers are uint8, uint16, int32 or float32. Palettes are looked up and CMYK is converted; transparency is
    dropped. The image is taken as it is stored: no orientation is applied. Of 16-bit colours only the upper 8 bits can
    be decoded: that is refused, unless `upper_bits` says that they are enough. Raises RequestError, as for more than
    `limit` pixels.
    """
    with _opened(path, limit) as picture:
        if not upper_bits:
            _check_decodes_exactly(path, picture)
        if picture.mode in ("1", "L", "LA"):
            return np.array(picture.convert("L"))[..., None]
        if picture.mode.startswith(_SIXTEEN_BITS):
            return np.array(picture).astype(np.uint16)[..., None]
        if picture.mode in ("I", "F"):
            return np.array(picture)[..., None]
        if picture.mode not in _COLOURS:
            refuse(path, f"Its kind of pixels, {picture.mode}, is no image of grey values or colours.")
        pixels = np.array(picture.convert("RGB"))
        grey = picture.mode in ("P", "PA") and bool((pixels == pixels[..., :1]).all())
        return pixels[..., :1].copy() if grey else pixels


def pixel_type(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.dtype:
    """The numbers that `read_pixels` gives, from the file's header alone."""
    with _opened(path, limit, decoded=False) as picture:
        if picture.mode.startswith(_SIXTEEN_BITS):
            return np.dtype(np.uint16)
        return np.dtype({"I": np.int32, "F": np.float32}.get(picture.mode, np.uint8))


def read_mask(path: Path | str, *, limit: int = PIXEL_LIMIT, palette: Palette | None = None) -> np.ndarray:
    """A mask file as (H, W) uint8 ids: its values where it has one channel, else the ids that `palette` gives colours.

    Raises RequestError, as for colours without a palette or that it lacks, ids beyond 255, transparency, and a JPEG,
    whose compression changes ids.
    """
    with _opened(path, limit) as picture:
        if isinstance(picture, JpegImagePlugin.JpegImageFile):
            refuse(path, "A mask as JPEG has lost its exact ids.", hint="Save masks as PNG or TIFF.")
        if picture.mode in ("1", "L"):
            return np.array(picture).astype(np.uint8)
        if picture.mode.startswith(_SIXTEEN_BITS) or picture.mode == "I":
            wide = np.array(picture)
            if wide.min() < 0 or wide.max() > 255:
                refuse(path, f"The mask has values from {wide.min()} to {wide.max()}; ids are 0 to 255.")
            return wide.astype(np.uint8)
        if picture.mode not in ("P", "RGB", "RGBA"):
            refuse(path, f"Its kind of pixels, {picture.mode}, is no mask.")
        if palette is None:
            what = "palette" if picture.mode == "P" else "colour"
            refuse(
                path,
                f"This is a {what} image; a mask has one channel of class ids.",
                hint="A class file that gives each class its colour makes such masks readable.",
            )
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
            refuse(path, "The mask is transparent in places.")
        return _ids_of_colours(path, np.array(picture.convert("RGB")), palette)


def write_png(path: Path, array: np.ndarray, palette: Palette | None = None) -> None:
    """Write (H, W), (H, W, 1) or (H, W, 3) uint8 as PNG, whole or not at all; RunError where that fails.

    With a palette an array of ids is written as colours, which `read_mask` reads back with the same palette.
    """
    flat = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    picture = Image.fromarray(np.ascontiguousarray(flat))
    if palette is not None:
        colours = bytearray(3 * 256)
        for colour, label in palette.items():
            colours[3 * label : 3 * label + 3] = bytes(colour)
        picture.putpalette(bytes(colours))
    with written_whole(path) as aside:
        picture.save(aside, format="PNG")


def refuse(path: Path | str, what: str, *, hint: str | None = None) -> NoReturn:
    """RequestError about a file."""
    raise RequestError(what, where=str(path), hint=hint)


def _check_decodes_exactly(path: Path | str, picture: ImageFile.ImageFile) -> None:
    """RequestError where Pillow would drop bits of the values, or turn black and white round, without a word."""
    depth, inverted = 8, False
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        depth = max(picture.tag_v2.get(_TIFF_DEPTH, (1,)))
        inverted = picture.tag_v2.get(_TIFF_PHOTOMETRIC) == 0
    elif isinstance(picture, PngImagePlugin.PngImageFile):
        with Path(path).open("rb") as file:
            depth = file.read(_PNG_DEPTH + 1)[_PNG_DEPTH]
    wide = picture.mode.startswith(_SIXTEEN_BITS) or picture.mode in ("I", "F")
    if depth > 8 and not wide:
        refuse(
            path,
            f"Of its {depth}-bit colours only the upper 8 bits can be read.",
            hint="Where these are enough, say range=bits; otherwise convert it to 8 bits, or each channel to grey.",
        )
    if inverted and wide:
        refuse(path, f"In this image of {depth} bits 0 is white.", hint="Save it with 0 as black.")


@contextmanager
def _opened(path: Path | str, limit: int, *, decoded: bool = True) -> Iterator[ImageFile.ImageFile]:
    """The image, decoded or not. Whatever decoding raises, it is because the file is cut off or garbled."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(8)
            file.seek(0)
            reader = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), None)
            if reader is None:
                refuse(path, "This file is no PNG, JPEG or TIFF." if start else "This file is empty.")
            picture = reader(file)
            width, height = picture.size
            if width * height > limit:
                refuse(
                    path,
                    f"This image has {height:,} × {width:,} pixels, more than the limit of {limit:,} in all.",
                    hint="The option pixel_limit raises it, where the file is to be trusted.",
                )
            if (images := getattr(picture, "n_frames", 1)) > 1:
                refuse(path, f"This file holds {images} images; one is expected.")
            if decoded:
                picture.load()
            yield picture
    except RequestError:
        raise
    except OSError as cause:
        # Pillow raises OSError without a number for what is wrong in the file's content.
        refuse(path, f"This file cannot be read: {cause.strerror or cause}.")
    except MemoryError:
        refuse(path, "This image does not fit into memory.")
    except Exception as cause:
        refuse(path, f"This image is damaged: {str(cause) or type(cause).__name__}.")


def _ids_of_colours(path: Path | str, pixels: np.ndarray, palette: Palette) -> np.ndarray:
    """(H, W, 3) → (H, W): the id of each pixel's colour."""
    ids = np.zeros(pixels.shape[:2], np.uint8)
    known = np.zeros(pixels.shape[:2], bool)
    for colour, label in palette.items():
        here = (pixels == np.array(colour, np.uint8)).all(axis=-1)
        ids[here] = label
        known |= here
    if not known.all():
        red, green, blue = pixels[~known][0]
        refuse(path, f"The mask has the colour {red},{green},{blue}, which the class file does not.")
    return ids
