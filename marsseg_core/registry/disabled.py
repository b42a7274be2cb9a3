"""What the user has switched off: by `--disable`, by MARSSEG_DISABLE, or by `marsseg.toml` in the working directory.

Each holds words: the name of a component or observer, `distribution/name`, or a distribution with all it provides.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import RequestError, nearest
from ..files.text import read_text

OPTION: Final = "--disable"
VARIABLE: Final = "MARSSEG_DISABLE"
FILE: Final = Path("marsseg.toml")

_KEY: Final = "disable"


@dataclass(frozen=True)
class DisabledName:
    """A word that disabled_names something off, and where it was given."""

    word: str
    origin: str


def disabled_names(given: Iterable[str] = ()) -> tuple[DisabledName, ...]:
    """All that is switched off: by what is given for the option, by the variable and the file.

    Whether there is such a thing is not asked.
    """
    return (
        *_names_in(given, OPTION),
        *_names_in([os.environ.get(VARIABLE, "")], VARIABLE),
        *_names_in(_of_file(), str(FILE)),
    )


def _names_in(texts: Iterable[str], origin: str) -> list[DisabledName]:
    words = [word.strip() for text in texts for word in text.split(",")]
    return [DisabledName(word, origin) for word in dict.fromkeys(words) if word]


def _of_file() -> list[str]:
    try:
        settings = tomllib.loads(read_text(FILE))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as cause:
        raise RequestError(f"The configuration cannot be read: {cause}.", where=str(FILE)) from cause
    for key in settings:
        if key != _KEY:
            raise RequestError(f"There is no setting '{key}'.", where=str(FILE), hint=nearest(key, [_KEY]))
    words = settings.get(_KEY, [])
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise RequestError(f"'{_KEY}' is a list of names.", where=str(FILE), hint=f'Write {_KEY} = ["name"].')
    return words
