"""Give the training its batches, which threads or processes prepare while the network trains."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import keras
import numpy as np

from ..data.batches import TrainingBatches
from ..data.views import PairedBatches
from ..data.worker import room_for
from ..data.worker_pool import WorkerPool
from ..failures import describe
from ..networks.machine import processors

# Processes are chosen for batches that take longer than this to make, in seconds of a processor. To hand over a batch
# costs about 0.5 ms and 0.4 ms per MB, and one thread makes 100 shorter batches in a second.
_LONG_BATCH: Final = 0.010

# They are chosen if each of them has so many seconds of work, since it takes about 1 s to start.
_LONG_WORK: Final = 10.0


class BatchFeed(keras.utils.PyDataset):
    """Give `fit` the batches of an epoch, prepared by `workers` threads or, inside `working`, processes.

    Keras' threads call this object. With processes, each thread lets one of them make its batch, and waits. The batches
    are the same in any case. The training loop sets `epoch`.
    """

    def __init__(
        self,
        batches: TrainingBatches | PairedBatches,
        workers: int = 1,
        kind: Literal["auto", "threads", "processes"] = "threads",
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=2 * workers)
        self._batches = batches
        self._kind = kind
        self._pool: WorkerPool | None = None
        # The exception of a component in a thread of the pipeline; the backend raises another one in its place.
        self.failure: BaseException | None = None

    @property
    def epoch(self) -> int:
        """Return the number of the epoch, which may be set."""
        return self._batches.epoch

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._batches.epoch = number

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        try:
            return self._make_batch(index)
        except BaseException as failure:
            self.failure = failure
            if isinstance(failure, Exception):
                raise
            # KeyboardInterrupt, for example, would end the thread, and the training would wait for its batch forever.
            raise RuntimeError(describe(failure)) from failure

    def _make_batch(self, index: int) -> tuple[np.ndarray, Any]:
        pool = self._pool
        batch = None if pool is None else pool.make(self.epoch, index)
        return self._batches[index] if batch is None else batch

    @contextmanager
    def working(self, epochs: int) -> Iterator[None]:
        """Run worker processes inside the block, if they are chosen: by the user, or since they pay in `epochs`."""
        if self._kind == "processes" or (self._kind == "auto" and self._processes_pay(epochs)):
            self._start_pool()
        try:
            yield
        finally:
            self._close_pool()

    def relabel(self, labels: np.ndarray) -> None:
        """Replace the labels of the images without labels. Call it between two epochs."""
        assert isinstance(self._batches, PairedBatches)
        self._batches.relabel(labels)
        if self._pool is not None:  # its processes have the old labels
            self._close_pool()
            self._start_pool()

    def _start_pool(self) -> None:
        self._pool = WorkerPool(self._batches, self.workers, room_for(self[0]))

    def _close_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _processes_pay(self, epochs: int) -> bool:
        """Return whether processes are worth their costs, judged by the time that a batch takes.

        One thread at a time runs Python code, so that more threads are faster only where a library computes. Without a
        processor for each worker and one for the network, processes only take time from each other.
        """
        if not 1 < self.workers < processors():
            return False
        self[0]  # imports what is imported when it is used first
        start = time.thread_time()
        self[0]
        seconds = time.thread_time() - start
        return seconds > _LONG_BATCH and seconds * len(self) * epochs > _LONG_WORK * self.workers
