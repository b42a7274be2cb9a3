"""Read JSON files that people and other tools have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import read_text, refuse_file


def read_json(path: Path, limit: int) -> Any:
    """Return the value of a JSON file. Raises RequestError if it cannot be read or has more than `limit` bytes."""
    try:
        if path.stat().st_size > limit:
            refuse_file(path, f"This file has more than {limit:,} bytes.")
        return json.loads(read_text(path))
    except OSError as cause:
        refuse_file(path, f"This file cannot be read: {cause.strerror}.")
    except UnicodeDecodeError as cause:
        refuse_file(path, f"This is not UTF-8 text: {cause.reason} at byte {cause.start}.")
    except ValueError as cause:
        refuse_file(path, f"This is not JSON: {cause}.")
    except RecursionError:
        refuse_file(path, "This JSON is nested too deeply.")
