"""Read images and masks from image files, and write PNG files.

Files are not trusted: a file that cannot be read exactly raises a RequestError with its name and the reason. Files are
written atomically.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from ..files.atomic import atomic_write
from .image_files import LOSSLESS, ORIENTATION, opened, refuse_file
from .limits import PIXEL_LIMIT
from .mask_colours import ids_of_colours
from .scaling import scaled_values

Colour = tuple[int, int, int]
"""Give red, green and blue, each from 0 to 255."""

Palette = Mapping[Colour, int]
"""Map the colours of a mask to class ids."""

_SIXTEEN_BITS: Final = "I;16"  # the prefix of Pillow's modes for 16-bit pixels
_MOST_COLOURS: Final = 8  # in a message
_COLOURS: Final = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr")

# The note in a PNG file that the indices of its palette are class ids.
_IDS: Final = "marsseg"

# The offset of the bit depth in the header of a PNG file.
_PNG_DEPTH: Final = 24

# The tag of the EXIF orientation, and its values for images that lie on a side.
_ORIENTATION_TAG: Final = 274
_LYING: Final = (5, 6, 7, 8)

# Tags of TIFF. PhotometricInterpretation says whether 0 is black or white, SampleFormat whether values have a sign.
_TIFF_DEPTH: Final = 258
_TIFF_COMPRESSION: Final = 259
_TIFF_PHOTOMETRIC: Final = 262
_TIFF_SAMPLE_FORMAT: Final = 339
_SIGNED: Final = 2

# The lossless compressions of TIFF: none, CCITT (three, and a word-aligned one), LZW, Deflate (two numbers), PackBits,
# LZMA and Zstandard. The others (JPEG, WebP, JPEG 2000, LERC) can be lossy, and the pixels do not tell.
_LOSSLESS: Final = frozenset({1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 50000})


def orientation_of(path: Path | str, *, limit: int = PIXEL_LIMIT) -> int:
    """Read the EXIF orientation of an image file: how it must be turned or mirrored before it is shown.

    Args:
        path: an image file
        limit: the maximum number of pixels

    Returns:
        A number from 1 to 8; 1 means that the image is shown as it is stored, and is also the result without a tag.

    Raises:
        RequestError: if the file cannot be read
    """
    with opened(path, limit) as picture:
        return int(picture.info[ORIENTATION])


def read_image(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Read an image file as an array (H, W, C) uint8, with one channel for grey images and three for colour images.

    Values of 16 bits are scaled from 0…65535 to 0…255. Palettes are converted to colours, transparency is dropped, and
    the image is turned according to its EXIF orientation.

    Args:
        path: an image file
        limit: the maximum number of pixels

    Returns:
        (H, W, 1) or (H, W, 3) uint8

    Raises:
        RequestError: if the file cannot be read, has too many pixels, or holds numbers other than 8 or 16 bits
    """
    pixels = read_pixels(path, limit=limit, upper_bits=True)
    if pixels.dtype not in (np.uint8, np.uint16):
        refuse_file(path, f"This image holds {pixels.dtype} values; 8 or 16 bits are expected.")
    return pixels if pixels.dtype == np.uint8 else scaled_values(pixels, 0, 65535)[0]


def read_pixels(path: Path | str, *, limit: int = PIXEL_LIMIT, upper_bits: bool = False) -> np.ndarray:
    """Read an image file as an array (H, W, C) of the numbers stored in it.

    The type is uint8, uint16, int32, uint32 or float32. Grey images have one channel, colour images three. Palettes and
    CMYK are converted to RGB; transparency is dropped. The image is turned according to its EXIF orientation. Pillow
    decodes only the upper 8 bits of 16-bit colours: they are refused, unless `upper_bits` allows it. Raises
    RequestError if the file cannot be read or has more than `limit` pixels.
    """
    return read_turned(path, limit=limit, upper_bits=upper_bits, upright=True)[0]


def read_turned(path: Path | str, *, limit: int, upper_bits: bool, upright: bool) -> tuple[np.ndarray, bool]:
    """Return the array of `read_pixels`, and whether it is turned or mirrored relative to the stored pixels."""
    with opened(path, limit, upright=upright) as picture:
        if not upper_bits:
            _check_decodes_exactly(path, picture)
        turned = picture.info[ORIENTATION] != 1 and (upright or isinstance(picture, TiffImagePlugin.TiffImageFile))
        return _pixels(path, picture), turned


def _pixels(path: Path | str, picture: ImageFile.ImageFile) -> np.ndarray:
    """Return the pixels as (H, W, C), with one channel for grey images and three for colour images."""
    if (stored := _unlike_mode(picture)) is not None:
        # Pillow has the right bits, but takes them for unsigned or signed ones.
        return np.array(picture).view(stored).astype(_widened(stored))[..., None]
    if picture.mode in ("1", "L", "LA"):
        return np.array(picture.convert("L"))[..., None]
    if picture.mode.startswith(_SIXTEEN_BITS):
        return np.array(picture).astype(np.uint16)[..., None]
    if picture.mode in ("I", "F"):
        return np.array(picture)[..., None]
    if picture.mode not in _COLOURS:
        refuse_file(path, f"Pixels of the kind {picture.mode} are neither grey values nor colours.")
    pixels = np.array(picture.convert("RGB"))
    grey = picture.mode in ("P", "PA") and bool((pixels == pixels[..., :1]).all())
    return pixels[..., :1].copy() if grey else pixels


def pixel_type(path: Path | str, *, limit: int = PIXEL_LIMIT) -> np.dtype:
    """Read the type of an image file's values from its header, without decoding the pixels.

    Args:
        path: an image file
        limit: the maximum number of pixels

    Returns:
        uint8, uint16, int32, uint32 or float32

    Raises:
        RequestError: if the file cannot be read
    """
    with opened(path, limit, decoded=False) as picture:
        if (stored := _unlike_mode(picture)) is not None:
            return _widened(stored)
        if picture.mode.startswith(_SIXTEEN_BITS):
            return np.dtype(np.uint16)
        return np.dtype({"I": np.int32, "F": np.float32}.get(picture.mode, np.uint8))


def image_size(path: Path | str, *, limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Read the size of an image file from its header, without decoding the pixels.

    Args:
        path: an image file
        limit: the maximum number of pixels

    Returns:
        The numbers of rows and of columns, after the image is turned according to its EXIF orientation.

    Raises:
        RequestError: if the file cannot be read
    """
    with opened(path, limit, decoded=False) as picture:
        # Pillow gives the turned size of TIFF at once. In PNG without the entry, it would decode the pixels to find it.
        own = isinstance(picture, TiffImagePlugin.TiffImageFile)
        absent = isinstance(picture, PngImagePlugin.PngImageFile) and "exif" not in picture.info
        lies = not own and not absent and picture.getexif().get(_ORIENTATION_TAG, 1) in _LYING
        return (picture.width, picture.height) if lies else (picture.height, picture.width)


def read_mask(
    path: Path | str,
    *,
    limit: int = PIXEL_LIMIT,
    palette: Palette | None = None,
    indices: bool = False,
    upright: bool = True,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Read a mask file as an array (H, W) uint8 of class ids.

    The values of a mask with one channel are the ids (also with 1, 2 or 4 bits); the colours of a colour image are
    looked up in `palette`. If all colours of the palette are grey, and all values of a one-channel mask are among them,
    the values are looked up as colours too. With `indices`, the indices of a palette image are the ids, whatever their
    colours are, as in the masks of PASCAL VOC. The indices of a mask of `write_mask` are taken as the values of one
    channel.

    Args:
        path: a mask file
        limit: the maximum number of pixels
        palette: the class id of each colour
        indices: whether the ids of a palette image are its indices, and not those of its colours
        upright: whether to turn the mask according to its EXIF orientation
        names: the names of the classes, for messages

    Returns:
        (H, W) uint8

    Raises:
        RequestError: if the file cannot be read or its ids are not certain: colours without a palette or missing in it,
            ids above 255, transparency, 0 stored as white, or a compression that can change ids
    """
    with opened(path, limit, upright=upright) as picture:
        _check_keeps_ids(path, picture)
        if _says_that_indices_are_ids(picture):
            return np.array(picture) if indices else _ids_of_values(np.array(picture), palette)
        if picture.mode in ("1", "L"):
            return _ids_of_values(_unstretched(path, picture), palette)
        if picture.mode.startswith(_SIXTEEN_BITS) or picture.mode == "I":
            wide = np.array(picture)
            if wide.min() < 0 or wide.max() > 255:
                refuse_file(path, f"The mask has values from {wide.min()} to {wide.max()}; ids are 0 to 255.")
            return _ids_of_values(wide.astype(np.uint8), palette)
        if isinstance(picture, WebPImagePlugin.WebPImageFile) and palette is None and _is_grey(picture):
            return np.array(picture.getchannel(0))  # WebP has no images of one channel: each has three
        if picture.mode not in ("P", "RGB", "RGBA"):
            refuse_file(path, f"Pixels of the kind {picture.mode} are not class ids.")
        if picture.mode == "P" and indices:
            return np.array(picture)
        by_index = "If the indices of the palette are the ids, set palette=indices." if picture.mode == "P" else ""
        if not palette:
            what = "palette" if picture.mode == "P" else "colour"
            named = "The classes have names, but no colours. " if names else ""
            refuse_file(
                path,
                f"This is a {what} image; a mask has one channel of class ids.",
                hint=f"{named}To read such masks, give each class its colour in a class file, which is classes.csv in "
                f"the folder of the data, with lines name,r,g,b. {_some_colours(picture)} {by_index}".rstrip(),
            )
        if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            refuse_file(path, "The mask is transparent in places.", hint="Save it without transparency.")
        return ids_of_colours(path, np.array(picture.convert("RGB")), palette, names, by_index)


def _some_colours(picture: Image.Image) -> str:
    """Return a sentence with the most frequent colours of a mask."""
    counts = sorted(picture.convert("RGB").getcolors(picture.width * picture.height) or [], reverse=True)
    more = f" and {len(counts) - _MOST_COLOURS:,} more" if len(counts) > _MOST_COLOURS else ""
    if {colour for _, colour in counts} <= {(0, 0, 0), (255, 255, 255)}:
        return "If black and white are its two classes, set binary=true."
    return f"The colours of this mask are {', '.join(str(colour) for _, colour in counts[:_MOST_COLOURS])}{more}."


def write_png(path: Path, array: np.ndarray) -> None:
    """Write an array (H, W), (H, W, 1) or (H, W, 3) uint8 to a PNG file, atomically.

    Raises RunError if the file cannot be written.
    """
    picture = png_picture(array)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def write_mask(path: Path, ids: np.ndarray, colours: np.ndarray) -> None:
    """Write class ids to a PNG file whose palette shows them in colour, atomically.

    The indices of the palette are the ids, which a note in the file says: `read_mask` returns them. Raises RunError if
    the file cannot be written.

    Args:
        path: the new file
        ids: (H, W) uint8
        colours: the colour of each of the 256 ids, (256, 3) uint8
    """
    picture = Image.fromarray(np.ascontiguousarray(ids))
    picture.putpalette(colours.tobytes())
    note = PngImagePlugin.PngInfo()
    note.add_text(_IDS, _note_of(colours.tobytes()))
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=note)


def _note_of(palette: bytes) -> str:
    """Return the note that the indices of this palette are ids. Another program may keep it and change the palette."""
    return f"The indices of the palette are class ids, for the palette {zlib.crc32(palette):08x}."


def _says_that_indices_are_ids(picture: ImageFile.ImageFile) -> bool:
    note = picture.info.get(_IDS)
    return note is not None and picture.mode == "P" and note == _note_of(bytes(picture.getpalette() or ()))


def png_picture(array: np.ndarray, palette: Palette | None = None) -> Image.Image:
    """Return the picture that `write_png` writes, for an array (H, W), (H, W, 1) or (H, W, 3) uint8."""
    flat = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    picture = Image.fromarray(np.ascontiguousarray(flat))
    if palette is not None:
        colours = bytearray(3 * 256)
        for colour, label in palette.items():
            colours[3 * label : 3 * label + 3] = bytes(colour)
        picture.putpalette(bytes(colours))
    return picture


def _check_decodes_exactly(path: Path | str, picture: ImageFile.ImageFile) -> None:
    """Raise RequestError if Pillow would drop bits of the values, or swap black and white, without a warning."""
    depth = _depth(path, picture)
    if depth > 8 and not _is_wide(picture):
        refuse_file(
            path,
            f"This image has {depth}-bit colours, of which only the upper 8 bits can be read.",
            hint="If these are enough, set range=bits; if not, convert it to 8 bits, or each channel to a grey image.",
        )
    if _zero_is_white(picture) and _is_wide(picture):
        refuse_file(path, f"In this image of {depth} bits, 0 is white.", hint="Save it with 0 as black.")


def _check_keeps_ids(path: Path | str, picture: ImageFile.ImageFile) -> None:
    """Raise RequestError if the values of a mask may differ from the ids that were saved."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        refuse_file(path, "A JPEG mask has lost its exact ids.", hint="Save masks as PNG or TIFF.")
    if picture.info.get(LOSSLESS) is False:
        refuse_file(path, "A lossy WebP mask has lost its exact ids.", hint="Save masks as PNG, TIFF or lossless WebP.")
    if isinstance(picture, GifImagePlugin.GifImageFile) and picture.dispose_extent != (0, 0, *picture.size):
        refuse_file(path, "The frame of this GIF does not cover all of the mask.", hint="Save masks as PNG or TIFF.")
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        if picture.tag_v2.get(_TIFF_COMPRESSION, 1) not in _LOSSLESS:
            name = picture.info.get("compression", "unknown")
            refuse_file(
                path,
                f"The compression of this mask ({name}) can change ids.",
                hint="Save masks as PNG, or as TIFF with LZW or Deflate.",
            )
        if _zero_is_white(picture):
            refuse_file(
                path,
                "In this mask, 0 is white (TIFF's WhiteIsZero): some programs would read inverted ids.",
                hint="Save it with 0 as black.",
            )
        if picture.mode == "L" and picture.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))[0] == _SIGNED:
            signed = np.array(picture).view(np.int8)
            if signed.min() < 0:
                refuse_file(path, f"The mask has values from {signed.min()} to {signed.max()}; ids are 0 to 255.")
    if (depth := _depth(path, picture)) > 8 and not _is_wide(picture):
        refuse_file(
            path,
            f"This mask has {depth}-bit colours, of which only the upper 8 bits can be read.",
            hint="Save it with 8 bits.",
        )


def _unstretched(path: Path | str, picture: ImageFile.ImageFile) -> np.ndarray:
    """Return the values (H, W) uint8 as stored in the file: Pillow stretches those of 2 and 4 bits to 0…255."""
    values = np.array(picture).astype(np.uint8)
    depth = _depth(path, picture)
    return values // np.uint8(255 // (2**depth - 1)) if picture.mode == "L" and depth < 8 else values


def _depth(path: Path | str, picture: ImageFile.ImageFile) -> int:
    """Return how many bits a value has in the file."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return int(max(picture.tag_v2.get(_TIFF_DEPTH, (1,))))
    if isinstance(picture, PngImagePlugin.PngImageFile):
        with Path(path).open("rb") as file:
            return file.read(_PNG_DEPTH + 1)[_PNG_DEPTH]
    return 8


def _unlike_mode(picture: ImageFile.ImageFile) -> np.dtype | None:
    """Return the type of the numbers in a TIFF image if Pillow's mode has another sign; None if it is as the mode."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return None
    signed = picture.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))[0] == _SIGNED
    if picture.mode == "L" and signed:
        return np.dtype(np.int8)
    if picture.mode == "I" and not signed and max(picture.tag_v2.get(_TIFF_DEPTH, (1,))) == 32:
        return np.dtype(np.uint32)
    return None


def _widened(dtype: np.dtype) -> np.dtype:
    """Return the type as which these numbers are read: uint8 alone means values that need no scaling."""
    return np.dtype(np.int32) if dtype == np.int8 else dtype


def _is_wide(picture: ImageFile.ImageFile) -> bool:
    return picture.mode.startswith(_SIXTEEN_BITS) or picture.mode in ("I", "F")


def _is_grey(picture: ImageFile.ImageFile) -> bool:
    """Return whether all pixels are opaque shades of grey."""
    pixels = np.array(picture.convert("RGBA"))
    return bool((pixels[..., :3] == pixels[..., :1]).all() and (pixels[..., 3] == 255).all())


def _zero_is_white(picture: ImageFile.ImageFile) -> bool:
    return isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(_TIFF_PHOTOMETRIC) == 0


def _ids_of_values(values: np.ndarray, palette: Palette | None) -> np.ndarray:
    """Convert values (H, W) to ids: look them up if the palette is grey and has all of them, else return them."""
    greys = {red: label for (red, green, blue), label in (palette or {}).items() if red == green == blue}
    if not greys or len(greys) < len(palette or {}) or not set(np.unique(values).tolist()) <= greys.keys():
        return values
    ids = np.zeros(256, np.uint8)
    ids[list(greys)] = list(greys.values())
    looked_up: np.ndarray = ids[values]
    return looked_up
