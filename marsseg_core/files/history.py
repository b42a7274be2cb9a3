"""Write history.csv, to which each epoch adds a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .appended import AppendedFile, SeenRows
from .text import encode_text


class HistoryFile:
    """Write the table of a run with one row for each epoch."""

    def __init__(self, path: Path) -> None:
        self._file = AppendedFile(path)
        self._seen = SeenRows()
        self._columns: dict[str, None] = {}

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows, or add those that are new; see `RunFolder.write_history`."""
        start = self._seen.count(rows)
        if start and self._file.unchanged and all(row.keys() <= self._columns.keys() for row in rows[start:]):
            self._file.append(self._lines(rows[start:]))
        else:
            # Earlier rows may have more columns: those of the version with which the run began.
            self._columns = dict.fromkeys(name for row in reversed(rows) for name in row)
            heading = {name: name for name in self._columns}
            self._file.write(self._lines([heading, *rows]))
        self._seen.remember(rows)

    def _lines(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, fieldnames=list(self._columns), lineterminator="\n").writerows(rows)
        return encode_text(text.getvalue())
