"""Remove the temporary files and folders of processes that were killed while they wrote.

`atomic` gives them names that begin with a dot and contain the number of the writing process and a random number, which
files of earlier versions do not have.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from .locks import lock_folder

_FILE: Final = re.compile(r"\.(?P<stem>.+)\.(?P<process>\d+)(-[0-9a-f]{8})?(?P<suffix>\.[^.]+)?")
_FOLDER: Final = re.compile(r"\.(?P<name>.+)-(?P<process>\d+)-[0-9a-f]{8}")

# File systems allow names of 255 bytes, some of 143. A temporary name has up to 21 more than these two parts.
_NAME_BYTES: Final = 100
SUFFIX_BYTES: Final = 20

# A folder is locked just after it was created. A younger one may therefore be in use although it is not locked.
_SECONDS_TO_LOCK: Final = 60


def shortened(name: str, limit: int = _NAME_BYTES) -> str:
    """Return a name as temporary names contain it: if it has more than `limit` bytes, its end and a hash instead."""
    if len(os.fsencode(name)) <= limit:
        return name
    end = name[-limit // 4 :]  # a character has up to four bytes
    return f"{blake2b(os.fsencode(name), digest_size=4).hexdigest()}{end}"


def is_temporary_file(path: Path) -> bool:
    """Return whether a file has the name of a temporary file."""
    return bool(_FILE.fullmatch(path.name)) and path.is_file()


def remove_temporary_files(folder: Path, *, subfolders: bool = True) -> None:
    """Remove all temporary files in a folder, and in its subfolders. No other process may be writing into them."""
    for path in [*(folder.rglob(".*") if subfolders else folder.glob(".*"))]:
        if is_temporary_file(path) and not path.is_symlink():
            with suppress(OSError):
                path.unlink()


def remove_temporary_of(target: Path) -> None:
    """Remove what killed processes left beside `target` while they wrote it, as files or as folders."""
    name = (shortened(target.stem), shortened(target.suffix, SUFFIX_BYTES))
    for path in _siblings(target):
        file, folder = _FILE.fullmatch(path.name), _FOLDER.fullmatch(path.name)
        of_target = file and (file["stem"], file["suffix"] or "") == name
        with suppress(OSError):
            if folder and folder["name"] == shortened(target.name) and path.is_dir():
                remove_abandoned_folder(path)
            elif file and of_target and path.is_file() and not _may_run(int(file["process"])):
                path.unlink()


def _siblings(target: Path) -> list[Path]:
    """Return the paths beside `target` whose names begin like those of its temporary files and folders."""
    starts = (f".{shortened(target.stem)}", f".{shortened(target.name)}")
    try:
        return [target.with_name(name) for name in os.listdir(target.parent) if name.startswith(starts)]
    except OSError:
        return []


def remove_abandoned_folders(parent: Path, temporary: Callable[[str], object]) -> None:
    """Remove the subfolders whose name is `temporary`, and which no process uses any more."""
    with suppress(OSError):
        for path in [*parent.iterdir()]:
            if temporary(path.name) and path.is_dir():
                remove_abandoned_folder(path)


def remove_abandoned_folder(folder: Path) -> None:
    """Remove a temporary folder, unless a process uses it, or may be about to lock it."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime >= _SECONDS_TO_LOCK and not may_be_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_locked(folder: Path) -> bool:
    """Return whether another process has locked a folder."""
    try:
        with lock_folder(folder):
            return False
    except BlockingIOError:
        return True


def may_be_in_use(folder: Path) -> bool:
    """Return whether another process has locked a folder; also True on file systems where locks lock nothing."""
    try:
        with lock_folder(folder):
            return not is_locked(folder)  # the lock that is held here must prevent another one
    except BlockingIOError:
        return True


def _may_run(process: int) -> bool:
    """Return whether a process with this number may be running."""
    if sys.platform == "win32":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # it belongs to another user
    return True
