"""Executors for tests: one that does the tasks in this process, and one that kills a worker."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

from marsseg_core.components.interfaces import Executor
from marsseg_core.components.tasks import TaskResult, Workers
from marsseg_plugins.executors.local import Local, LocalWorkers


@dataclass(frozen=True)
class InThisProcess(Executor):
    """Does the tasks in this process, in an order of its own, and notes them."""

    jobs: int = 2
    done: list = field(default_factory=list)

    def start(self, spec):
        return InThisProcessWorkers(self.jobs, self.done)


class InThisProcessWorkers(Workers):
    def __init__(self, jobs, done):
        self.jobs, self.done, self.tasks = jobs, done, []

    @property
    def places(self):
        return self.jobs

    def submit(self, task):
        self.tasks.append(task)

    def wait(self, seconds):
        task = self.tasks.pop()
        self.done.append(task)
        return [TaskResult(task, **task.answer())]

    def stop(self):
        pass


@dataclass(frozen=True)
class Killing(Local):
    """Kills a process when it has begun its second task, and counts the tasks that were lost."""

    lost: list = field(default_factory=list)

    def start(self, spec):
        return KillingWorkers(spec, self.threads, self.lost)


class KillingWorkers(LocalWorkers):
    def __init__(self, spec, threads, lost):
        super().__init__(spec, threads)
        self.lost, self.submitted = lost, 0

    def submit(self, task):
        super().submit(task)
        self.submitted += 1
        if self.submitted == self.places + 1:
            (process,) = [each for each in self._processes if each.task == task]
            os.kill(process._process.pid, signal.SIGKILL)

    def wait(self, seconds):
        results = super().wait(seconds)
        self.lost += [result.task.name for result in results if result.lost]
        return results
