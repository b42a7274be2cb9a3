"""Keep the hashes of a run's files, so that a change of one is noticed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import RequestError
from .atomic import atomic_write, write_bytes
from .documents import decoding, read_json
from .hashed import file_hash
from .run_forms import DOCUMENTS
from .run_paths import RunPaths
from .text import encode_text


class Manifest:
    """Write files of a folder together with their hashes, and tell which were changed since.

    Args:
        folder: the folder of a run
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = RunPaths(folder).manifest
        self._hashes: dict[str, str] = {}  # those of files that this process has written

    @contextmanager
    def replaced(self, path: Path, hash_of: Callable[[Path], str]) -> Iterator[Path]:
        """Write a file atomically, and its hash.

        The manifest is written before the file is renamed, and has the hashes of both the new and the old file. If the
        process is killed in between, the file therefore still matches the manifest.

        Args:
            path: a path in the folder
            hash_of: gives the hash of what was written to the temporary path

        Yields:
            A temporary path to write to; see `atomic_write`.

        Raises:
            RunError: if the file cannot be written
        """
        name = path.relative_to(self._folder).as_posix()
        new_hash = ""

        def update(temporary: Path) -> None:
            nonlocal new_hash
            new_hash = hash_of(temporary)
            old_hash = self._hashes.get(name) or (file_hash(path) if path.is_file() else new_hash)
            files = self._read() | {name: list(dict.fromkeys((new_hash, old_hash)))}
            write_bytes(self._file, encode_text(json.dumps({"schema": 1, "files": files}, indent=2) + "\n"))

        with atomic_write(path, ready=update) as temporary:
            yield temporary
        self._hashes[name] = new_hash

    def has(self, path: Path) -> bool:
        """Return whether a hash of a file is recorded, which may be missing or changed."""
        return path.relative_to(self._folder).as_posix() in self._read()

    def changed(self, paths: Sequence[Path]) -> list[str]:
        """Return the names of files that were changed after they were written; missing files are left out.

        Without a manifest, no file counts as changed.

        Args:
            paths: the files to check; without any, all files of the manifest are checked

        Returns:
            The paths of the changed files, relative to the folder.

        Raises:
            RequestError: if the manifest or one of the files cannot be read
        """
        selected = {path.relative_to(self._folder).as_posix() for path in paths}
        changed = []
        for name, hashes in self._read().items():
            # os.path.isfile, because Path.is_file raises for a name that no file can have.
            if (not selected or name in selected) and os.path.isfile(self._folder / name):
                with decoding(f"{name} cannot be read", self._folder), suppress(FileNotFoundError):
                    if file_hash(self._folder / name) not in hashes:
                        changed.append(name)
        return changed

    def _read(self) -> dict[str, list[str]]:
        """Read the valid hashes of each file, by its path in the folder; return {} if there is no manifest."""
        if not self._file.is_file():
            return {}
        files: dict[str, list[str]] = read_json(self._file, DOCUMENTS[self._file.name])["files"]
        if outside := [name for name in files if os.path.isabs(name) or ".." in name.split("/")]:
            raise RequestError(
                f"{self._file.name}: files has {outside[0]!r}, outside the folder.", where=str(self._folder)
            )
        return files
