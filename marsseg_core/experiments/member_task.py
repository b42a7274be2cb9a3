"""What a worker does for a series: execute one of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.run_folder import FINISHED, RunFolder
from ..registry.session import open_session
from .continuation import execute_or_resume, prepare
from .resumption import plans_of_series


def execute_member(
    *, series: str, name: str, disabled: Sequence[str], trust: bool, training: Mapping[str, Any], moved: bool
) -> None:
    """Execute a run of a series, or resume it if it was begun before.

    Args:
        series: the folder of the series
        name: the name of the run
        disabled: the texts of `--disable`
        trust: whether the plugin files in the folder may be executed
        training: options of the training that change no result
        moved: whether the series has a new place of the data, which the run records

    Raises:
        KeyboardInterrupt: the worker is stopped
        MarssegError: the run fails
    """
    session = open_session(disable=disabled, trust=trust)
    folder = RunFolder(Path(series) / name)
    plan = plans_of_series(Path(series), session, training=training)[name]
    begun, finished = prepare(folder, plan)
    if finished:
        return
    if execute_or_resume(folder, plan, begun=begun, moved=moved).metrics["status"] != FINISHED:
        raise KeyboardInterrupt
