"""Leave out of what leaves a machine, or is compared between machines, where that machine keeps its files."""

from __future__ import annotations

import os
import re
from typing import Any, Final

# The folders of an absolute path that is a parameter in a composition text, as in folder:path=/a/b:limit=3.
_FOLDERS_OF_PARAMETER: Final = re.compile(r"(?<==)[/\\][^:,=]*[/\\]")


def without_folders(value: Any) -> Any:
    """Return a value of a plan with only the last part of each absolute path in it.

    Relative paths stay: they say where a file lies in the data.

    Args:
        value: a text, or a table or list of such values; any other value is returned as it is

    Example:
        >>> without_folders({"path": "/home/me/photos", "masks": "gt/{name}.png"})
        {'path': 'photos', 'masks': 'gt/{name}.png'}
    """
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    if not isinstance(value, str):
        return value
    if os.path.isabs(value):
        return os.path.basename(value.rstrip("/\\")) or value
    return _FOLDERS_OF_PARAMETER.sub("", value)
