"""The folder of a sweep: its files, and which process works on it."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ..errors import RequestError
from ..files.atomic import write_bytes
from ..files.locks import lock_folder
from ..files.run_folder import RunFolder
from ..files.run_paths import PLUGINS_FOLDER
from ..files.text import encode_text
from ..planning.plan import Plan

# How long to wait between two tries to lock the folder, in seconds.
_PAUSE: Final = 0.05


class SweepFolder:
    """Give access to the files of a sweep.

    Each trial has a run folder `trial-0003`, and beside it `trial-0003.toml`, the plan that was drawn for it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = RunFolder(path)

    @classmethod
    def open(cls, path: Path) -> SweepFolder:
        """Open an existing sweep. Raises RequestError if there is none."""
        folder = cls(path)
        if not os.path.isfile(folder.request):
            raise RequestError(
                f"'{path}' is not the folder of a sweep: it has no {folder.request.name}.",
                hint="By default, sweeps are in runs/.",
            )
        return folder

    @property
    def request(self) -> Path:
        """Return the path of the request, from which the sweep can go on."""
        return self.path / "request.json"

    @property
    def journal(self) -> Path:
        """Return the path of Optuna's journal."""
        return self.path / "journal.log"

    @property
    def summary(self) -> Path:
        """Return the path of the summary of all trials."""
        return self.path / "sweep.json"

    @property
    def table(self) -> Path:
        """Return the path of the table of all trials."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """Return the path of the plan of the best trial."""
        return self.path / "best.toml"

    @property
    def page(self) -> Path:
        """Return the path of the page with plots."""
        return self.path / "sweep.html"

    def results(self, suffix: str) -> Path:
        """Return the path of a file with the results of an ablation, such as ablation.csv for ".csv"."""
        return self.path / f"ablation{suffix}"

    @property
    def workers(self) -> Path:
        """Return the folder for the files of the workers."""
        return self.path / "workers"

    @property
    def _claims(self) -> Path:
        return self.path / "coordinators"

    def trial(self, number: int) -> RunFolder:
        """Return the run folder of a trial."""
        return RunFolder(self.path / trial_name(number))

    def plan(self, number: int) -> Path:
        """Return the path of the plan that was drawn for a trial."""
        return self.path / f"{trial_name(number)}.toml"

    def write_plugins(self, plan: Plan) -> list[str]:
        """Write the plugin files that the plans need; return their paths in the folder."""
        for plugin in plan.plugins:
            self._files.write_bytes(self._files.plugins / plugin.name, plugin.source)
        return [f"{PLUGINS_FOLDER}/{plugin.name}" for plugin in plan.plugins]

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file atomically."""
        write_bytes(path, encode_text(text))

    def write_json(self, path: Path, value: object) -> None:
        """Write a JSON file atomically."""
        self._files.write_json(path, value)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process draw trials inside the block; wait until none does."""
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock_folder(self.path))
                    break
                except BlockingIOError:
                    time.sleep(_PAUSE)
            yield

    @contextmanager
    def coordinated(self, *, alone: bool, command: str = "sweep") -> Iterator[str]:
        """Yield the name of a new coordinator, which counts as alive until the block or the process ends.

        Raises RequestError if it wants to be `alone`, but another one is alive; `command` is the one that can help it.
        """
        name, own = uuid.uuid4().hex[:12], ExitStack()
        with self.locked():
            self._claims.mkdir(exist_ok=True)
            others = [path.name for path in self._claims.iterdir() if self.alive(path.name)]
            if alone and others:
                raise RequestError(
                    "Another process is working on this sweep.",
                    where=str(self.path),
                    hint=f"To help it: marsseg {command} --join {self.path}",
                )
            claim = self._claims / name
            claim.mkdir()
            own.enter_context(lock_folder(claim))  # now, as others look only with the lock of the sweep
        try:
            with own:
                yield name
        finally:
            with suppress(OSError):
                shutil.rmtree(claim)
                self._claims.rmdir()  # if no other is there

    def is_last(self, name: str) -> bool:
        """Return whether a coordinator is the only one that is alive. If not, it does not count as alive any more.

        So of several that end at the same time, exactly one is the last.
        """
        with self.locked():
            last = not any(self.alive(path.name) for path in self._claims.iterdir() if path.name != name)
            if not last:
                shutil.rmtree(self._claims / name, ignore_errors=True)
            return last

    def alive(self, name: str) -> bool:
        """Return whether the coordinator of this name works on the sweep."""
        claim = self._claims / name
        if not claim.is_dir():
            return False
        try:
            with lock_folder(claim):
                return False
        except BlockingIOError:
            return True


def trial_name(number: int) -> str:
    """Return the name of the run folder of a trial."""
    return f"trial-{number:04}"
