"""Read the class file of a folder data set: one class per line, with its colour if masks are in colour."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import VOID, Colour, refuse_file

from .text_file import file_text

FILE_NAMES: Final = ("classes.csv", "classes.txt")
VOID_NAME: Final = "void"

# A first line with one of these words alone is a header, not a class. If the lines have colours, any word can be one.
HEADERS: Final = frozenset({"name", "names", "class", "classes", "class name", "class_name", "label", "labels"})

_SEPARATORS: Final = "\t;,"
_HEXADECIMAL: Final = re.compile(r"#[0-9a-fA-F]{6}")

# A name that is a whole line with a colour, whose fields only spaces separate.
_UNSEPARATED: Final = re.compile(r"(.*\S)\s+(?:(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})|(#[0-9a-fA-F]{6}))")
_MAX_BYTES: Final = 2**20

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class ClassFile:
    """Hold the names of the classes 0, 1, … and how the values of masks become their ids.

    Attributes:
        names: the names
        palette: the id of each colour, if masks are in colour
        ids: the id of each value in masks; empty if values are ids
        indices: whether the indices of palette masks are the ids, whatever their colours are
    """

    names: tuple[str, ...]
    palette: dict[Colour, int] = field(default_factory=dict)
    ids: dict[int, int] = field(default_factory=dict)
    indices: bool = False

    @property
    def colours(self) -> tuple[Colour, ...] | None:
        """Return the colour of each class; None if the classes have none."""
        colour_of = {label: colour for colour, label in self.palette.items()}
        return tuple(colour_of[label] for label in range(len(self.names))) if self.palette else None


def read_class_file(path: Path) -> ClassFile:
    """Read a class file with lines `name`, `name,r,g,b` or `name,#rrggbb`.

    Ids count up from 0. The line `void,r,g,b` gives the colour of void. Fields are separated by commas, semicolons or
    tabs, and may be quoted. Empty lines, comments (#) and a header are skipped. A header is a first line whose colour
    has no digit, or that is one of HEADERS. Raises RequestError, with the line number, if a line is wrong, and if the
    fields are separated by spaces alone.
    """
    names: list[str] = []
    palette: dict[Colour, int] = {}
    coloured, void_line = None, None
    for number, (name, *shades) in _rows_without_header(path):
        if not name or (len(shades) not in (0, 3) and not _is_hexadecimal(shades)):
            what = f"Line {number} is neither `name` nor `name,r,g,b` or `name,#rrggbb`: {','.join([name, *shades])}"
            refuse_file(path, what)
        if coloured not in (None, bool(shades)):
            refuse_file(path, f"Line {number}: either all classes or no class must have a colour.")
        coloured = bool(shades)
        label = VOID if name == VOID_NAME else len(names)
        if shades:
            colour = _colour(path, number, shades)
            if colour in palette:
                refuse_file(path, f"Line {number} repeats the colour of another class: {','.join(shades)}")
            palette[colour] = label
        if name == VOID_NAME:
            void_line = number
            continue
        if void_line is not None and not coloured:
            refuse_file(
                path,
                f"Line {void_line} lists void among the classes, so the ids after it are not clear.",
                hint=f"Remove the line: the id of void is always {VOID}.",
            )
        if name in names:
            refuse_file(path, f"Line {number} names the class {name} again.")
        names.append(name)
    _check_separated(path, names)
    if not 0 < len(names) <= VOID:
        refuse_file(path, f"A class file must name 1 to {VOID} classes, not {len(names)}.")
    return ClassFile(tuple(names), palette)


def _check_separated(path: Path, names: list[str]) -> None:
    """Raise RequestError if the names, perhaps without a header, are whole lines with colours."""
    found = [_UNSEPARATED.fullmatch(name) for name in names]
    if found and found[-1] and all(found[1:]):
        line = ",".join(filter(None, found[-1].groups()))
        what = f"There are names, but no colours: `{found[-1][0]}` has no comma, so all of it is read as a name."
        refuse_file(path, what, hint=f"Separate the fields by commas: {line}")


def _rows_without_header(path: Path) -> Iterator[Row]:
    """Yield (line number, fields) of all lines except empty ones, comments and the header."""
    rows = _rows(path)
    if rows and _is_header(rows[0][1]):
        del rows[0]
    yield from rows


def _is_header(fields: list[str]) -> bool:
    name, *shades = fields
    if len(shades) == 3:
        return not any(character.isdigit() for shade in shades for character in shade) and all(shades)
    return name.lower() in HEADERS and (not shades or (len(shades) == 1 and not _is_hexadecimal(shades)))


def _is_hexadecimal(shades: list[str]) -> bool:
    return len(shades) == 1 and _HEXADECIMAL.fullmatch(shades[0]) is not None


def _rows(path: Path) -> list[Row]:
    """Return (line number, fields) of all lines except empty ones and comments.

    The separator is the one that splits each line into a name and a colour. If none does, it is the first one that
    splits any line.
    """
    lines = [
        (number, line)
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    candidates: list[list[Row]] = []
    fault = ""
    for separator in _SEPARATORS:
        rows = []
        try:
            for number, line in lines:
                rows.append((number, _fields(line, separator)))
        except csv.Error as cause:
            fault = f"Line {number} cannot be split into fields: {cause}."
            continue
        if rows and all(len(fields) == 4 for _, fields in rows):
            return rows
        candidates.append(rows)
    if not candidates:
        refuse_file(path, fault, hint="End each quoted field with a quote, and double a quote inside it.")
    split = (rows for rows in candidates if any(len(fields) > 1 for _, fields in rows))
    return next(split, candidates[0])


def _fields(line: str, separator: str) -> list[str]:
    """Split a line into fields. Raises csv.Error if its quotes do not match."""
    (fields,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    return [field.strip() for field in fields]


def _text(path: Path) -> str:
    if path.is_file() and path.stat().st_size > _MAX_BYTES:
        refuse_file(path, f"A class file has at most {_MAX_BYTES:,} bytes.")
    return file_text(path, "class file", _MAX_BYTES)


def _colour(path: Path, number: int, shades: list[str]) -> Colour:
    if _is_hexadecimal(shades):
        red, green, blue = bytes.fromhex(shades[0][1:])
        return red, green, blue
    values = [int(shade) if shade.isascii() and shade.isdecimal() else -1 for shade in shades]
    if not all(0 <= value <= 255 for value in values):
        refuse_file(path, f"Line {number}: a colour must be three whole numbers from 0 to 255, not {','.join(shades)}.")
    return values[0], values[1], values[2]
