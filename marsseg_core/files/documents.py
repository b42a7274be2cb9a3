"""Read JSON and TOML files that may be damaged or come from a stranger.

Whatever is wrong with such a file is a RequestError that names the file and, where its content has the wrong form, the
field. Limits of size, of depth and of numbers keep a small file from taking much memory or time.
"""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from ..errors import MarssegError, RequestError
from .contents import other_content
from .regular import open_regular
from .schema import Anything, Form, FormError
from .text import decode_text

# Sizes of files in bytes. The split.json of a run on a million named items has about 80 MB; a plan has some kilobytes.
JSON_LIMIT: Final = 2**28
TOML_LIMIT: Final = 2**18

# How deeply values may be nested. The deepest file of a run has six levels.
_DEPTH: Final = 32

# Python's TOML reader takes time that grows with the square of the parts of a dotted key.
_LONG_KEY: Final = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")

# Whole numbers of 64 bits, which other programs and arrays can hold.
_WHOLE: Final = 2**63


@dataclass(frozen=True)
class Document:
    """A kind of JSON file.

    Attributes:
        form: the form of its content
        remedy: what to do where such a file is missing or damaged; "{folder}" stands for its folder
    """

    form: Form = Anything()
    remedy: str = ""


@contextmanager
def decoding(problem: str, where: Path | str, remedy: str | None = None) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into a RequestError: `problem`, a colon, and the reason.

    Decoders raise exceptions of many kinds on damaged files, and the kinds change with their versions. Therefore every
    exception counts, and only the call of the decoder belongs in the block.
    """
    try:
        yield
    except MarssegError:
        raise
    except Exception as cause:
        raise RequestError(f"{problem}: {_reason(cause)}.", where=str(where), hint=remedy) from cause


def _reason(cause: Exception) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if isinstance(cause, RecursionError):
        return "its values are nested too deeply"
    if isinstance(cause, MemoryError):
        return "it needs more memory than there is"
    lines = str(cause).strip().splitlines()
    return (lines[0] if lines else type(cause).__name__).rstrip(".")


def read_limited(path: Path, limit: int) -> bytes:
    """Read a whole file. Raises OSError if it cannot be read or is no regular file, ValueError if it has more bytes."""
    with open_regular(path) as file:
        # Not limit + 1 at once: Python takes that much memory before it reads. A file may grow meanwhile.
        content = file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
    if len(content) > limit:
        raise ValueError(f"it is larger than {limit:,} bytes")
    return content


def read_json(path: Path, document: Document = Document()) -> Any:
    """Read a JSON file, and check its form.

    Args:
        path: the file
        document: the kind of the file

    Returns:
        The content, as the form of the document reads it.

    Raises:
        RequestError: if the file cannot be read, or its content has another form
    """
    remedy = document.remedy.format(folder=path.parent) or None
    with decoding(f"{path.name} cannot be read", path.parent, remedy):
        encoded = read_limited(path, JSON_LIMIT)
        _check_content(path, path.name)
        content = parse_json(encoded)
    return checked(content, document.form, path.name, path.parent, remedy)


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises ValueError or RecursionError for a text that is not JSON, for a key that occurs twice in a table, for NaN,
    infinite numbers and whole numbers of more than 64 bits, and for values that are nested too deeply.
    """
    if not content.strip():
        raise ValueError("it is empty")
    value = json.loads(
        decode_text(content),
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_whole,
        object_pairs_hook=_without_repetition,
    )
    _check_depth(value)
    return value


def read_toml(path: Path, what: str = "") -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: the file
        what: what error messages call it, such as "The plan"; otherwise its name

    Returns:
        The content.

    Raises:
        RequestError: if the file cannot be read, or is no TOML
    """
    what, where = (what, path) if what else (path.name, path.parent)
    with decoding(f"{what} cannot be read", where):
        encoded = read_limited(path, TOML_LIMIT)
        _check_content(path, what.removeprefix("The "))
    with decoding(f"{what} is not valid TOML", where):
        text = decode_text(encoded)
        if _LONG_KEY.search(text):
            raise RecursionError
        content = tomllib.loads(text)
        _check_depth(content)
    return content


def _check_content(path: Path, expected: str) -> None:
    """Raise RequestError if the first bytes of a file tell that it is something else, such as an HTML page."""
    if content := other_content(path, expected):
        raise RequestError(content[0], where=str(path), hint=content[1])


def checked(value: Any, form: Form, name: str, where: Path, remedy: str | None = None) -> Any:
    """Return the value as `form` reads it. Raises RequestError that names the file and the field if it has another."""
    try:
        return form.read(value)
    except FormError as error:
        raise RequestError(f"{name}: {error}.", where=str(where), hint=remedy) from error


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise RecursionError
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {repeated[:60]!r} occurs twice in one table")
    return table


def _refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN and infinite numbers, which Python reads but JSON does not allow and no run writes."""
    raise ValueError(f"a run never writes the number {name}")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:60]} is too large")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if not -_WHOLE <= value < _WHOLE:
        raise ValueError(f"the number {text[:60]} is too large")
    return value
