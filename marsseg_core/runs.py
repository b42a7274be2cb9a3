"""The run folder: the one place that knows its file names.

Everything in it is written whole or not at all: beside its place first, then renamed into it.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from .errors import RequestError, RunError

RUNS_FOLDER: Final = Path("runs")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` only when all went well. Makes its folder.

    Raises RunError when the disk is full or refuses; nothing is left behind then.
    """
    # The suffix stays last: Keras goes by it.
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(exist_ok=True)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
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
            f"'{out}' exists, and a run never overwrites anything.", where="--out", hint="Choose a new name."
        )


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
    """All that one run leaves behind."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._log: list[str] = []

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """An existing run folder; RequestError where there is none."""
        folder = cls(path)
        if not folder.plan.is_file():
            raise RequestError(
                f"'{path}' is no run folder: it has no {folder.plan.name}.", hint="Runs are kept in runs/ by default."
            )
        return folder

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def plan(self) -> Path:
        return self.path / "plan.toml"

    @property
    def split(self) -> Path:
        return self.path / "split.json"

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
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def log_file(self) -> Path:
        return self.path / "log.txt"

    def write_text(self, path: Path, text: str) -> None:
        write_bytes(path, text.encode())

    def write_json(self, path: Path, value: Any) -> None:
        self.write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def read_json(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as cause:
            raise RequestError(f"{path.name} cannot be read: {cause}", where=str(path.parent)) from cause

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
        with written_whole(path) as aside:
            draw(aside)
        return path

    def log(self, line: str) -> None:
        """Add a line, with the time, to the log."""
        # A log has a few hundred lines at most; writing it anew keeps it whole on a full disk.
        self._log.append(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {line}\n")
        self.write_text(self.log_file, "".join(self._log))
