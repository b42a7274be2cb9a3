"""Execute a run in its folder, or go on with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from ..errors import RequestError
from ..files.run_folder import RunFolder

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..runs.run import Run

# How often to look whether another process still writes a folder, in seconds.
_PAUSE: Final = 0.5


def wait_for_claim(folder: RunFolder) -> None:
    """Wait until no other process writes the folder.

    The worker of a killed coordinator ends its step first; a job of a queue, or a user who resumes the run, the run.
    """
    while folder.path.is_dir():
        try:
            with folder.claimed():
                return
        except RequestError:
            time.sleep(_PAUSE)


def execute_or_resume(folder: RunFolder, plan: Plan, *, moved: bool = False, **options: Any) -> Run:
    """Execute a run in this folder, or resume it if it was begun before.

    Args:
        folder: the run folder, which need not exist
        plan: its plan
        moved: whether the plan names a new place of the data, which a resumed run records
        **options: further arguments that `training.loop.execute` and `resume` share
    """
    from ..networks.keras_backend import clear_session, silence_retracing_warning
    from ..training.loop import execute, resume

    with silence_retracing_warning():
        if folder.begun:
            run = resume(folder, plan, moved=moved, **options)
        else:
            folder.discard_beginning()
            run = execute(plan, out=folder.path, **options)
    # Otherwise Keras' global state would grow from run to run, and the numbers in layer names would go on.
    clear_session()
    return run
