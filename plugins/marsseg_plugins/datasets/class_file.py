"""The class file of a folder data set: a class a line, with its colour where masks are coloured."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import VOID, Colour, read_text, refuse_file

FILE_NAMES: Final = ("classes.csv", "classes.txt")
VOID_NAME: Final = "void"

# What a first line that is alone in its column says where it is no class. Before colours any wording is a header.
HEADERS: Final = frozenset({"name", "names", "class", "classes", "class name", "class_name", "label", "labels"})

_SEPARATORS: Final = "\t;,"
_LARGEST: Final = 2**20

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class ClassFile:
    """Names of the classes 0, 1, …, and the ids of colours, where there are colours."""

    names: tuple[str, ...]
    palette: dict[Colour, int] = field(default_factory=dict)


def read_class_file(path: Path) -> ClassFile:
    """Lines `name` or `name,r,g,b`; ids count up from 0. The line `void,r,g,b` gives the colour of void.

    Fields stand apart by commas, semicolons or tabs, and may be quoted. Empty lines, comments (#) and a header are
    passed over: a first line whose colour holds no digit, or that is one of HEADERS. RequestError names the line that
    is wrong.
    """
    names: list[str] = []
    palette: dict[Colour, int] = {}
    coloured, void_line = None, None
    for number, (name, *shades) in _rows_without_header(path):
        if not name or len(shades) not in (0, 3):
            refuse_file(path, f"Line {number} is neither `name` nor `name,r,g,b`: {','.join([name, *shades])}")
        if coloured not in (None, bool(shades)):
            refuse_file(path, f"Line {number}: either all classes have a colour or none.")
        coloured = bool(shades)
        label = VOID if name == VOID_NAME else len(names)
        if shades:
            colour = _colour(path, number, shades)
            if colour in palette:
                refuse_file(path, f"Line {number} gives the colour of another class: {','.join(shades)}")
            palette[colour] = label
        if name == VOID_NAME:
            void_line = number
            continue
        if void_line is not None and not coloured:
            refuse_file(
                path,
                f"Line {void_line} names void among the classes, and the ids after it are not clear.",
                hint=f"Leave the line out: void has no id but {VOID}.",
            )
        if name in names:
            refuse_file(path, f"Line {number} names the class {name} again.")
        names.append(name)
    if not 0 < len(names) <= VOID:
        refuse_file(path, f"A class file names 1 to {VOID} classes, not {len(names)}.")
    return ClassFile(tuple(names), palette)


def _rows_without_header(path: Path) -> Iterator[Row]:
    """(line number, fields) of all lines that say something, but for a header."""
    rows = _rows(path)
    if rows and _is_header(rows[0][1]):
        del rows[0]
    yield from rows


def _is_header(fields: list[str]) -> bool:
    name, *shades = fields
    if len(shades) == 3:
        return not any(character.isdigit() for shade in shades for character in shade) and all(shades)
    return not shades and name.lower() in HEADERS


def _rows(path: Path) -> list[Row]:
    """(line number, fields) of all lines but empty ones and comments.

    The separator is the one that gives each line a name and a colour; where none does, the first that occurs.
    """
    lines = [
        (number, line)
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    found: list[list[Row]] = []
    fault = ""
    for separator in _SEPARATORS:
        rows = []
        try:
            for number, line in lines:
                rows.append((number, _fields(line, separator)))
        except csv.Error as cause:
            fault = f"Line {number} cannot be taken apart: {cause}."
            continue
        if rows and all(len(fields) == 4 for _, fields in rows):
            return rows
        found.append(rows)
    if not found:
        refuse_file(path, fault, hint="A quoted field ends with a quote, and a quote within it is doubled.")
    split = (rows for rows in found if any(len(fields) > 1 for _, fields in rows))
    return next(split, found[0])


def _fields(line: str, separator: str) -> list[str]:
    """The fields of a line. Raises csv.Error where its quotes do not fit."""
    (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    return [field.strip() for field in fields]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            refuse_file(path, f"A class file has at most {_LARGEST:,} bytes.")
        return read_text(path)
    except OSError as cause:
        refuse_file(path, f"This file cannot be read: {cause.strerror}.")
    except UnicodeDecodeError as cause:
        refuse_file(path, f"This is no text in UTF-8: {cause.reason} at byte {cause.start}.")


def _colour(path: Path, number: int, shades: list[str]) -> Colour:
    values = [int(shade) if shade.isascii() and shade.isdecimal() else -1 for shade in shades]
    if not all(0 <= value <= 255 for value in values):
        refuse_file(path, f"Line {number}: a colour is three whole numbers from 0 to 255, not {','.join(shades)}.")
    return values[0], values[1], values[2]
