"""The workers of the executor `ray`: its tasks, which Ray's own processes do."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from marsseg_core.plugin_api import ExecutorSpec, RequestError, Task, TaskResult, Workers

from .optional import import_extra
from .remote import do
from .threads import limited_to

# How long cancelled tasks may take to write their runs, in seconds.
_PATIENCE: Final = 60.0

# Ray sets it in this process, which belongs to the user, and whose children inherit it.
_BREAKPOINT: Final = "PYTHONBREAKPOINT"


class RayWorkers(Workers):
    """Up to `spec.jobs` tasks at the same time. A connection that exists already, as in a notebook, is kept."""

    def __init__(self, spec: ExecutorSpec, needs: Mapping[str, Any]) -> None:
        self._ray = import_extra("ray", "ray")
        self._places = spec.jobs
        self._running: dict[Any, Task] = {}
        self._owned = not self._ray.is_initialized()
        if self._owned:
            self._connect()
        self._check(needs)
        # Ray itself must not repeat a task: what is lost is told.
        environment = {"env_vars": limited_to(needs["num_cpus"])}
        self._function = self._ray.remote(max_retries=0, runtime_env=environment, **needs)(do)
        self._threads = needs["num_cpus"]

    def _connect(self) -> None:
        hook = os.environ.get(_BREAKPOINT)
        try:
            self._ray.init("auto", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as cause:
            raise RequestError(
                f"No Ray cluster can be reached: {cause}",
                where="--on ray",
                hint="Start one (ray start --head), or set RAY_ADDRESS to the HOST:PORT of one.",
            ) from cause
        finally:
            os.environ.pop(_BREAKPOINT, None)
            if hook is not None:
                os.environ[_BREAKPOINT] = hook

    def _check(self, needs: Mapping[str, Any]) -> None:
        """Raise RequestError if no node has what a task needs: Ray would wait for one for ever."""
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(names[key], 0) >= needed for key, needed in needs.items()) for node in nodes):
            self.stop()
            wanted = ", ".join(f"{needed:g} {names[key]}" for key, needed in needs.items() if needed)
            raise RequestError(
                f"No node of the Ray cluster has {wanted}.", where="--on ray", hint="ray status shows it."
            )

    @property
    def places(self) -> int:
        return self._places

    def submit(self, task: Task) -> None:
        self._running[self._function.remote(asdict(task), str(Path.cwd()), self._threads)] = task

    def wait(self, seconds: float) -> list[TaskResult]:
        running = list(self._running)
        done, _ = self._ray.wait(running, num_returns=1, timeout=seconds) if running else ([], [])
        return [self._result(reference, self._running.pop(reference)) for reference in done]

    def _result(self, reference: Any, task: Task) -> TaskResult:
        errors = self._ray.exceptions
        try:
            return TaskResult(task, **self._ray.get(reference))
        except errors.RuntimeEnvSetupError as error:
            return TaskResult(task, error=f"Ray cannot start its process: {error}")
        except errors.RayTaskError as error:  # it did not come as far as the task
            return TaskResult(task, error=str(error.cause))
        except errors.RayError as error:
            return TaskResult(task, lost=True, error=f"Its Ray process ended: {type(error).__name__}.")

    def stop(self) -> None:
        running, self._running = list(self._running), {}
        for reference in running:
            self._ray.cancel(reference)
        if running:
            self._ray.wait(running, num_returns=len(running), timeout=_PATIENCE)
        if self._owned:
            self._ray.shutdown()
