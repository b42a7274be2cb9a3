"""Image files ↔ arrays: PNG, JPEG and TIFF, read without trust and written whole.

What cannot be read as it should is a RequestError that names the file and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from PIL import Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from ..errors import RequestError
from ..files.atomic import atomic_write
from .limits import PIXEL_LIMIT
from .scaling import scaled_values

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
"""List the endings of the image files that can be read, in small letters."""

Colour = tuple[int, int, int]
"""Give red, green and blue, each from 0 to 255."""

Palette = Mapping[Colour, int]
"""Map the colours of a mask to class ids."""

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

# Of PNG: where its header has the bits of a value. Of TIFF: the tags for that, for what 0 means, black or white, for
# the compression, and for the kind of numbers, of which 2 has a sign.
_PNG_DEPTH: Final = 24
_TIFF_DEPTH: Final = 258
_TIFF_COMPRESSION: Final = 259
_TIFF_PHOTOMETRIC: Final = 262
_TIFF_NUMBERS: Final = 339
_SIGNED: Final = 2
_TIFF_ORIENTATION: Final = 274

# Where what is read keeps its orientation: Pillow forgets that of a TIFF file, which it turns while decoding.
_TURN: Final = "marsseg: orientation"

# The compressions of TIFF that lose nothing: none, CCITT's three and their word-aligned form, LZW, Deflate (two
# numbers), PackBits, LZMA and Zstandard. Of others (JPEG, WebP, JPEG 2000, LERC) no one can tell from the pixels.
_LOSSLESS: Final = frozenset({1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 50000})


def orientation_of(path: Path | str, *, limit: int = PIXEL_LIMIT) -> int:
    """Read how a picture is turned or mirrored to be shown: its EXIF tag, 1 to 8; 1 is as it is stored.

    Args:
        path: a PNG, JPEG or TIFF file
        limit: the most pixels that it may have

    Raises:
        RequestError: where the file cannot be read
    """
    with _opened(path, limit) as picture:
        return int(picture.info[_TURN])


def read_image(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Read an image file as (H, W, C) uint8: one channel where it is grey, three for colours.

    16 bits are scaled down to 8 over their whole range, palettes looked up, and transparency is dropped. The image is
    turned as its EXIF orientation says.

    Args:
        path: a PNG, JPEG or TIFF file
        limit: the most pixels that it may have

    Raises:
        RequestError: where the file cannot be read, has too many pixels, or holds other numbers
    """
    pixels = read_pixels(path, limit=limit, upper_bits=True)
    if pixels.dtype not in (np.uint8, np.uint16):
        refuse_file(path, f"It holds {pixels.dtype}; an image of 8 or 16 bits is expected.")
    return pixels if pixels.dtype == np.uint8 else scaled_values(pixels, 0, 65535)[0]


def read_pixels(
    path: Path | str, *, limit: int = PIXEL_LIMIT, upper_bits: bool = False, upright: bool = True
) -> np.ndarray:
    """An image file as (H, W, C) of the numbers that it holds: one channel where it is grey, three for colours.

    The numbers are uint8, uint16, int32 or float32. Palettes are looked up and CMYK is converted; transparency is
    dropped. The image is turned as its EXIF orientation says, unless `upright` is false. Of 16-bit colours only the
    upper 8 bits can be decoded: that is refused, unless `upper_bits` says that they are enough. Raises RequestError, as
    for more than `limit` pixels.
    """
    return read_turned(path, limit=limit, upper_bits=upper_bits, upright=upright)[0]


def read_turned(path: Path | str, *, limit: int, upper_bits: bool, upright: bool) -> tuple[np.ndarray, bool]:
    """What `read_pixels` gives, and whether that is turned or mirrored against what is stored."""
    with _opened(path, limit, upright=upright) as picture:
        if not upper_bits:
            _check_decodes_exactly(path, picture)
        turned = picture.info[_TURN] != 1 and (upright or isinstance(picture, TiffImagePlugin.TiffImageFile))
        return _pixels(path, picture), turned


def _pixels(path: Path | str, picture: ImageFile.ImageFile) -> np.ndarray:
    """(H, W, C): one channel where it is grey, three for colours."""
    if picture.mode in ("1", "L", "LA"):
        return np.array(picture.convert("L"))[..., None]
    if picture.mode.startswith(_SIXTEEN_BITS):
        return np.array(picture).astype(np.uint16)[..., None]
    if picture.mode in ("I", "F"):
        return np.array(picture)[..., None]
    if picture.mode not in _COLOURS:
        refuse_file(path, f"Its kind of pixels, {picture.mode}, is no image of grey values or colours.")
    pixels = np.array(picture.convert("RGB"))
    grey = picture.mode in ("P", "PA") and bool((pixels == pixels[..., :1]).all())
    return pixels[..., :1].copy() if grey else pixels


def pixel_type(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.dtype:
    """Read which numbers an image file holds from its header alone: uint8, uint16, int32 or float32.

    Args:
        path: a PNG, JPEG or TIFF file
        limit: the most pixels that it may have

    Raises:
        RequestError: where the file cannot be read
    """
    with _opened(path, limit, decoded=False) as picture:
        if picture.mode.startswith(_SIXTEEN_BITS):
            return np.dtype(np.uint16)
        return np.dtype({"I": np.int32, "F": np.float32}.get(picture.mode, np.uint8))


def read_mask(
    path: Path | str, *, limit: int = PIXEL_LIMIT, palette: Palette | None = None, upright: bool = True
) -> np.ndarray:
    """Read a mask file as (H, W) uint8 ids: its values where it has one channel, else what `palette` makes of colours.

    Grey values of 1, 2 and 4 bits are ids as well. Where all colours of the palette are grey, and all values of a mask
    of one channel are among them, they are read as such colours.

    Args:
        path: a PNG or TIFF file
        limit: the most pixels that it may have
        palette: which id each colour means
        upright: whether the mask is turned as its EXIF orientation says

    Raises:
        RequestError: where the file cannot be read; for colours without a palette or that it lacks, ids beyond 255,
            transparency, 0 as white, and a compression that changes ids or may do so
    """
    with _opened(path, limit, upright=upright) as picture:
        _check_keeps_ids(path, picture)
        if picture.mode in ("1", "L"):
            return _ids_of_values(_unstretched(path, picture), palette)
        if picture.mode.startswith(_SIXTEEN_BITS) or picture.mode == "I":
            wide = np.array(picture)
            if wide.min() < 0 or wide.max() > 255:
                refuse_file(path, f"The mask has values from {wide.min()} to {wide.max()}; ids are 0 to 255.")
            return _ids_of_values(wide.astype(np.uint8), palette)
        if picture.mode not in ("P", "RGB", "RGBA"):
            refuse_file(path, f"Its kind of pixels, {picture.mode}, is no mask.")
        if palette is None:
            what = "palette" if picture.mode == "P" else "colour"
            refuse_file(
                path,
                f"This is a {what} image; a mask has one channel of class ids.",
                hint="A class file that gives each class its colour makes such masks readable.",
            )
        if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            refuse_file(path, "The mask is transparent in places.")
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
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def refuse_file(path: Path | str, what: str, *, hint: str | None = None) -> NoReturn:
    """Refuse a file: raise a RequestError that says what is wrong with it, names it, and gives a hint.

    Raises:
        RequestError: always
    """
    raise RequestError(what, where=str(path), hint=hint)


def _check_decodes_exactly(path: Path | str, picture: ImageFile.ImageFile) -> None:
    """RequestError where Pillow would drop bits of the values, or turn black and white round, without a word."""
    depth = _depth(path, picture)
    if depth > 8 and not _is_wide(picture):
        refuse_file(
            path,
            f"Of its {depth}-bit colours only the upper 8 bits can be read.",
            hint="Where these are enough, say range=bits; otherwise convert it to 8 bits, or each channel to grey.",
        )
    if _zero_is_white(picture) and _is_wide(picture):
        refuse_file(path, f"In this image of {depth} bits 0 is white.", hint="Save it with 0 as black.")


def _check_keeps_ids(path: Path | str, picture: ImageFile.ImageFile) -> None:
    """RequestError where the numbers of a mask are not those that were saved, or may be others."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        refuse_file(path, "A mask as JPEG has lost its exact ids.", hint="Save masks as PNG or TIFF.")
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        if picture.tag_v2.get(_TIFF_COMPRESSION, 1) not in _LOSSLESS:
            name = picture.info.get("compression", "unknown")
            refuse_file(
                path,
                f"The compression of this mask ({name}) changes ids, or may have done so.",
                hint="Save masks as PNG, or as TIFF with LZW or Deflate.",
            )
        if _zero_is_white(picture):
            refuse_file(
                path,
                "In this mask 0 is white (TIFF's WhiteIsZero): some programs read its ids the other way round.",
                hint="Save it with 0 as black.",
            )
        if picture.mode == "L" and picture.tag_v2.get(_TIFF_NUMBERS, (1,))[0] == _SIGNED:
            signed = np.array(picture).view(np.int8)
            if signed.min() < 0:
                refuse_file(path, f"The mask has values from {signed.min()} to {signed.max()}; ids are 0 to 255.")
    if (depth := _depth(path, picture)) > 8 and not _is_wide(picture):
        refuse_file(path, f"Of its {depth}-bit colours only the upper 8 bits can be read.", hint="Save it with 8 bits.")


def _unstretched(path: Path | str, picture: ImageFile.ImageFile) -> np.ndarray:
    """(H, W) uint8: the values as they are in the file. Pillow stretches those of 2 and 4 bits over 0…255."""
    values = np.array(picture).astype(np.uint8)
    depth = _depth(path, picture)
    return values // np.uint8(255 // (2**depth - 1)) if picture.mode == "L" and depth < 8 else values


def _depth(path: Path | str, picture: ImageFile.ImageFile) -> int:
    """The bits of a value in the file."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return int(max(picture.tag_v2.get(_TIFF_DEPTH, (1,))))
    if isinstance(picture, PngImagePlugin.PngImageFile):
        with Path(path).open("rb") as file:
            return file.read(_PNG_DEPTH + 1)[_PNG_DEPTH]
    return 8


def _is_wide(picture: ImageFile.ImageFile) -> bool:
    return picture.mode.startswith(_SIXTEEN_BITS) or picture.mode in ("I", "F")


def _zero_is_white(picture: ImageFile.ImageFile) -> bool:
    return isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(_TIFF_PHOTOMETRIC) == 0


@contextmanager
def _opened(
    path: Path | str, limit: int, *, decoded: bool = True, upright: bool = False
) -> Iterator[ImageFile.ImageFile]:
    """The image, decoded or not, and turned as it is to be shown, or not. Whatever decoding raises, it is because the
    file is cut off or garbled."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(8)
            file.seek(0)
            reader = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), None)
            if reader is None:
                refuse_file(path, "This file is no PNG, JPEG or TIFF." if start else "This file is empty.")
            picture = reader(file)
            width, height = picture.size
            if width * height > limit:
                refuse_file(
                    path,
                    f"This image has {height:,} × {width:,} pixels, more than the limit of {limit:,} in all.",
                    hint="The option pixel_limit raises it, where the file is to be trusted.",
                )
            if (images := getattr(picture, "n_frames", 1)) > 1:
                refuse_file(path, f"This file holds {images} images; one is expected.")
            if decoded:
                tag = (
                    picture.tag_v2.get(_TIFF_ORIENTATION)
                    if isinstance(picture, TiffImagePlugin.TiffImageFile)
                    else None
                )
                picture.load()
                tag = picture.getexif().get(_TIFF_ORIENTATION) if tag is None else tag
                picture.info[_TURN] = tag if tag in range(1, 9) else 1
                if upright:
                    ImageOps.exif_transpose(picture, in_place=True)
            yield picture
    except RequestError:
        raise
    except OSError as cause:
        # Pillow raises OSError without a number for what is wrong in the file's content.
        refuse_file(path, f"This file cannot be read: {cause.strerror or cause}.")
    except MemoryError:
        refuse_file(path, "This image does not fit into memory.")
    except Exception as cause:
        refuse_file(path, f"This image is damaged: {str(cause) or type(cause).__name__}.")


def _ids_of_values(values: np.ndarray, palette: Palette | None) -> np.ndarray:
    """(H, W) values → ids: themselves, unless the palette is of greys and they all are among these."""
    greys = {red: label for (red, green, blue), label in (palette or {}).items() if red == green == blue}
    if not greys or len(greys) < len(palette or {}) or not set(np.unique(values).tolist()) <= greys.keys():
        return values
    ids = np.zeros(256, np.uint8)
    ids[list(greys)] = list(greys.values())
    found: np.ndarray = ids[values]
    return found


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
        refuse_file(path, f"The mask has the colour {red},{green},{blue}, which the class file does not.")
    return ids
