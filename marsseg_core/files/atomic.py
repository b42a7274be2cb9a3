"""Write files whole or not at all: beside their place first, then renamed into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RequestError, RunError


@contextmanager
def written_whole(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` only when all went well. Makes its folders.

    `ready` is called with it just before. Raises RunError when the disk is full or refuses; nothing is left behind
    then.
    """
    # The suffix stays last: Keras goes by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        if ready is not None:
            ready(aside)
        aside.replace(path)
    except OSError as cause:
        raise RunError(
            f"{path.name} cannot be written: {cause.strerror or cause}.",
            where=str(path.parent),
            hint="What was written before is whole. Make room, or choose another folder with --out.",
        ) from cause
    finally:
        aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with written_whole(path) as aside:
        aside.write_bytes(content)


def refuse_existing(out: Path) -> None:
    """RequestError where a run would overwrite something."""
    try:
        exists = out.exists()
    except OSError as cause:
        raise RequestError(f"That is no name for a folder: {cause.strerror}.", where="--out") from cause
    if exists:
        raise RequestError(
            f"'{out}' exists, and nothing is ever overwritten.", where="--out", hint="Choose a new name."
        )
