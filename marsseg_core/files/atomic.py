"""Write files and folders atomically: under a temporary name beside the final path, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from ..errors import RequestError, RunError
from .leftovers import SUFFIX_BYTES, remove_temporary_of, shortened
from .locks import lock_folder


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into the RunError that `path` cannot be written."""
    try:
        yield
    except OSError as cause:
        raise RunError(
            f"{path.name} cannot be written: {cause.strerror or cause}.",
            where=str(path.parent),
            hint="Files written before are complete. Make room, or choose another folder with --out.",
        ) from cause


@contextmanager
def atomic_write(path: Path, ready: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; rename it to `path` if the block raises no error.

    Missing parent folders are created. `ready` is called with the temporary path just before it is renamed. Raises
    RunError if the file cannot be written, for example because the disk is full; the temporary file is then removed.
    """
    # Processes on several machines, or in several containers, may have one number. The suffix stays at the end: Keras
    # selects the file format by it.
    unique = f"{os.getpid()}-{token_hex(4)}"
    temporary = path.with_name(f".{shortened(path.stem)}.{unique}{shortened(path.suffix, SUFFIX_BYTES)}")
    try:
        with errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            if ready is not None:
                ready(temporary)
            temporary.replace(path)
    finally:
        with suppress(OSError):  # it was renamed; or it cannot exist, and an error that says more is on its way
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def temporary_folder(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """Create a folder beside `path` and lock it while it is in use; remove it at the end, unless it was renamed.

    Its name begins with a dot and the name of `path`, shortened if it is very long. Missing parent folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{shortened(path.name)}-{os.getpid()}-{token_hex(4)}")
    beside.mkdir(mode)
    with ExitStack() as locks:
        with suppress(BlockingIOError):  # another process is just checking whether the folder is in use
            locks.enter_context(lock_folder(beside))
        try:
            yield beside
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to write into; rename it to `path` if the block raises no error.

    Raises RunError if the folder cannot be written, for example because the disk is full; it is then removed.
    """
    try:
        with temporary_folder(path) as beside:
            yield beside
            beside.rename(path)
    except OSError as cause:
        raise RunError(f"{path.name} cannot be written: {cause.strerror or cause}.", where=str(path.parent)) from cause


def refuse_existing(path: Path, where: str = "--out") -> None:
    """Raise RequestError if `path` exists, also as a broken link; `where` is the option that the path came from.

    If it does not exist, remove what processes that were killed while they wrote it left beside it.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        remove_temporary_of(path)
        return
    except OSError as cause:
        raise RequestError(f"This cannot be the name of a file or folder: {cause.strerror}.", where=where) from cause
    raise RequestError(f"'{path}' exists, and nothing is ever overwritten.", where=where, hint="Choose a new name.")


def require_parent(path: Path, where: str = "--out") -> None:
    """Raise RequestError if the parent folder of `path` does not exist; `where` is the option of the path."""
    if not path.parent.is_dir():
        raise RequestError(f"There is no folder '{path.parent}'.", where=where)
