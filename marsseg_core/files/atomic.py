"""Write files and folders whole or not at all: beside their place first, then renamed into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from ..errors import RequestError, RunError
from .locks import hold


@contextmanager
def atomic_write(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` only when all went well. Makes its folders.

    `ready` is called with it just before. Raises RunError when the disk is full or refuses; nothing is left behind
    then.
    """
    # The suffix stays last: Keras goes by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if ready is not None:
            ready(temporary)
        temporary.replace(path)
    except OSError as cause:
        raise RunError(
            f"{path.name} cannot be written: {cause.strerror or cause}.",
            where=str(path.parent),
            hint="What was written before is whole. Make room, or choose another folder with --out.",
        ) from cause
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def temporary_folder(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """Make a new folder beside `path`, marked as in use; it is removed at the end, unless it was renamed.

    Its name begins with a dot and the name of `path`. The folders above it are made as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-{os.getpid()}-{token_hex(4)}")
    beside.mkdir(mode)
    with ExitStack() as held:
        with suppress(BlockingIOError):  # another process is just looking whether the folder is in use
            held.enter_context(hold(beside))
        try:
            yield beside
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into; it takes the place of `path` only when all went well.

    Raises RunError when the disk is full or refuses; nothing is left behind then.
    """
    try:
        with temporary_folder(path) as beside:
            yield beside
            beside.rename(path)
    except OSError as cause:
        raise RunError(f"{path.name} cannot be written: {cause.strerror or cause}.", where=str(path.parent)) from cause


def refuse_existing(path: Path, where: str = "--out") -> None:
    """RequestError where something would be overwritten; `where` is the word that named the path.

    A link is something, wherever it leads.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except OSError as cause:
        raise RequestError(f"That is no name for a file or folder: {cause.strerror}.", where=where) from cause
    raise RequestError(f"'{path}' exists, and nothing is ever overwritten.", where=where, hint="Choose a new name.")


def require_parent(path: Path, where: str = "--out") -> None:
    """RequestError where the folder that a file is to be written into is not there."""
    if not path.parent.is_dir():
        raise RequestError(f"There is no folder '{path.parent}'.", where=where)
