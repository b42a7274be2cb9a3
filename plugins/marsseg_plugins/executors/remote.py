"""What a process does that a queue or a cluster has started for a task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from marsseg_core.plugin_api import Processes, Task

from .threads import limited_to


def do(
    task: dict[str, Any],
    directory: str,
    threads: int,
    group: Processes = Processes(),  # noqa: B008 — frozen
) -> dict[str, Any]:
    """Do a task in the directory in which the command was started, with so many threads, and return its answer.

    Of a `group` of several processes, all do the task if it is for all of them; otherwise the first one does it.
    """
    if group.count > 1 and task["together"]:
        os.environ.update(group.variables)
    elif not group.leads:
        return {}
    os.environ.update(limited_to(threads))
    try:
        os.chdir(directory)
    except OSError as error:
        return {
            "error": f"{directory} cannot be opened on {os.uname().nodename}: {error.strerror}. "
            "All machines must have this folder."
        }
    return Task(**task).answer()


def answer_of(answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the answer of processes that did one task: the first one with an error, or that of the first process."""
    return next((answer for answer in answers if answer.get("error")), answers[0])
