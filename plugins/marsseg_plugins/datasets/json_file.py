"""Read JSON files that people and other tools have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import refuse_file

from .text_file import file_text


def read_json(path: Path, limit: int) -> Any:
    """Return the value of a JSON file. Raises RequestError if it cannot be read or has more than `limit` bytes."""
    text = file_text(path, "JSON file", limit)
    try:
        return json.loads(text)
    except ValueError as cause:
        refuse_file(path, f"This is not JSON: {cause}.")
    except RecursionError:
        refuse_file(path, "This JSON is nested too deeply.")
