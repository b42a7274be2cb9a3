"""The names that the user disables: by `--disable`, by MARSSEG_DISABLE, or by `marsseg.toml` in the working directory.

A disabled name is the name of a component, observer or command, `distribution/name`, or the name of a distribution,
which disables everything it provides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import RequestError, nearest
from ..files.documents import read_toml

OPTION: Final = "--disable"
VARIABLE: Final = "MARSSEG_DISABLE"
FILE: Final = Path("marsseg.toml")

_KEY: Final = "disable"


@dataclass(frozen=True)
class DisabledName:
    """A disabled name, and the option, variable or file it comes from."""

    word: str
    origin: str


def disabled_names(texts: Iterable[str] = ()) -> tuple[DisabledName, ...]:
    """Return all disabled names: from `texts`, the values of `--disable`, from the variable and from the file.

    Does not check that the names exist.
    """
    return (
        *_names_in(texts, OPTION),
        *_names_in([os.environ.get(VARIABLE, "")], VARIABLE),
        *_names_in(_read_file(), str(FILE)),
    )


def _names_in(texts: Iterable[str], origin: str) -> list[DisabledName]:
    words = [word.strip() for text in texts for word in text.split(",")]
    return [DisabledName(word, origin) for word in dict.fromkeys(words) if word]


def _read_file() -> list[str]:
    if not FILE.exists():
        return []
    settings = read_toml(FILE, "The configuration")
    for key in settings:
        if key != _KEY:
            raise RequestError(f"There is no setting '{key}'.", where=str(FILE), hint=nearest(key, [_KEY]))
    words = settings.get(_KEY, [])
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise RequestError(f"'{_KEY}' must be a list of names.", where=str(FILE), hint=f'Write {_KEY} = ["name"].')
    return words
