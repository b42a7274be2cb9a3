"""Damage valid files at random and read them: the result must be a RequestError or valid arrays.

    python benchmarks/fuzz_readers.py [--seconds 60] [--seed 0]

The script prints how many files of each kind were tried, and how many of them were still readable. If a file has
another result, the script saves it in the current folder and ends with exit code 1. (libtiff itself writes complaints
about TIFF files to standard error.)
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from marsseg_core.data import cache
from marsseg_core.data.images import read_image, read_mask
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.class_file import read_class_file
from marsseg_plugins.datasets.npz import Npz

PIXEL_LIMIT = 1_000_000
PALETTE = {(0, 0, 0): 0, (255, 0, 0): 1}
EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f")


def npz_bytes(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def picture(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def valid_files() -> dict[str, list[bytes]]:
    """Return small valid files of each kind."""
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (4, 6, 8), np.uint8), rng.integers(0, 5, (4, 6, 8)).astype(np.uint8)
    together = np.stack([images, masks], axis=1)
    layouts = [
        {"training_set": together.astype(np.float64), "test_set": images, "training_groups": np.arange(4)},
        {"training_set": together},
        {"images": images, "masks": masks},
    ]
    grey, colour = Image.fromarray(images[0]), Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (6, 8)).astype(np.uint16))
    pictures = [grey, colour, Image.fromarray(masks[0]), colour.quantize(4), colour.convert("RGBA"), deep]
    lossy = [grey, colour, colour.convert("CMYK")]
    compressions = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")
    return {
        "npz": [npz_bytes(save, **layout) for save in (np.savez, np.savez_compressed) for layout in layouts],
        "png": [picture(image, "PNG") for image in pictures],
        "jpeg": [picture(image, "JPEG", **more) for image in lossy for more in ({}, {"progressive": True})],
        "tiff": [picture(image, "TIFF", compression=compression) for image in pictures for compression in compressions],
        "class file": [b"name,r,g,b\nsoil,1,2,3\nrock,4,5,6\nvoid,0,0,0\n", b"# mine\nsoil\nrock\n"],
    }


def damaged(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Return the file with one to six faults: bytes changed, inserted, deleted, cut off or copied from another."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 7)):
        place = int(rng.integers(0, len(data) + 1))
        # Put half of the faults near the ends, where the structures of most formats are.
        if rng.random() < 0.5:
            place = min(place, int(rng.integers(0, 80))) if rng.random() < 0.5 else max(0, len(data) - place % 120)
        fault = rng.integers(0, 7)
        if fault == 0:
            data[place : place + 1] = rng.bytes(1)
        elif fault == 1:
            edge = EDGES[rng.integers(len(EDGES))]
            data[place : place + len(edge)] = edge
        elif fault == 2:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif fault == 3:
            del data[place : place + int(rng.integers(1, 9))]
        elif fault == 4 and rng.random() < 0.3:
            del data[place:]
        elif fault == 5:
            start = int(rng.integers(0, len(other)))
            data[place : place + 16] = other[start : start + 16]
        else:
            data[place : place + 1] = bytes(byte ^ 1 << int(rng.integers(8)) for byte in data[place : place + 1])
    return bytes(data)


def with_damaged_arrays(rng: np.random.Generator, content: bytes) -> bytes:
    """Return an .npz file whose arrays are damaged, but whose checksums are correct."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            array = source.read(name)
            target.writestr(name, damaged(rng, array, array) if rng.random() < 0.7 else array)
    return file.getvalue()


def with_correct_checksums(content: bytes) -> bytes:
    """Return a damaged PNG with the correct checksum in each chunk, as far as the chunks can be read."""
    data, place = bytearray(content), 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(data)


def attempt(rng: np.random.Generator, kind: str, files: list[bytes]) -> bytes:
    """Return a damaged file of a kind; half of them have correct checksums, to test the code that comes after."""
    content, other = files[rng.integers(len(files))], files[rng.integers(len(files))]
    if kind == "npz" and rng.random() < 0.5:
        return with_damaged_arrays(rng, content)
    result = damaged(rng, content, other)
    return with_correct_checksums(result) if kind == "png" and rng.random() < 0.5 else result


def read_npz(path: Path) -> bool:
    """Return whether the file is still readable. Its labelled and unlabelled parts are read separately."""
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


def read_classes(path: Path) -> bool:
    try:
        read = read_class_file(path)
    except RequestError:
        return False
    assert 0 < len(read.names) <= 255
    assert all(0 <= shade <= 255 for colour in read.palette for shade in colour)
    return True


READERS = {"npz": read_npz, "class file": read_classes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns before it fails
    rng = np.random.default_rng(options.seed)
    valid = valid_files()
    kinds = list(valid)
    tried, readable = Counter[str](), Counter[str]()
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        os.environ[cache.VARIABLE] = str(Path(folder) / "cache")
        path = Path(folder) / "damaged"
        while time.monotonic() < end:
            kind = kinds[sum(tried.values()) % len(kinds)]
            content = attempt(rng, kind, valid[kind])
            path.write_bytes(content)
            tried[kind] += 1
            try:
                readable[kind] += READERS.get(kind, read_picture)(path)
            except Exception as failure:
                saved = Path(f"fuzz-{kind.replace(' ', '-')}-{options.seed}-{tried[kind]}")
                saved.write_bytes(content)
                print(f"{saved}: {type(failure).__name__}: {failure}", file=sys.stderr)
                return 1
            if tried["npz"] % 200 == 0:
                cache.clear()
    for kind in kinds:
        print(f"{kind}: {tried[kind]:,} files tried, {readable[kind]:,} still readable")
    print(
        f"{sum(tried.values()):,} files tried in {options.seconds:.0f} s, seed {options.seed}: "
        "no error except RequestError"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
