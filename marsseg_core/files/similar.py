"""Find the file or folder that a wrong path may mean."""

from __future__ import annotations

import os
from difflib import get_close_matches


def similar_path(path: str) -> str | None:
    """Return the path of the file or folder beside `path` whose name is most similar; None if none is similar."""
    folder, name = os.path.split(path.rstrip("/\\"))
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return None
    close = get_close_matches(name, names, n=1)
    return os.path.join(folder, close[0]) if close else None
