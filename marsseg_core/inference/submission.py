"""The course's submission: a CSV file with a row for each image, its id and then its labels pixel by pixel.

Columns `id`, `0` … `8191` for images of 64×128; ids from 0 in the order of the images; row-major; integers.

It is read back before it stands under its name, since a score that costs one of few attempts hangs on it: once it was
written to the disk (`atomic_write` calls for that), and from a file that is opened anew.
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
    """A submission that is being written: `add` the images in order.

    `zeros` counts the pixels that are labelled 0, `rows` the images so far.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._shape: tuple[int, ...] | None = None
        self._digest = hashlib.blake2b()
        self.rows = 0
        self.zeros = 0

    def add(self, labels: np.ndarray) -> None:
        """The labels (H, W) uint8 of the next image; RequestError where it is of another size than the others."""
        if self._shape is None:
            self._shape = labels.shape
            self._file.write(_header(labels.size))
        if labels.shape != self._shape:
            raise RequestError(
                f"Image {self.rows} is of {_size(labels.shape)} pixels, the ones before it of {_size(self._shape)}.",
                where="--submission",
                hint="A submission has a column for each pixel, so its images are all of one size.",
            )
        self._file.write(b"%d," % self.rows + _fields(labels.ravel()) + b"\n")
        self._digest.update(labels.astype(np.int64).tobytes())
        self.rows += 1
        self.zeros += int(np.count_nonzero(labels == 0))

    def check(self, path: Path) -> None:
        """Read the file back: columns, rows, ids, and that the values are those that were given. RunError if not.

        The file is on the disk by now, and is read from there where the system can be asked to forget what it
        remembers of it: from memory a failing disk would look sound.
        """
        if self._shape is None:
            raise RunError("There is no image to submit.", where=str(path))
        pixels = int(np.prod(self._shape))
        digest = hashlib.blake2b()
        rows = 0
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            _forget_cached(file)
            if file.readline() != _header(pixels):
                raise _differs("The header")
            for line in file:
                number, _, fields = line.partition(b",")
                values = _values(fields)
                if number != b"%d" % rows or len(values) != pixels or not line.endswith(b"\n"):
                    raise _differs(f"Row {rows}")
                digest.update(values.tobytes())
                rows += 1
        if rows != self.rows:
            raise _differs(f"The number of rows, {rows},")
        if digest.digest() != self._digest.digest():
            raise _differs("A value")


@contextmanager
def new_submission(path: Path) -> Iterator[Submission]:
    """A submission to add images to. `path` is there once it was read back and found right, and not before."""
    submission: Submission

    def check(temporary: Path) -> None:
        submission.check(temporary)

    with atomic_write(path, ready=check) as temporary, temporary.open("wb", buffering=_BUFFER_BYTES) as file:
        submission = Submission(file)
        yield submission


def _forget_cached(file: IO[bytes]) -> None:
    """Have the next reading of a file come from the disk."""
    if sys.platform == "linux":
        with suppress(OSError):  # some file systems have no such thing
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _header(pixels: int) -> bytes:
    return b",".join([b"id", *(b"%d" % pixel for pixel in range(pixels))]) + b"\n"


def _fields(labels: np.ndarray) -> bytes:
    """Labels (P,) uint8 → their numbers, with commas between them."""
    if labels.max() > 9:
        return b",".join([b"%d" % label for label in labels.tolist()])
    text = np.full(2 * labels.size - 1, _COMMA, np.uint8)
    text[::2] = labels + _ZERO
    return text.tobytes()


def _values(fields: bytes) -> np.ndarray:
    """What a reader of the file finds in a row; nothing where a field is no whole number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what NumPy says of such a field, before it is an error
        try:
            return np.fromstring(fields, np.int64, sep=",")
        except (ValueError, DeprecationWarning):
            return np.empty(0, np.int64)


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _differs(what: str) -> RunError:
    return RunError(
        f"{what} is not what was written when the submission is read back.",
        where="--submission",
        hint="The disk may be failing; nothing was kept of the file.",
    )
