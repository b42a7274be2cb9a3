"""Images and arrays: .npz files, PNG, JPEG and TIFF."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.kind import FileKind
from fuzzing.mutations import damaged, mutate_archive
from marsseg_core.data import cache
from marsseg_core.data.images import read_image, read_mask
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.npz import Npz

PIXEL_LIMIT = 1_000_000
PALETTE = {(0, 0, 0): 0, (255, 0, 0): 1}
COMPRESSIONS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")


def npz_bytes(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def picture(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (4, 6, 8), np.uint8), rng.integers(0, 5, (4, 6, 8)).astype(np.uint8)


def npz_files() -> list[bytes]:
    images, masks = arrays()
    together = np.stack([images, masks], axis=1)
    layouts = [
        {"training_set": together.astype(np.float64), "test_set": images, "training_groups": np.arange(4)},
        {"training_set": together},
        {"images": images, "masks": masks},
    ]
    return [npz_bytes(save, **layout) for save in (np.savez, np.savez_compressed) for layout in layouts]


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(1)
    images, masks = arrays()
    grey, colour = Image.fromarray(images[0]), Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (6, 8)).astype(np.uint16))
    return [grey, colour, Image.fromarray(masks[0]), colour.quantize(4), colour.convert("RGBA"), deep]


def png_files() -> list[bytes]:
    return [picture(image, "PNG") for image in pictures()]


def jpeg_files() -> list[bytes]:
    grey, colour, *_ = pictures()
    lossy = [grey, colour, colour.convert("CMYK")]
    return [picture(image, "JPEG", **more) for image in lossy for more in ({}, {"progressive": True})]


def tiff_files() -> list[bytes]:
    return [picture(image, "TIFF", compression=compression) for image in pictures() for compression in COMPRESSIONS]


def mutate_npz(rng: random.Random, content: bytes, other: bytes) -> bytes:
    return mutate_archive(rng, content, other, lambda rng, name, array: damaged(rng, array, array))


def mutate_png(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a damaged PNG; half of them have the correct checksum in each chunk, as far as the chunks can be read."""
    data, place = bytearray(damaged(rng, content, other)), 8
    while place + 12 <= len(data) and rng.random() < 0.8:
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(data)


_reads = 0


def read_npz(path: Path) -> bool:
    """Return whether the file is still readable. Its labelled and unlabelled parts are read separately."""
    global _reads
    _reads += 1
    if _reads % 200 == 0:
        cache.clear()
    readable = False
    for part in ("load", "unlabelled"):
        try:
            read = getattr(Npz(str(path)), part)()
        except RequestError:
            continue
        if part == "load":
            count, *size = read.masks.shape
            assert read.images.shape[:3] == (count, *size), (read.images.shape, read.masks.shape)
            assert read.images.dtype == read.masks.dtype == np.uint8, (read.images.dtype, read.masks.dtype)
            assert read.label_counts.sum() == read.masks.size
        elif read is not None:
            assert (read.ndim, read.dtype) == (4, np.uint8), (read.shape, read.dtype)
        readable = True
    return readable


def read_picture(path: Path) -> bool:
    readable = False
    for read, dimensions in ((read_image, 3), (read_mask, 2)):
        for palette in (None, PALETTE) if read is read_mask else (None,):
            options = {} if palette is None else {"palette": palette}
            try:
                pixels = read(path, limit=PIXEL_LIMIT, **options)
            except RequestError:
                continue
            assert (pixels.ndim, pixels.dtype) == (dimensions, np.uint8), (pixels.shape, pixels.dtype)
            assert 0 < pixels.shape[0] * pixels.shape[1] <= PIXEL_LIMIT, pixels.shape
            assert dimensions == 2 or pixels.shape[2] in (1, 3), pixels.shape
            readable = True
    return readable


KINDS = [
    FileKind("npz", npz_files, mutate_npz, read_npz, 3),
    FileKind("png", png_files, mutate_png, read_picture, 5),
    FileKind("jpeg", jpeg_files, damaged, read_picture, 8),
    FileKind("tiff", tiff_files, damaged, read_picture, 8),
]
