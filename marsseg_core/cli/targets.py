"""Check the name of a file that a command is to write, before its work."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import RequestError
from ..files.atomic import refuse_existing, require_parent


def check_target(path: Path | None, option: str, suffix: str) -> None:
    """Raise RequestError if a file of this name cannot be written, or has another suffix; None is no file."""
    if path is None:
        return
    if path.suffix != suffix:
        raise RequestError(f"The file name '{path}' does not end in {suffix}.", where=option)
    refuse_existing(path, option)
    require_parent(path, option)


def check_different(**paths: Path | None) -> None:
    """Raise RequestError if two of these options lead to the same file: one would replace the other."""
    options: dict[str, str] = {}
    for option, path in paths.items():
        if path is not None and (first := options.setdefault(os.path.realpath(path), option)) != option:
            raise RequestError(
                f"--{first} and --{option} lead to the same file, '{path}'.",
                where=f"--{option}",
                hint="Choose two names.",
            )
