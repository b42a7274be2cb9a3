"""The workers of the executor `slurm`: jobs of submitit, which polls their results and states."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from marsseg_core.plugin_api import ExecutorSpec, Processes, RequestError, Task, TaskResult, Workers

from .optional import import_extra
from .remote import answer_of, do

# The time between two looks at the results, in seconds.
_PAUSE: Final = 0.25

# How long jobs that are cancelled may take to write their runs, in seconds. SLURM itself gives them 30 by default.
_PATIENCE: Final = 60.0

# The time between the signal that a job is nearly out of time and its end, in seconds.
_MARGIN: Final = 90


def check_queue(cluster: str) -> None:
    """Raise RequestError if submitit is not installed, or if this machine has no such queue."""
    import_extra("submitit", "slurm")
    from submitit import SlurmExecutor

    if cluster == "slurm" and SlurmExecutor.affinity() < 0:
        raise RequestError(
            "There is no SLURM on this machine: the command srun is missing.",
            where="--on slurm",
            hint="Start marsseg where jobs are submitted. To try it without a queue: --on slurm:cluster=local",
        )


class SlurmWorkers(Workers):
    """Up to `spec.jobs` jobs at the same time. Their messages, and submitit's files, are in `spec.folder`."""

    def __init__(self, spec: ExecutorSpec, cluster: str, parameters: Mapping[str, Any], threads: int) -> None:
        check_queue(cluster)
        self._submitit = import_extra("submitit", "slurm")
        self._places = spec.jobs
        self._threads = threads
        self._running: list[tuple[Task, Any]] = []
        self._executor = self._submitit.AutoExecutor(spec.folder.absolute() / "slurm", cluster=cluster)
        self._executor.update_parameters(name="marsseg", slurm_signal_delay_s=_MARGIN, **parameters)

    @property
    def places(self) -> int:
        return self._places

    def submit(self, task: Task) -> None:
        try:
            job = self._executor.submit(do_in_job, asdict(task), str(Path.cwd()), self._threads)
        except self._submitit.core.utils.FailedJobError as error:  # what the command sbatch says
            raise RequestError(
                f"SLURM does not accept the job: {_last_line(str(error))}",
                where="--on slurm",
                hint="partition, account, qos and constraint are passed to sbatch as they are.",
            ) from error
        self._running.append((task, job))

    def wait(self, seconds: float) -> list[TaskResult]:
        deadline = time.monotonic() + seconds
        while not (ended := [each for each in self._running if each[1].done()]):
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            time.sleep(min(_PAUSE, left))
        self._running = [each for each in self._running if each not in ended]
        return [self._result(task, job) for task, job in ended]

    def _result(self, task: Task, job: Any) -> TaskResult:
        utils = self._submitit.core.utils
        try:
            return TaskResult(task, **answer_of(job.results()))
        except utils.FailedJobError as error:  # it did not come as far as the task
            return TaskResult(task, error=f"Job {job.job_id} failed: {_last_line(str(error))}")
        except utils.UncompletedJobError:
            return TaskResult(task, lost=True, error=f"Its job {job.job_id} ended: {job.state.lower()}.")

    def stop(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        for _, job in self._running:
            with suppress(OSError):
                job.cancel(check=False)
        while time.monotonic() < deadline and not all(job.done(force_check=True) for _, job in self._running):
            time.sleep(_PAUSE)
        self._running.clear()


def do_in_job(task: dict[str, Any], directory: str, threads: int) -> dict[str, Any]:
    """Do a task in a job. What SLURM announces the job's end by interrupts the task, as Ctrl-C does."""
    from submitit import JobEnvironment
    from submitit.helpers import TorchDistributedEnvironment  # it needs no PyTorch

    group = Processes()
    if JobEnvironment().num_tasks > 1:
        place = TorchDistributedEnvironment()
        group = Processes(place.world_size, place.rank, f"{place.master_addr}:{place.master_port}")
    for number in (signal.SIGTERM, signal.SIGUSR2):  # cancelled or preempted; out of time
        signal.signal(number, signal.default_int_handler)
    return do(task, directory, threads, group)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip(" -*")), text)
