"""Read and write the files of a run folder.

All files are written atomically: under a temporary name, then renamed. Lines are added to the history and the log.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError, counted
from ..printable import printable
from .appended import AppendedFile
from .atomic import atomic_write, refuse_existing
from .documents import Document, decoding, read_json
from .hashed import HashedFile, file_hash
from .history import HistoryFile
from .leftovers import is_temporary_file, remove_temporary_files
from .locks import lock_folder
from .manifest import Manifest
from .pack import is_pack, open_pack
from .run_forms import DOCUMENTS
from .run_paths import RunPaths
from .similar import similar_path
from .text import encode_text, read_text

RUNS_FOLDER: Final = Path("runs")

FINISHED: Final = "finished"
"""Mark a finished run in `run.metrics["status"]`: training has ended, and the test subset was scored.

The test subset of a sweep's trials is scored later, and only of those that the sweep reports.
"""

INTERRUPTED: Final = "interrupted"
"""Mark an interrupted run in `run.metrics["status"]`."""

SERIES_PLAN: Final = "series.toml"
"""Name the plan in the folder of a series: that of its first run."""

SERIES_SUMMARY: Final = "summary.json"
"""Name the file of a series with its runs, their status and mean scores."""


def create_run_folder(name: str, out: Path | None = None) -> RunFolder:
    """Create a new, empty run folder: `out`, or `runs/<time>-<name>[-n]`. An existing folder is never used.

    Raises RequestError if `out` exists or the folder cannot be created.
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
        raise RequestError(f"The run folder cannot be created: {cause.strerror}.", where=str(cause.filename)) from cause


def is_transductive(split: Mapping[str, Any]) -> bool:
    """Return whether a run learns from images of its validation and test subsets, by the content of its split.json."""
    return bool(split.get("unlabelled", {}).get("transductive"))


def used_without_labels(split: Mapping[str, Any]) -> frozenset[str]:
    """Return the hashes of the images that a run used without labels, by the content of its split.json.

    They are those of `data.duplicates.digests`, as text. Older runs did not record them.
    """
    return frozenset(split.get("unlabelled", {}).get("hashes", ()))


class RunFolder(RunPaths):
    """Give access to the files of one run: their paths, and methods that read them or write them atomically.

    Args:
        path: the folder
        title: what messages and results call the run, if its folder is that of an unpacked pack
    """

    def __init__(self, path: Path | str, title: str = "") -> None:
        super().__init__(path)
        self.title = title or str(self.path)
        self.of_pack = bool(title)
        self._history = HistoryFile(self.history)
        self._log = AppendedFile(self.log_file)
        self._manifest = Manifest(self.path)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Open an existing run folder, or the run in a pack, to read it.

        Args:
            path: the folder, or the file of a pack with one run

        Returns:
            The run folder; of a pack, the one that it was unpacked to.

        Raises:
            RequestError: if there is no run at this path, or it is a pack or a series of several runs
        """
        runs = cls.open_all(path)
        if len(runs) == 1 and (runs[0].of_pack or runs[0].path == Path(path)):
            return runs[0]
        if runs[0].of_pack:
            raise RequestError(f"The pack has {len(runs)} runs; here, one run is needed.", where=str(path))
        raise RequestError(
            f"'{path}' is a series of {counted(len(runs), 'run')}; here, one run is needed.",
            where=str(path),
            hint=f"Name one of {', '.join(run.title for run in runs)}.",
        )

    @classmethod
    def open_all(cls, path: Path | str) -> list[RunFolder]:
        """Open an existing run folder, or all runs in a pack or of a series, to read them.

        Args:
            path: the folder of a run or a series, or the file of a pack

        Returns:
            The run folders, in order.

        Raises:
            RequestError: if there is no run at this path, or a pack is not as a pack must be
        """
        if os.path.isfile(path) and Path(path) == cls(Path(path).parent).network:
            raise RequestError(
                "This is the network of a run, not its folder.",
                where=str(path),
                hint=f"Name the folder: {Path(path).parent}",
            )
        if is_pack(path):
            folders = open_pack(path).folders
            numbered = len(folders) > 1
            return [cls(each, f"{path}, run {n}" if numbered else str(path)) for n, each in enumerate(folders, start=1)]
        folder = cls(path)
        if not folder.begun and (members := folder._members()):
            return members
        if not folder.begun:
            hint = hint_to_runs()
            if os.path.isdir(path) and not folder.has_content():
                hint = (
                    "If a run was killed there before it began, nothing is lost: delete the folder, and start the run "
                    "again."
                )
            elif not os.path.lexists(path) and (similar := similar_path(os.fspath(path))):
                hint = f"Did you mean '{similar}'?"
            missing = f"it has no {folder.plan.name}" if os.path.lexists(path) else "there is no such file or folder"
            raise RequestError(f"'{path}' is not a run folder: {missing}.", hint=hint)
        return [folder]

    def _members(self) -> list[RunFolder]:
        """Return the runs of a series that have begun, in order; none if this is no folder of a series."""
        summary = self.path / SERIES_SUMMARY
        if not os.path.isfile(summary):
            return []
        members = [RunFolder(self.path / name) for name in self.read_json(summary)["runs"]]
        return [member for member in members if member.begun]

    @property
    def begun(self) -> bool:
        """Return whether the folder has a plan, from which the run can be resumed."""
        return os.path.isfile(self.plan)  # unlike Path.is_file, False for a name that is too long

    def has_content(self) -> bool:
        """Return whether the folder has more than what a run writes before its plan."""
        before_plan = (self.plugins, self.manifest)
        try:
            return any(path not in before_plan and not is_temporary_file(path) for path in self.path.iterdir())
        except OSError:  # the folder cannot be read
            return True

    def discard_beginning(self) -> None:
        """Remove the folder of a run that was killed before its plan was written; keep any other folder."""
        if self.path.is_dir() and not self.begun and not self.has_content():
            with self.claimed():
                shutil.rmtree(self.path)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the folder, so that only this process writes into it; raise RequestError if another one has locked it.

        The lock ends with the process, even if it is killed. File systems without locks lock nothing.
        """
        self.check_not_of_pack()
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_folder(self.path))
            except BlockingIOError as cause:
                raise RequestError("Another process is working on this run.", where=str(self.path)) from cause
            yield

    @contextmanager
    def removed_if_empty(self) -> Iterator[None]:
        """Remove the folder at the end of the block if it is empty: the run failed before its first file."""
        try:
            yield
        finally:
            with suppress(OSError):  # it is not empty
                self.path.rmdir()

    def check_not_of_pack(self) -> None:
        """Raise RequestError if this is the run of a pack, which is only read."""
        if self.of_pack:
            raise RequestError(
                "A pack is only read: the run in it stays as it is.",
                where=self.title,
                hint=f"To start a run from its weights: --init {self.title}",
            )

    @property
    def finished(self) -> bool:
        """Return whether the run is finished: its training has ended, and the test subset was scored."""
        return self.metrics.is_file() and self.read_metrics().get("status") == FINISHED

    def check_unfinished(self) -> None:
        """Raise RequestError if the run is finished, or is that of a pack."""
        self.check_not_of_pack()
        if self.finished:
            hint = f"Its metrics.json has the scores. To train it further: marsseg run --extend {self.path} --epochs N"
            if not self.report.is_file():
                hint += f"\nTo write its figures and page: marsseg report {self.path}"
            raise RequestError("The run is finished.", where=str(self.path), hint=hint)

    def remove_leftovers(self) -> None:
        """Remove temporary files of a process that was killed while it wrote them. The folder must be claimed."""
        remove_temporary_files(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def network_hash(self) -> str:
        """Return a hash of the file of the best network; raise RequestError if it does not exist or cannot be read."""
        try:
            return file_hash(self.network)
        except FileNotFoundError:
            raise self.without_network() from None
        except OSError as cause:
            raise RequestError(f"The network cannot be read: {cause.strerror}.", where=str(self.network)) from cause

    def without_network(self) -> RequestError:
        """Return the error about a run without the file of its best network, which says why it has none."""
        if self.finished:
            return RequestError(
                "The run is finished, but it has no network: the file is gone.",
                where=str(self.network),
                hint="Restore the file from a copy, or train again.",
            )
        return RequestError(
            "The run stopped before the end of its first epoch: it has no network.",
            where=self.title,
            hint=f"`marsseg run --resume {self.path}` goes on with it.",
        )

    @contextmanager
    def written(self, path: Path) -> Iterator[Path]:
        """Write a file of the run atomically; add its hash to the manifest if scores or resuming depend on it.

        Args:
            path: a path in the run folder

        Yields:
            A temporary path to write to; see `atomic_write`.

        Raises:
            RunError: if the file cannot be written
        """
        writing = self._manifest.replaced(path, file_hash) if self._is_in_manifest(path) else atomic_write(path)
        with writing as temporary:
            yield temporary

    @contextmanager
    def written_at_once(self, path: Path) -> Iterator[HashedFile]:
        """Write a large file as `written` does, from its start to its end; its hash is computed meanwhile.

        Args:
            path: a path in the run folder, of a file that scores or resuming depend on

        Yields:
            The file to write to.

        Raises:
            RunError: if the file cannot be written
        """
        with self._manifest.replaced(path, lambda _: file.hash) as temporary, HashedFile(temporary) as file:
            yield file

    def _is_in_manifest(self, path: Path) -> bool:
        """Return whether scores or resuming depend on a file. They do not depend on history, log, report or figures."""
        scored = (self.metrics, self.decoding, self.network, self.checkpoint)
        files = (self.plan, self.split, self.labels, self.cleaning, *scored)
        return path in files or path.parent == self.plugins

    def changed(self, *paths: Path) -> list[str]:
        """Return the names of files that were changed after the run wrote them; missing files are left out.

        Runs of early versions have no manifest: none of their files counts as changed.

        Args:
            paths: the files to check; without any, all files of the manifest are checked

        Returns:
            The paths of the changed files, relative to the run folder.
        """
        return self._manifest.changed(paths)

    def lost(self, path: Path) -> bool:
        """Return whether a file is missing that the run wrote together with its hash."""
        return not path.is_file() and self._manifest.has(path)

    def check_unchanged(self, *paths: Path) -> None:
        """Raise RequestError if one of these files was changed after the run wrote it; without any, check all files.

        Args:
            paths: the files to check

        Raises:
            RequestError: if a file was changed
        """
        if changed := self.changed(*paths):
            raise RequestError(
                f"{', '.join(changed)}: not as the run wrote {'it' if len(changed) == 1 else 'them'}.",
                where=str(self.path),
                hint="The results of the run do not hold for a changed file. Restore the file, or train again.",
            )

    def classes(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Return the names of the classes of the run's data, and the ids of the ignored ones."""
        split = self.read_split()
        return tuple(split["classes"]), tuple(split["ignored"])

    def class_colours(self) -> tuple[tuple[int, ...], ...] | None:
        """Return the red, green and blue of each class of the run's data; None if they have no colours."""
        return tuple(map(tuple, self.read_split().get("colours", []))) or None

    def split_hash(self) -> str | None:
        """Return a hash of split.json, which is equal for equal files; None if it cannot be read."""
        try:
            return file_hash(self.split)
        except (OSError, RequestError):
            return None

    def read_split(self) -> dict[str, Any]:
        """Read split.json; raise RequestError if it does not have the form that a run writes."""
        split: dict[str, Any] = self.read_json(self.split)
        if beyond := [number for number in split["ignored"] if number >= len(split["classes"])]:
            raise RequestError(
                f"split.json: ignored has class {beyond[0]}, but there are {len(split['classes'])} classes.",
                where=str(self.path),
            )
        colours = split.get("colours", [])
        if colours and [len(colour) for colour in colours] != [3] * len(split["classes"]):
            raise RequestError("split.json: colours are not three numbers for each class.", where=str(self.path))
        return split

    @property
    def transductive(self) -> bool:
        """Return whether the run learns from images of its validation and test subsets, without their labels."""
        return is_transductive(self.read_split())

    def write_bytes(self, path: Path, content: bytes) -> None:
        """Write a binary file of the run.

        Args:
            path: a path in the run folder
            content: the content of the file

        Raises:
            RunError: if the file cannot be written
        """
        with self.written(path) as temporary:
            temporary.write_bytes(content)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file of the run, in UTF-8.

        Args:
            path: a path in the run folder
            text: the content of the file

        Raises:
            RunError: if the file cannot be written
        """
        self.write_bytes(path, encode_text(text))

    def write_json(self, path: Path, value: Any) -> None:
        """Write a JSON file of the run.

        Args:
            path: a path in the run folder
            value: a value that is serialisable to JSON, without NaN and infinite numbers

        Raises:
            RunError: if the file cannot be written
        """
        self.write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def read_json(self, path: Path) -> Any:
        """Read a JSON file of the run, and check the form of its content. Keys of older versions get their new names.

        Args:
            path: a path in the run folder

        Returns:
            The value in the file.

        Raises:
            RequestError: if the file cannot be read, or its content does not have the form that a run writes
        """
        return read_json(path, DOCUMENTS.get(path.name, Document()))

    def read_metrics(self) -> dict[str, Any]:
        """Read metrics.json."""
        metrics: dict[str, Any] = self.read_json(self.metrics)
        return metrics

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the history, with one row for each epoch; None becomes an empty field.

        If the last call wrote the first of these rows, only the others are added to the file: the work of an epoch does
        not grow with the number of epochs before it.

        Args:
            rows: the values of each epoch by column; the columns of the last row come first. A row that was written
                must not change.

        Raises:
            RunError: if the file cannot be written
        """
        self._history.write(rows)

    def read_history(self) -> list[dict[str, float | None]]:
        """Return the rows of the history; an empty field is None. Raises RequestError if the file cannot be read."""
        with decoding(f"{self.history.name} cannot be read", self.path):
            rows = csv.DictReader(io.StringIO(read_text(self.history)), strict=True)
            return [
                {name: int(text) if name == "epoch" else float(text) if text else None for name, text in row.items()}
                for row in rows
            ]

    def write_figure(self, name: str, draw: Callable[[Path], None]) -> Path:
        """Write the figure `figures/<name>.png`.

        Args:
            name: the name of the figure
            draw: writes the figure to the path that it is called with

        Returns:
            The path of the figure.

        Raises:
            RunError: if the file cannot be written
        """
        path = self.figures / f"{name}.png"
        with atomic_write(path) as temporary:
            draw(temporary)
        return path

    def log(self, line: str) -> None:
        """Add a line to the log, with the time.

        Args:
            line: the text of the line

        Raises:
            RunError: if the file cannot be written
        """
        time = f"{datetime.now():%Y-%m-%d %H:%M:%S}  "
        # Further lines of a message are indented: a name with a line feed does not look like another message.
        content = encode_text(time + printable(line).replace("\n", "\n" + " " * len(time)) + "\n")
        if self._log.unchanged:
            self._log.append(content)
            return
        # A resumed run continues its log, whose last line is incomplete if the machine stopped while it was written.
        earlier = self.log_file.read_bytes() if self.log_file.is_file() else b""
        if earlier and not earlier.endswith(b"\n"):
            earlier += b"\n"
        self._log.write(earlier + content)


def hint_to_runs() -> str:
    """Return where to look for runs: in the folder that has them by default, if there is one here."""
    if RUNS_FOLDER.is_dir():
        return f"By default, runs are in {RUNS_FOLDER}/."
    return f"There are no runs here yet: marsseg run makes them in {RUNS_FOLDER}/."
