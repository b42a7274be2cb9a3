"""Find and read the file that names the classes of a folder: marsseg's own, or that of another tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from marsseg_core.plugin_api import VOID, Colour, get_logger, refuse_file

from .class_file import FILE_NAMES, VOID_NAME, ClassFile, read_class_file
from .json_file import read_json
from .text_file import file_text

_CVAT: Final = "labelmap.txt"
_NAMES: Final = ("class_names.txt", "class_dict.csv")
_ROBOFLOW: Final = "_classes.csv"
_JSON: Final = ("classes.json", "class_names.json", "id2label.json")
_MAX_BYTES: Final = 2**20

_REMOVE: Final = "Remove one of them."

# What VOC's palette has at 255, and with it CVAT: pixels that belong to no class.
_VOID_COLOUR: Final = (224, 224, 192)


def find_class_file(folder: Path) -> tuple[ClassFile | None, list[Path]]:
    """Return the content of the file that names the classes, or None, and a list of its path, which may be empty.

    marsseg's own file comes first. Raises RequestError if there are two, or the file cannot be read.
    """
    own = [path for name in FILE_NAMES if (path := folder / name).is_file()]
    others = [path for name in (_CVAT, *_NAMES, *_JSON) if (path := folder / name).is_file()]
    others = others or [path for place in ("", "train") if (path := folder / place / _ROBOFLOW).is_file()][:1]
    if len(own or others) > 1:
        first, second = (own or others)[:2]
        refuse_file(folder, f"There are two class files, {first.name} and {second.name}.", hint=_REMOVE)
    if own and others:
        unread = ", ".join(path.name for path in others)
        get_logger(__name__).warning("%s: the classes are those of %s; not read: %s", folder.name, own[0].name, unread)
    return _read((own or others)[0]) if own or others else None, own or others[:1]


def read_own_class_file(folder: Path) -> tuple[ClassFile | None, list[Path]]:
    """Return the same as `find_class_file`, but of marsseg's own files alone, as in older plans."""
    own = [path for name in FILE_NAMES if (path := folder / name).is_file()]
    if len(own) > 1:
        refuse_file(folder, f"There are two class files, {' and '.join(FILE_NAMES)}.", hint=_REMOVE)
    return (read_class_file(own[0]) if own else None), own


def _read(path: Path) -> ClassFile:
    if path.name == _CVAT:
        return _read_cvat(path)
    if path.name == _ROBOFLOW:
        return _read_roboflow(path)
    return _read_ids(path) if path.suffix == ".json" else read_class_file(path)


def _read_cvat(path: Path) -> ClassFile:
    """Read a label map of CVAT, with lines `name:r,g,b:parts:actions`. Ids count up from 0."""
    names: list[str] = []
    palette: dict[Colour, int] = {}
    for number, line in enumerate(file_text(path, "label map", _MAX_BYTES).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        shades = rest.partition(":")[0].split(",")
        values = [int(shade) if shade.strip().isdecimal() and shade.isascii() else -1 for shade in shades]
        if not name.strip() or len(values) != 3 or not all(0 <= value <= 255 for value in values):
            refuse_file(path, f"Line {number} is not as CVAT writes it, `name:r,g,b:parts:actions`: {line[:80]}")
        colour = (values[0], values[1], values[2])
        if name in names or colour in palette:
            refuse_file(path, f"Line {number} repeats the name or the colour of another class: {line[:80]}")
        palette[colour] = VOID if name == VOID_NAME else len(names)
        names += [name] if name != VOID_NAME else []
    _check_count(path, names)
    return ClassFile(tuple(names), {_VOID_COLOUR: VOID} | palette)


def _read_ids(path: Path) -> ClassFile:
    """Read {id: name}, {name: id} or a list of names."""
    content = read_json(path, _MAX_BYTES)
    pairs = _pairs(content)
    if pairs is None or len({number for number, _ in pairs}) < len(pairs):
        refuse_file(
            path, "A JSON of classes must be {id: name}, {name: id} or a list of names, with ids from 0 to 255."
        )
    return _numbered(path, pairs)


def _read_roboflow(path: Path) -> ClassFile:
    """Read the classes of Roboflow's masks, with lines `value, name` after a header."""
    rows = [line.partition(",") for line in file_text(path, "class file", _MAX_BYTES).splitlines() if line.strip()]
    pairs = _pairs({value.strip(): name.strip() for value, _, name in rows[1:]})
    if pairs is None or len({number for number, _ in pairs}) < len(rows) - 1:
        refuse_file(path, "This is not as Roboflow writes it: a header, and lines `value, name` with values to 255.")
    return _numbered(path, pairs)


def _numbered(path: Path, pairs: list[tuple[int, str]]) -> ClassFile:
    """Give the classes numbers from 0, in the order of their ids."""
    pairs = sorted(pairs)
    named = [(number, name) for number, name in pairs if number != VOID and name != VOID_NAME]
    names = [name for _, name in named]
    if len(set(names)) < len(names):
        refuse_file(path, "Two classes have the same name.")
    _check_count(path, names)
    ids = {number: index for index, (number, _) in enumerate(named)}
    void = {number: VOID for number, name in pairs if name == VOID_NAME}
    plain = not void and all(number == index for number, index in ids.items())
    return ClassFile(tuple(names), ids={} if plain else ids | void | {VOID: VOID})


def _pairs(content: Any) -> list[tuple[int, str]] | None:
    """Return (id, name) of each class; None if the content of the file is something else."""
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = dict(enumerate(content))
    if not isinstance(content, Mapping) or not content:
        return None
    pairs = list(content.items())
    if all(isinstance(value, int) for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    ids = [int(key) if str(key).isascii() and str(key).isdecimal() and len(str(key)) < 4 else -1 for key, _ in pairs]
    names = [name for _, name in pairs]
    if not all(0 <= number <= VOID for number in ids) or not all(isinstance(name, str) and name for name in names):
        return None
    return list(zip(ids, names, strict=True))


def _check_count(path: Path, names: Sequence[str]) -> None:
    if not 0 < len(names) <= VOID:
        refuse_file(path, f"A class file must name 1 to {VOID} classes, not {len(names)}.")
