"""What a kind of file is for the script: valid files, how they are damaged, and how they are read."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Mutate = Callable[[random.Random, bytes, bytes], bytes]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    `seeds` makes valid files. `mutate` damages one (the second is another to copy from). `read` reads the damaged file
    at `path` and returns whether it is still readable; only a RequestError may leave it. Of `--inputs`, a kind gets its
    `share`.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    mutate: Mutate
    read: Callable[[Path], bool]
    share: int
    file: str = "damaged"


def total(kinds: Sequence[FileKind]) -> int:
    return sum(kind.share for kind in kinds)
