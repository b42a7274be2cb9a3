"""Processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from marsseg_core.plugin_api import Executor, ExecutorSpec, Task, TaskResult, Workers, param, processors

from .gpus import gpu_of
from .threads import limited_to


@dataclass(frozen=True)
class Local(Executor):
    """Processes on this machine, which share its processors and GPUs without competing for them.

    Each process does one task after another, and imports Keras once.
    """

    threads: int | None = param(
        None, help="threads of each process; none: the processors divided by the processes", minimum=1, maximum=4_096
    )

    def start(self, spec: ExecutorSpec) -> Workers:
        return LocalWorkers(spec, self.threads)


class LocalWorkers(Workers):
    """Up to `spec.jobs` processes, which start with their first task. Their messages are in `spec.folder`."""

    def __init__(self, spec: ExecutorSpec, threads: int | None = None) -> None:
        self._spec = spec
        self._environment = _environment(spec.jobs, threads)
        self._results: _Results = SimpleQueue()
        self._processes: list[_Process] = []

    @property
    def places(self) -> int:
        return self._spec.jobs

    def submit(self, task: Task) -> None:
        idle = next((process for process in self._processes if process.task is None), None)
        if idle is None:
            # A process that replaces another one gets its GPU.
            slot = min({*range(self.places)} - {process.slot for process in self._processes})
            log, gpu = self._spec.folder / f"worker-{slot + 1}.log", gpu_of(slot, self.places)
            idle = _Process(slot, log, self._environment | gpu, self._results)
            self._processes.append(idle)
        idle.begin(task)

    def wait(self, seconds: float) -> list[TaskResult]:
        results = []
        with suppress(Empty):
            while True:
                process, answer = self._results.get(timeout=seconds)
                seconds = 0.0
                results += self._take(process, answer)
        return results

    def _take(self, process: _Process, answer: Mapping[str, Any] | None) -> list[TaskResult]:
        task, process.task = process.task, None
        if answer is None:
            self._processes.remove(process)
            answer = {"lost": True, "error": f"Its process ended: {process.end()}."}
        return [] if task is None else [TaskResult(task, **answer)]

    def stop(self) -> None:
        try:
            for process in self._processes:
                process.interrupt()
            for process in self._processes:
                process.end()
        except BaseException:  # a second Ctrl-C
            for process in self._processes:
                process.kill()
            raise
        self._processes.clear()


class _Process:
    """A process that does tasks, and a thread that reads its answers. The answer None says that it has ended."""

    def __init__(self, slot: int, log: Path, environment: Mapping[str, str], results: _Results) -> None:
        self.slot = slot
        self.task: Task | None = None
        with log.open("ab") as messages:
            # In a session of its own, Ctrl-C in the terminal does not reach it: it is stopped by `interrupt`.
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                env=environment,
                encoding="utf-8",
                start_new_session=True,
            )
        threading.Thread(target=self._read, args=(results,), daemon=True).start()

    def _read(self, results: _Results) -> None:
        assert self._process.stdout is not None
        try:
            with suppress(ValueError):  # half a line, of a process that was killed while it wrote
                for line in self._process.stdout:
                    results.put((self, json.loads(line)))
        finally:
            results.put((self, None))

    def begin(self, task: Task) -> None:
        """Send a task. If the process has ended meanwhile, the thread reports it."""
        assert self._process.stdin is not None
        self.task = task
        with suppress(BrokenPipeError):
            print(json.dumps(asdict(task)), file=self._process.stdin, flush=True)

    def interrupt(self) -> None:
        """Let the process end, after it has interrupted its task."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def end(self) -> str:
        """Wait for the end of the process, and describe it in words."""
        code = self._process.wait()
        if code == -9:  # SIGKILL, which Windows does not have
            return f"signal {-code}, as when memory runs out"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()


_Results: TypeAlias = "SimpleQueue[tuple[_Process, Mapping[str, Any] | None]]"


def _environment(jobs: int, threads: int | None) -> dict[str, str]:
    """Return the environment of the processes. A single one gets that of this process: it runs as `marsseg run`."""
    if threads is None and jobs == 1:
        return dict(os.environ)
    available = processors()
    return os.environ | limited_to(threads or max(1, available // jobs))
