"""Tasks for other processes, and the workers of an executor that do them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import MarssegError
from ..failures import describe
from ..registry.loading import resolve_reference


@dataclass(frozen=True)
class Task:
    """Describe a call of a function in another process.

    Attributes:
        name: A name that no other task of the same workers has.
        function: The function, as "module:function". It is imported where the task is done.
        arguments: The keyword arguments: values that can be written as JSON.
        together: Whether several processes can do it together, each of which calls the function, as they train one
            network. Otherwise one process does it, also where the executor has several for a task.
    """

    name: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False

    def answer(self) -> dict[str, Any]:
        """Call the function in this process, and return what `TaskResult` is made with, as values of JSON.

        No exception leaves this method: an error becomes a text, so that it ends no worker.
        """
        try:
            return {"value": resolve_reference(self.function)(**self.arguments)}
        except KeyboardInterrupt:
            return {"lost": True, "error": "It was interrupted."}
        except MarssegError as error:
            return {"error": str(error)}
        except BaseException as error:
            return {"error": describe(error)}


@dataclass(frozen=True)
class TaskResult:
    """Hold how a task has ended.

    Attributes:
        task: The task.
        value: What its function returned.
        error: Why it failed; empty if it did not.
        lost: Whether it ended without its own fault, because its worker was killed or stopped, and can be done again.
    """

    task: Task
    value: Any = None
    error: str = ""
    lost: bool = False


@dataclass(frozen=True)
class ExecutorSpec:
    """Describe what workers are for.

    Attributes:
        folder: A folder for files of the workers, such as their logs. It exists.
        jobs: The number of tasks that are done at the same time.
    """

    folder: Path
    jobs: int = 1


class Workers(ABC):
    """Do tasks in other processes, as many at the same time as there are places.

    Use the workers in a `with` block: at its end, tasks that still run are stopped.
    """

    @property
    @abstractmethod
    def places(self) -> int:
        """Return the number of tasks that may run at the same time."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Begin a task. Call this only if fewer tasks than `places` run.

        Args:
            task: The task.
        """

    @abstractmethod
    def wait(self, seconds: float) -> Sequence[TaskResult]:
        """Wait until a task has ended, but no longer than this, and return those that have ended since the last call.

        Args:
            seconds: How long to wait.

        Returns:
            The results. A task whose worker was killed is among them, as lost; the next task gets a new worker.
        """

    @abstractmethod
    def stop(self) -> None:
        """Interrupt all tasks as Ctrl-C does, wait until they have ended, and end the workers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
