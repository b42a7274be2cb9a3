"""Let the workers of an executor execute the runs of a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..components.interfaces import Executor
from ..components.tasks import ExecutorSpec, Task
from ..messages import get_logger
from ..planning.tasks import run_tasks

_logger = get_logger(__name__)

# The function that a worker calls. It is named, not imported: it imports the series.
_FUNCTION: Final = "marsseg_core.experiments.member_task:execute_member"

WORKERS: Final = "workers"
"""Name the folder with the workers' files, such as their logs, in the folder of the series."""


@dataclass(frozen=True)
class MemberWorkers:
    """Where the runs of a series are executed, if not one after the other in this process.

    Attributes:
        executor: the executor
        jobs: the number of runs at the same time
        disabled: the texts of `--disable`
    """

    executor: Executor
    jobs: int
    disabled: tuple[str, ...] = ()

    def execute(self, series: Path, names: Sequence[str], ended: Callable[[str], None], **arguments: Any) -> list[str]:
        """Execute runs of the series in a folder, and return what went wrong; a run that fails harms no other.

        Args:
            series: the folder of the series, which has its plan
            names: the names of the runs
            ended: is called with the name of each run that has ended well
            **arguments: further arguments of `execute_member`
        """
        folder = series / WORKERS
        folder.mkdir(exist_ok=True)
        arguments |= {"series": str(series.absolute()), "disabled": list(self.disabled)}
        tasks = [Task(name, _FUNCTION, {"name": name, **arguments}, together=True) for name in names]
        errors = []
        with self.executor.start(ExecutorSpec(folder, self.jobs)) as workers:
            for result in run_tasks(workers, tasks):
                name = result.task.name
                if result.error:
                    _logger.warning(f"{name} failed: {result.error}")
                    errors.append(f"{name}: {result.error}")
                else:
                    ended(name)
        return errors
