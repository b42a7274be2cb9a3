"""The run folder: the one place that knows its file names.

Everything in it is written whole or not at all: beside its place first, then renamed into it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from ..errors import RequestError
from .atomic import atomic_write, refuse_existing
from .locks import hold
from .text import read_text

RUNS_FOLDER: Final = Path("runs")

# What metrics.json says of how a run ended.
FINISHED: Final = "finished"
"""Compare with `run.metrics["status"]`: the run came to its end, and its test subset was scored."""

# metrics.json of 0.1.0 (schema 1) → of today.
_RENAMED_METRICS_KEYS: Final[Mapping[str, str]] = {"parts": "subsets"}
INTERRUPTED: Final = "interrupted"

# In a run folder: the files of components that nobody packaged.
PLUGINS_FOLDER: Final = "plugins"


def create_run_folder(name: str, out: Path | None = None) -> RunFolder:
    """A new, empty run folder: `out`, or `runs/<time>-<name>[-n]`. An existing one is never taken.

    Raises RequestError where `out` exists or cannot be made.
    """
    try:
        if out is not None:
            refuse_existing(out)
            out.mkdir(parents=True)
            return RunFolder(out)
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
        number = 1
        while True:
            path = RUNS_FOLDER / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(parents=True)
                return RunFolder(path)
            except FileExistsError:
                number += 1
    except OSError as cause:
        raise RequestError(f"The run folder cannot be made: {cause.strerror}.", where=str(cause.filename)) from cause


class RunFolder:
    """Know the files of one run, and read and write them: each is written whole or not at all."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._log: str | None = None
        self._hashes: dict[str, str] = {}  # of files that this process has written

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """An existing run folder; RequestError where there is none."""
        folder = cls(path)
        if not os.path.isfile(folder.plan):  # a Path's own raises for a name that is too long
            raise RequestError(
                f"'{path}' is no run folder: it has no {folder.plan.name}.", hint="Runs are kept in runs/ by default."
            )
        return folder

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """The folder is this process's own to write in; RequestError where another one is at it.

        The claim ends with the process, however it ends. File systems without locks have none.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.path))
            except BlockingIOError as cause:
                raise RequestError("Another process is at this run.", where=str(self.path)) from cause
            yield

    def check_unfinished(self) -> None:
        """RequestError where the run has come to its end."""
        if self.metrics.is_file() and self.read_metrics().get("status") == FINISHED:
            raise RequestError("The run is finished.", where=str(self.path), hint="Its metrics.json has the scores.")

    def remove_leftovers(self) -> None:
        """Remove what a killed process left half-written beside the files."""
        files = (self.plan, self.history, self.metrics, self.network, self.checkpoint, self.manifest, self.log_file)
        for file in files:
            for temporary in file.parent.glob(f".{file.stem}.*{file.suffix}"):
                temporary.unlink(missing_ok=True)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def plan(self) -> Path:
        return self.path / "plan.toml"

    @property
    def plugins(self) -> Path:
        return self.path / PLUGINS_FOLDER

    @property
    def split(self) -> Path:
        return self.path / "split.json"

    @property
    def cleaning(self) -> Path:
        return self.path / "cleaning.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def network(self) -> Path:
        return self.path / "network.keras"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint" / "last.npz"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def log_file(self) -> Path:
        return self.path / "log.txt"

    def network_hash(self) -> str:
        """A hash of the best network's file; RequestError where the run has none."""
        try:
            return _file_hash(self.network)
        except FileNotFoundError:
            raise RequestError(
                "The run ended before its first epoch: it has no network.", where=str(self.path)
            ) from None
        except OSError as cause:
            raise RequestError(f"The network cannot be read: {cause.strerror}.", where=str(self.network)) from cause

    @contextmanager
    def written(self, path: Path) -> Iterator[Path]:
        """`atomic_write` for a file of the run. What others rely on has its hash in the manifest.

        It stands there before the file is in its place, beside the hash of what it replaces: a process that is killed
        between the two leaves a file that the manifest knows.
        """
        if not self._is_relied_on(path):
            with atomic_write(path) as temporary:
                yield temporary
            return
        name = path.relative_to(self.path).as_posix()
        found = ""

        def enter(temporary: Path) -> None:
            nonlocal found
            found = _file_hash(temporary)
            before = self._hashes.get(name) or (_file_hash(path) if path.is_file() else found)
            files = self._manifested() | {name: list(dict.fromkeys((found, before)))}
            self.write_json(self.manifest, {"schema": 1, "files": files})

        with atomic_write(path, ready=enter) as temporary:
            yield temporary
        self._hashes[name] = found

    def _is_relied_on(self, path: Path) -> bool:
        """Whether a score, or going on with the run, depends on a file: not on history, log, report and the like."""
        files = (self.plan, self.split, self.cleaning, self.metrics, self.network, self.checkpoint)
        return path in files or path.parent == self.plugins

    def _manifested(self) -> dict[str, list[str]]:
        """The hashes that each file may have, by its path in the folder; none where the run kept no manifest."""
        if not self.manifest.is_file():
            return {}
        kept = self.read_json(self.manifest)
        try:
            return {str(name): list(map(str, hashes)) for name, hashes in kept["files"].items()}
        except (KeyError, TypeError, AttributeError) as cause:
            raise RequestError("manifest.json is not as a run writes it.", where=str(self.path)) from cause

    def changed(self, *paths: Path) -> list[str]:
        """Which of these files, or else of all, are not as the run wrote them. One that is gone is none of them.

        A run from before there was a manifest has nothing to compare with.
        """
        wanted = {path.relative_to(self.path).as_posix() for path in paths}
        found = []
        for name, hashes in self._manifested().items():
            if not wanted or name in wanted:
                with suppress(FileNotFoundError):
                    if _file_hash(self.path / name) not in hashes:
                        found.append(name)
        return found

    def check_unchanged(self, *paths: Path) -> None:
        """RequestError where one of these files, or else any, is not as the run wrote it."""
        if changed := self.changed(*paths):
            raise RequestError(
                f"{', '.join(changed)}: not as the run wrote {'it' if len(changed) == 1 else 'them'}.",
                where=str(self.path),
                hint="What the run says would not be true of it. Put the file back as it was, or train anew.",
            )

    def classes(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The names of the classes that the run's data has, and those that are ignored."""
        kept = self.read_split()
        return tuple(kept["classes"]), tuple(kept["ignored"])

    def read_split(self) -> dict[str, Any]:
        """What split.json holds; RequestError where a run would not have written it so."""
        kept = self.read_json(self.split)
        if not isinstance(kept, dict) or (
            lacking := sorted(
                {"fingerprint", "source", "classes", "ignored", "train", "validation", "test"} - set(kept)
            )
        ):
            what = f"it lacks {', '.join(lacking)}" if isinstance(kept, dict) else "it is no table"
            raise RequestError(f"split.json is not as a run writes it: {what}.", where=str(self.path))
        for key in ("train", "validation", "test", "ignored"):
            if not (isinstance(kept[key], list) and all(type(item) is int for item in kept[key])):
                raise RequestError(
                    f"split.json is not as a run writes it: {key} is no list of numbers.", where=str(self.path)
                )
        return kept

    def write_bytes(self, path: Path, content: bytes) -> None:
        with self.written(path) as temporary:
            temporary.write_bytes(content)

    def write_text(self, path: Path, text: str) -> None:
        self.write_bytes(path, text.encode())

    def write_json(self, path: Path, value: Any) -> None:
        self.write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def read_json(self, path: Path) -> Any:
        try:
            return json.loads(read_text(path), parse_constant=_refuse_constant)
        except (OSError, ValueError) as cause:
            raise RequestError(f"{path.name} cannot be read: {cause}", where=str(path.parent)) from cause

    def read_metrics(self) -> dict[str, Any]:
        """Read metrics.json, with the keys of today whichever version of marsseg wrote it."""
        found = self.read_json(self.metrics)
        if not isinstance(found, dict):
            raise RequestError("metrics.json holds no table.", where=str(self.path))
        return {_RENAMED_METRICS_KEYS.get(key, key): value for key, value in found.items()}

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """One line for each epoch; a value that is undefined stays empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write_text(self.history, text.getvalue())

    def write_figure(self, name: str, draw: Callable[[Path], None]) -> Path:
        """Let `draw` write `figures/<name>.png`."""
        path = self.figures / f"{name}.png"
        with atomic_write(path) as temporary:
            draw(temporary)
        return path

    def log(self, line: str) -> None:
        """Add a line, with the time, to the log."""
        # A log has a few hundred lines at most; writing it anew keeps it whole on a full disk.
        if self._log is None:  # a resumed run goes on with its log
            self._log = read_text(self.log_file) if self.log_file.is_file() else ""
        self._log += f"{datetime.now():%Y-%m-%d %H:%M:%S}  {line}\n"
        self.write_text(self.log_file, self._log)


def _file_hash(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads, JSON does not have, and a run never writes."""
    raise ValueError(f"{name} is no number that a run writes")
