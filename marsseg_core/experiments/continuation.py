"""Execute a run in its folder, or go on with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from ..files.leftovers import is_locked
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.processes import processes
from ..networks.startup import start_keras
from ..training.distribution import Devices, check_devices, join_processes

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..runs.run import Run

_logger = get_logger(__name__)

# How often to look whether another process still writes a folder, in seconds.
_PAUSE: Final = 0.5


def wait_for_claim(folder: RunFolder) -> None:
    """Wait until no other process writes the folder.

    The worker of a killed coordinator ends its step first; a job of a queue, or a user who resumes the run, the run.
    """
    told = False
    while folder.path.is_dir() and is_locked(folder.path):
        if not told:
            _logger.warning(f"Another process is working on {folder.path}. This one waits until it has ended.")
            told = True
        time.sleep(_PAUSE)


def prepare(folder: RunFolder, plan: Plan) -> tuple[bool, bool]:
    """Load Keras, and wait until no other process writes the folder. Call this in a worker, before it executes a run.

    Processes that train a run together join here.

    Args:
        folder: the run folder, which need not exist
        plan: the plan of the run

    Returns:
        Whether the run was begun before, and whether it is finished. All processes that train it have the same answer.

    Raises:
        RequestError: the plan cannot be trained on these devices, or the other processes cannot be found
    """
    check_devices(plan)
    join_processes()
    start_keras()
    devices = Devices(processes=processes())
    if devices.leads:
        wait_for_claim(folder)
        folder.discard_beginning()
    begun, finished = devices.from_leader([folder.begun, folder.begun and folder.finished])
    if finished:
        devices.part_ways()
    return begun, finished


def execute_or_resume(folder: RunFolder, plan: Plan, *, begun: bool, moved: bool = False, **options: Any) -> Run:
    """Execute a run in this folder, or resume it if it was begun before.

    Args:
        folder: the run folder, which need not exist
        plan: its plan
        begun: whether the run was begun before
        moved: whether the plan names a new place of the data, which a resumed run records
        **options: further arguments that `training.loop.execute` and `resume` share
    """
    from ..networks.keras_backend.settings import clear_session, silence_retracing_warning
    from ..training.loop import execute, resume

    with silence_retracing_warning():
        run = resume(folder, plan, moved=moved, **options) if begun else execute(plan, out=folder.path, **options)
    # Otherwise Keras' global state would grow from run to run, and the numbers in layer names would go on.
    clear_session()
    return run
