"""Define the interface of executors."""

from __future__ import annotations

from abc import abstractmethod

from ...registry import kinds
from ..tasks import ExecutorSpec, Workers
from .component import Component


class Executor(Component):
    """Define where tasks are done: in processes of this machine, in a queue or on a cluster.

    Example:
        ```python
        @dataclass(frozen=True)
        class MyQueue(Executor):
            '''Do tasks as jobs of my queue.'''

            partition: str = param("short", help="the partition of the jobs")

            def start(self, spec):
                return MyWorkers(self.partition, spec)
        ```
    """

    kind = kinds.EXECUTOR

    def check(self) -> None:
        """Check that what the executor needs is there. This is called before the folder of a sweep or series is made.

        Raises:
            RequestError: It is not there.
        """

    @abstractmethod
    def start(self, spec: ExecutorSpec) -> Workers:
        """Start workers.

        Args:
            spec: The number of tasks at the same time, and the folder for files of the workers.

        Returns:
            The workers. They may start their processes later, with their first task.

        Raises:
            RequestError: What the executor needs is not there.
        """
