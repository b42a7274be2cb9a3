"""What a process does that a queue or a cluster has started for a task."""

from __future__ import annotations

import os
from typing import Any

from marsseg_core.plugin_api import Task

from .threads import limited_to


def do(task: dict[str, Any], directory: str, threads: int) -> dict[str, Any]:
    """Do a task in the directory in which the command was started, with so many threads, and return its answer."""
    os.environ.update(limited_to(threads))
    try:
        os.chdir(directory)
    except OSError as error:
        return {
            "error": f"{directory} cannot be opened on {os.uname().nodename}: {error.strerror}. All machines need it."
        }
    return Task(**task).answer()
