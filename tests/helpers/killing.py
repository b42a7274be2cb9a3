"""A plugin file whose observer kills the process of a run: once, after an epoch."""

from __future__ import annotations

from pathlib import Path

_SOURCE = """
import os, signal
from contextlib import suppress
from pathlib import Path
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_epoch_finished(run, record):
    with suppress(FileExistsError), (Path(run.path).parent / "killed").open("x"):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def kills_its_process_once(folder: Path) -> Path:
    """The plugin file. Of the runs in one folder, the first one is killed, and a file `killed` says so."""
    file = folder / "kills.py"
    file.write_text(_SOURCE)
    return file
