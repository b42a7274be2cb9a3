"""Check the name of a file that a command is to write, before its work."""

from __future__ import annotations

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
