"""The names that the user disables: by `--disable`, by MARSSEG_DISABLE, or by a configuration file.

A disabled name is the name of a component, observer or command, `distribution/name`, or the name of a distribution,
which disables everything it provides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..errors import RequestError
from ..files.configuration import DISABLE, Configuration, configurations

OPTION: Final = "--disable"
VARIABLE: Final = "MARSSEG_DISABLE"


@dataclass(frozen=True)
class DisabledName:
    """A disabled name, and the option, variable or file it comes from."""

    word: str
    origin: str


def disabled_names(texts: Iterable[str] = ()) -> tuple[DisabledName, ...]:
    """Return all disabled names: from `texts`, the values of `--disable`, from the variable and from the files.

    Does not check that the names exist.
    """
    return (
        *_names_in(texts, OPTION),
        *_names_in([os.environ.get(VARIABLE, "")], VARIABLE),
        *(name for each in configurations() for name in _names_in(_listed(each), each.title)),
    )


def _names_in(texts: Iterable[str], origin: str) -> list[DisabledName]:
    words = [word.strip() for text in texts for word in text.split(",")]
    return [DisabledName(word, origin) for word in dict.fromkeys(words) if word]


def _listed(configuration: Configuration) -> list[str]:
    words = configuration.values.get(DISABLE, [])
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        hint = f'Write {DISABLE} = ["name"].'
        raise RequestError(f"'{DISABLE}' must be a list of names.", where=configuration.title, hint=hint)
    return words
