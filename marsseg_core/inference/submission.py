"""Write the course's submission: a CSV file with one row for each image, with its id and the label of each pixel.

The columns are `id`, `0` … `8191` for images of 64×128 pixels, in row-major order. Ids count from 0 in the order of the
images. All values are integers.

Participants have few attempts, and a damaged file would cost one of them. Therefore the file is read back and compared
before it gets its final name. This happens after it was synced to the disk (by `atomic_write`), and with a newly opened
file.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import numpy as np

from ..errors import RequestError, RunError
from ..files.atomic import atomic_write

_BUFFER_BYTES: Final = 2**20
_COMMA, _ZERO = b",0"


class Submission:
    """Write a submission: `add` the labels of the images in order.

    `rows` counts the images added so far, `zeros` their pixels with the label 0.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._shape: tuple[int, ...] | None = None
        self._digest = hashlib.blake2b()
        self.rows = 0
        self.zeros = 0

    def add(self, labels: np.ndarray) -> None:
        """Write the labels (H, W) uint8 of the next image. Raises RequestError where the image has another size."""
        if self._shape is None:
            self._shape = labels.shape
            self._file.write(_header(labels.size))
        if labels.shape != self._shape:
            raise RequestError(
                f"Image {self.rows} has {_size(labels.shape)} pixels; the images before it have {_size(self._shape)}.",
                where="--submission",
                hint="A submission has one column for each pixel, so all images must have the same size.",
            )
        self._file.write(b"%d," % self.rows + _fields(labels.ravel()) + b"\n")
        self._digest.update(labels.astype(np.uint8).tobytes())
        self.rows += 1
        self.zeros += int(np.count_nonzero(labels == 0))

    def check(self, path: Path) -> None:
        """Read the file back and compare columns, rows, ids and values. Raises RunError where something differs.

        The file must be synced to the disk already. Where the system allows it, its cache of the file is dropped first:
        values read from the cache would not show that the disk is failing.
        """
        if self._shape is None:
            raise RunError("There is no image to submit.", where=str(path))
        pixels = int(np.prod(self._shape))
        digest = hashlib.blake2b()
        rows = 0
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            _drop_cache(file)
            if file.readline() != _header(pixels):
                raise _differs("The header")
            for line in file:
                number, _, fields = line.partition(b",")
                values = _values(fields)
                labels = values.astype(np.uint8)
                complete = len(values) == pixels and line.endswith(b"\n") and bool((labels == values).all())
                if number != b"%d" % rows or not complete:
                    raise _differs(f"Row {rows}")
                digest.update(labels.tobytes())
                rows += 1
        if rows != self.rows:
            raise _differs(f"The number of rows, {rows},")
        if digest.digest() != self._digest.digest():
            raise _differs("A value")


@contextmanager
def new_submission(path: Path) -> Iterator[Submission]:
    """Open a submission to add images to. The file gets its name `path` only after `Submission.check` has passed."""
    submission: Submission

    def check(temporary: Path) -> None:
        submission.check(temporary)

    with atomic_write(path, ready=check) as temporary, temporary.open("wb", buffering=_BUFFER_BYTES) as file:
        submission = Submission(file)
        yield submission


def _drop_cache(file: IO[bytes]) -> None:
    """Make the system read the file from the disk next time, not from its cache."""
    if sys.platform == "linux":
        with suppress(OSError):  # some file systems do not support it
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _header(pixels: int) -> bytes:
    return b",".join([b"id", *(b"%d" % pixel for pixel in range(pixels))]) + b"\n"


def _fields(labels: np.ndarray) -> bytes:
    """Format labels (P,) uint8 as numbers separated by commas."""
    if labels.max() > 9:
        return b",".join([b"%d" % label for label in labels.tolist()])
    text = np.full(2 * labels.size - 1, _COMMA, np.uint8)
    text[::2] = labels + _ZERO
    return text.tobytes()


def _values(fields: bytes) -> np.ndarray:
    """Parse the fields of a row as integers. The result is empty where a field is not an integer."""
    letters = np.frombuffer(fields.removesuffix(b"\n"), np.uint8)
    digits = letters[::2] - np.uint8(_ZERO)  # wraps around below "0"
    if len(letters) % 2 and digits.max() <= 9 and (letters[1::2] == _COMMA).all():
        return digits  # each field is one digit
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # older NumPy only warns of such a field
        try:
            return np.fromstring(fields, np.int64, sep=",")
        except (ValueError, DeprecationWarning):
            return np.empty(0, np.int64)


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _differs(what: str) -> RunError:
    return RunError(
        f"{what} differs from what was written when the submission is read back.",
        where="--submission",
        hint="The disk may be failing. The file was removed.",
    )
