"""The class file of a folder data set: a class a line, with its colour where masks are coloured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from marsseg_core.components import VOID
from marsseg_core.data.pictures import Colour, refuse

FILE_NAMES: Final = ("classes.csv", "classes.txt")
VOID_NAME: Final = "void"

_HEADERS: Final = (["name"], ["name", "r", "g", "b"])
_LARGEST: Final = 2**20


@dataclass(frozen=True)
class ClassFile:
    """Names of the classes 0, 1, …, and the ids of colours, where there are colours."""

    names: tuple[str, ...]
    palette: dict[Colour, int] = field(default_factory=dict)


def read_class_file(path: Path) -> ClassFile:
    """Lines `name` or `name,r,g,b`; ids count up from 0. The line `void,r,g,b` gives the colour of void.

    Empty lines, comments (#) and a first line `name,r,g,b` are passed over. RequestError names the line that is wrong.
    """
    names: list[str] = []
    palette: dict[Colour, int] = {}
    coloured = None
    for number, line in enumerate(_lines(path), start=1):
        fields = [field.strip() for field in line.split(",")]
        if (
            line.strip() == ""
            or line.lstrip().startswith("#")
            or (not names and [f.lower() for f in fields] in _HEADERS)
        ):
            continue
        name, *shades = fields
        if not name or len(shades) not in (0, 3):
            refuse(path, f"Line {number} is neither `name` nor `name,r,g,b`: {line.strip()}")
        if coloured not in (None, bool(shades)):
            refuse(path, f"Line {number}: either all classes have a colour or none.")
        coloured = bool(shades)
        label = VOID if name == VOID_NAME else len(names)
        if shades:
            colour = _colour(path, number, shades)
            if colour in palette:
                refuse(path, f"Line {number} gives the colour of another class: {','.join(shades)}")
            palette[colour] = label
        if name != VOID_NAME:
            if name in names:
                refuse(path, f"Line {number} names the class {name} again.")
            names.append(name)
    if not 0 < len(names) <= VOID:
        refuse(path, f"A class file names 1 to {VOID} classes, not {len(names)}.")
    return ClassFile(tuple(names), palette)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST:
            refuse(path, f"A class file has at most {_LARGEST:,} bytes.")
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as cause:
        refuse(path, f"This file cannot be read: {cause.strerror}.")
    except UnicodeDecodeError as cause:
        refuse(path, f"This is no text in UTF-8: {cause.reason} at byte {cause.start}.")


def _colour(path: Path, number: int, shades: list[str]) -> Colour:
    values = [int(shade) if shade.isascii() and shade.isdecimal() else -1 for shade in shades]
    if not all(0 <= value <= 255 for value in values):
        refuse(path, f"Line {number}: a colour is three whole numbers from 0 to 255, not {','.join(shades)}.")
    return values[0], values[1], values[2]
