"""Give the training its batches, which threads or processes prepare while the network trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import keras
import numpy as np

from ..data.batches import TrainingBatches
from ..data.worker_pool import WorkerPool
from ..failures import describe

WorkerKind = Literal["auto", "threads", "processes"]


class BatchFeed(keras.utils.PyDataset):
    """Give `fit` the batches of an epoch, prepared by `workers` threads or, inside of `working`, processes.

    Keras' threads call this object. With processes, each of them lets a process make its batch, and waits. The batches
    are the same in any case. The training loop sets `epoch`.
    """

    def __init__(self, batches: TrainingBatches, workers: int = 1, kind: WorkerKind = "threads") -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=2 * workers)
        self._batches = batches
        self._processes = kind == "processes" or (kind == "auto" and processes_pay(batches, workers))
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
    def working(self) -> Iterator[None]:
        """Run the worker processes, if processes were chosen."""
        if not self._processes:
            yield
            return
        self._pool = WorkerPool(self._batches, self.workers)
        try:
            yield
        finally:
            pool, self._pool = self._pool, None
            pool.close()


def processes_pay(batches: TrainingBatches, workers: int) -> bool:
    """Return whether processes are faster than threads.

    They are where Python computes (augmentations, targets), since one thread at a time runs Python code. Reading and
    scaling needs no Python code, so that a process would only add a copy. See `benchmarks/workers.py`.
    """
    return workers > 1 and batches.computes
