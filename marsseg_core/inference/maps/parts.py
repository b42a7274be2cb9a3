"""Keep the finished blocks of a map in a folder beside it, so that a killed prediction goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...data.images import read_mask, write_png
from ...errors import RequestError
from ...files.atomic import errors_named, write_bytes
from ...files.locks import lock_folder

BLOCK: Final = 512
"""How many rows a block has, and how many rows and columns a tile of the map."""

_RECORD: Final = "request.json"


class Parts:
    """Hold blocks of labels, `BLOCK` rows over the whole width, each in a file that is written atomically.

    Attributes:
        folder: the folder
        shape: (H, W), the size of the map
    """

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self.folder = folder
        self.shape = shape

    @property
    def count(self) -> int:
        """Return the number of blocks."""
        return -(-self.shape[0] // BLOCK)

    def missing(self, numbers: range | None = None) -> list[range]:
        """Return the runs of successive blocks that are not there, among these or all."""
        runs: list[range] = []
        for number in numbers or range(self.count):
            if self._file(number).is_file():
                continue
            begins = runs.pop().start if runs and runs[-1].stop == number else number
            runs.append(range(begins, number + 1))
        return runs

    def done(self) -> int:
        """Return how many blocks are there."""
        return self.count - sum(map(len, self.missing()))

    def rows(self, number: int) -> tuple[int, int]:
        """Return the first row of a block, and the first one after it."""
        return number * BLOCK, min((number + 1) * BLOCK, self.shape[0])

    def height(self, numbers: range) -> int:
        """Return how many rows successive blocks have."""
        return self.rows(numbers.stop - 1)[1] - self.rows(numbers.start)[0]

    def write(self, number: int, labels: np.ndarray) -> None:
        """Write the labels (h, W) of a block."""
        write_png(self._file(number), labels)

    def read(self, number: int) -> np.ndarray:
        """Read the labels of a block. Raises RequestError where the file is damaged."""
        top, bottom = self.rows(number)
        labels = read_mask(self._file(number), limit=BLOCK * self.shape[1])
        if labels.shape != (bottom - top, self.shape[1]):
            raise RequestError(
                "This block does not have the size of the map.",
                where=str(self._file(number)),
                hint="Delete it, and repeat the command.",
            )
        return labels

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.png"


def folder_of(out: Path) -> Path:
    """Return the folder of the blocks of a map."""
    return out.with_name(f"{out.name}.part")


@contextmanager
def open_parts(out: Path, shape: tuple[int, int], request: Mapping[str, Any]) -> Iterator[Parts]:
    """Open the blocks of a map, those of an earlier process or new ones; remove them if the block raises no error.

    `request` is everything on which the labels depend. Raises RequestError if there are blocks of another request, or
    another process is writing them.
    """
    folder = folder_of(out)
    with errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(folder))
        except BlockingIOError as cause:
            raise RequestError(
                "Another process is predicting this map.",
                where=str(folder),
                hint="Wait until it has ended, or choose another name with --out.",
            ) from cause
        if (folder / _RECORD).is_file():
            check_request(folder, recorded(folder), request)
        else:
            write_bytes(folder / _RECORD, _text(request).encode())
        yield Parts(folder, shape)
        shutil.rmtree(folder, ignore_errors=True)


def recorded(folder: Path) -> str:
    """Return the text of the request that a folder of blocks is for. Damaged text is that of no request."""
    return (folder / _RECORD).read_text(encoding="utf-8", errors="replace")


def check_request(folder: Path, earlier: str, request: Mapping[str, Any]) -> None:
    """Raise RequestError if the blocks in a folder are of another request; `earlier` is what `recorded` returns."""
    text = _text(request)
    if earlier != text:
        _refuse(folder, _differing(earlier, text))


def _text(request: Mapping[str, Any]) -> str:
    return json.dumps(request, indent=2) + "\n"


def _differing(earlier: str, text: str) -> list[str]:
    """Return the names of the parts of a request in which two texts differ."""
    try:
        old, new = json.loads(earlier), json.loads(text)
        return [key for key in new if old.get(key) != new[key]] or [_RECORD]
    except (ValueError, AttributeError):
        return [_RECORD]


def _refuse(folder: Path, differing: Sequence[str]) -> None:
    verb = "differs" if len(differing) == 1 else "differ"
    raise RequestError(
        f"The finished blocks in this folder are of another request: {', '.join(differing)} {verb}.",
        where=str(folder),
        hint="Repeat the earlier command to continue from them, delete the folder, or choose another name with --out.",
    )
