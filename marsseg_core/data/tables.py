"""Read tables and lists that people and programs write: CSV with a header, and texts with one entry in each line."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..files.contents import other_content
from ..files.text import read_text
from .image_files import refuse_file

_SEPARATORS: Final = ",;\t"
_MAX_BYTES: Final = 2**28


@dataclass(frozen=True)
class Table:
    """Hold the content of a table.

    Attributes:
        header: the first line as it is in the file
        columns: the name of each column, in lower case
        rows: (number of the line, fields) of each row; rows without any text are left out
    """

    header: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, list[str]], ...]


def read_table(path: Path, *, short_rows: bool = False) -> Table:
    """Read a table in UTF-8.

    Args:
        path: the file
        short_rows: whether a row may have fewer fields than the header; the missing ones are empty

    Returns:
        The table. Its fields are exactly what the file says, including spaces and line breaks in quoted fields.

    Raises:
        RequestError: if the file cannot be read, or a row has another number of fields than the header
    """
    text = _text(path, "table", newline="")
    header = io.StringIO(text, newline=None).readline()
    separator = max(_SEPARATORS, key=header.count)
    columns = tuple(column.strip().strip('"').lower() for column in header.split(separator))
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        next(reader, None)
        for fields in reader:
            if not any(map(str.strip, fields)):
                continue
            if short_rows:
                fields += [""] * (len(columns) - len(fields))
            if len(fields) != len(columns):
                refuse_file(path, f"Line {reader.line_num} has {len(fields)} fields; the header has {len(columns)}.")
            rows.append((reader.line_num, fields))
    except csv.Error as cause:
        refuse_file(path, f"Line {reader.line_num} cannot be split into fields: {cause}.")
    return Table(header.rstrip("\n"), columns, tuple(rows))


def read_list(path: Path) -> dict[str, int]:
    """Read a text in UTF-8 with one entry in each line.

    Args:
        path: the file

    Returns:
        The number of the line, from 1, of each entry; of equal ones, the first. Lines without any text are left out.

    Raises:
        RequestError: if the file cannot be read
    """
    lines: dict[str, int] = {}
    for number, line in enumerate(_text(path, "list", newline=None).split("\n"), start=1):
        if line.strip():
            lines.setdefault(line, number)
    return lines


def _text(path: Path, kind: str, *, newline: str | None) -> str:
    """Return the text of a file, a table or a list; RequestError if it cannot be read."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            refuse_file(path, f"This file has more than {_MAX_BYTES:,} bytes.")
        if content := other_content(path, kind):
            refuse_file(path, content[0], hint=content[1])
        return read_text(path, newline=newline)
    except OSError as cause:
        refuse_file(path, f"This {kind} cannot be read: {cause.strerror}.")
    except UnicodeDecodeError as cause:
        refuse_file(path, f"This is not UTF-8 text: {cause.reason} at byte {cause.start}.")
