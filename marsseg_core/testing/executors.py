"""The contract of an executor: its workers do tasks, also several at once, and tell what became of each."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Final

from ..components.interfaces import Executor
from ..components.tasks import ExecutorSpec, Task, TaskResult, Workers
from ..errors import RunError
from ..networks.processes import processes
from .components import ComponentContract

# How long a task may take, in seconds: a queue may let its jobs wait.
_PATIENCE: Final = 300.0


def echo(value: Any) -> dict[str, Any]:
    """Return a value, and the process that returned it."""
    print("what a task prints disturbs nothing")
    return {"value": value, "process": os.getpid()}


def group() -> dict[str, Any]:
    """Return what the process knows of those that do the task with it."""
    return asdict(processes())


def fail() -> None:
    """Raise an error of marsseg."""
    raise RunError("The loss is not finite.")


def crash() -> None:
    """End the process, as a crash does."""
    os._exit(3)


def sleep() -> None:
    """Wait until the task is stopped."""
    time.sleep(_PATIENCE)


class ExecutorContract(ComponentContract):
    """Check an executor: its workers do tasks in other processes, and report errors, crashes and stopped tasks.

    Attributes:
        component: The executor. A subclass must set it.

    Example:
        ```python
        class TestMyQueue(ExecutorContract):
            component = MyQueue(partition="short")
        ```
    """

    component: ClassVar[Executor]

    def start(self, folder: Path, jobs: int = 1) -> Workers:
        return self.component.start(ExecutorSpec(folder, jobs))

    def task(self, name: str, function: str, **arguments: Any) -> Task:
        return Task(name, f"{__name__}:{function}", arguments)

    def results(self, workers: Workers, tasks: Sequence[Task]) -> dict[str, TaskResult]:
        """Do tasks, and return their results by name."""
        waiting, results = [*tasks], dict[str, TaskResult]()
        deadline = time.monotonic() + _PATIENCE
        while len(results) < len(tasks):
            while waiting and len(tasks) - len(waiting) - len(results) < workers.places:
                workers.submit(waiting.pop(0))
            results |= {result.task.name: result for result in workers.wait(1.0)}
            assert time.monotonic() < deadline, f"no result for {sorted({each.name for each in tasks} - set(results))}"
        return results

    def test_it_is_checked_before_anything_is_written(self, tmp_path: Path) -> None:
        self.component.check()
        assert not [*tmp_path.iterdir()]

    def test_it_does_tasks_in_other_processes(self, tmp_path: Path) -> None:
        values = [1, "two", [3.5, None], {"four": True}]
        tasks = [self.task(f"task {number}", "echo", value=value) for number, value in enumerate(values)]
        with self.start(tmp_path, jobs=2) as workers:
            results = self.results(workers, tasks)
        assert [results[task.name].value["value"] for task in tasks] == values
        assert os.getpid() not in {result.value["process"] for result in results.values()}

    def test_a_failed_task_harms_no_other(self, tmp_path: Path) -> None:
        tasks = [self.task("wrong", "fail"), self.task("killed", "crash"), self.task("right", "echo", value=1)]
        with self.start(tmp_path) as workers:
            results = self.results(workers, tasks)
        assert (results["wrong"].error, results["wrong"].lost) == ("The loss is not finite.", False)
        assert results["killed"].lost, "a task whose process has ended must be lost, so that it is done again"
        assert results["killed"].error, "the result of a lost task must say what became of its process"
        assert results["right"].value["value"] == 1

    def test_running_tasks_are_stopped(self, tmp_path: Path) -> None:
        begin = time.monotonic()
        with self.start(tmp_path) as workers:
            workers.submit(self.task("long", "sleep"))
            workers.wait(1.0)
        assert time.monotonic() - begin < _PATIENCE, "the task was not stopped at the end of the block"
