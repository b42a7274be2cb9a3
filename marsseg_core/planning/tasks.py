"""Do many tasks on workers, and begin those again whose worker is killed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from ..components.tasks import Task, TaskResult, Workers
from ..messages import get_logger

_logger = get_logger(__name__)

# A task whose worker is killed so often is not begun again: it probably kills its workers.
MOST_TRIES: Final = 3

# The longest time between two looks at the workers, in seconds.
PULSE: Final = 1.0


def run_tasks(workers: Workers, tasks: Iterable[Task]) -> Iterator[TaskResult]:
    """Do tasks, as many at the same time as there are places, and yield each result when it is there.

    A task that is lost `MOST_TRIES` times has failed.
    """
    waiting, remaining, running, tries = deque[Task](), iter(tasks), 0, Counter[str]()
    while True:
        while running < workers.places and (task := waiting.popleft() if waiting else next(remaining, None)):
            tries[task.name] += 1
            workers.submit(task)
            running += 1
        if not running:
            return
        for result in workers.wait(PULSE):
            running -= 1
            name = result.task.name
            if result.lost and tries[name] < MOST_TRIES:
                _logger.warning(f"{name} lost its worker, and is started again. {result.error}")
                waiting.append(result.task)
            elif result.lost:
                yield replace(result, error=f"{result.error} It was started {tries[name]} times.")
            else:
                yield result
