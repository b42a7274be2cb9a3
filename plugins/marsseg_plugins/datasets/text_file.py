"""Read text files that people and other tools have written."""

from __future__ import annotations

from pathlib import Path

from marsseg_core.plugin_api import other_content, read_text, refuse_file


def file_text(path: Path, what: str, limit: int) -> str:
    """Return the text of a file that should be `what`, such as "table".

    Raises RequestError if it cannot be read, has more than `limit` bytes, is something else, or is not UTF-8.
    """
    try:
        if path.stat().st_size > limit:
            refuse_file(path, f"This file has more than {limit:,} bytes.")
        if content := other_content(path, what):
            refuse_file(path, content[0], hint=content[1])
        return read_text(path)
    except OSError as cause:
        refuse_file(path, f"This file cannot be read: {cause.strerror}.")
    except UnicodeDecodeError as cause:
        refuse_file(path, f"This is not UTF-8 text: {cause.reason} at byte {cause.start}.")
