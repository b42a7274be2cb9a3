"""Make batches in worker processes. Where that is impossible, the caller makes them itself: they are the same."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Final

from ..errors import RunError
from ..failures import describe
from ..messages import log_later
from .batches import TrainingBatches
from .sharing import SPAWN, Shared, share, shared_block
from .views import PairedBatches
from .worker import Failed, Made, load, serve

# How long a worker may take to finish its last batch, in seconds.
_PATIENCE: Final = 5.0

_starting = threading.Lock()


class WorkerPool:
    """Make batches in `count` processes, each used by one thread at a time.

    `size` is the number of bytes of a batch, for which there is shared memory. If the processes cannot be started, or
    one of them is killed, a warning says why, and `make` returns None from then on.
    """

    def __init__(self, batches: TrainingBatches | PairedBatches, count: int, size: int) -> None:
        self._unusable = False
        self._closed = False
        self._telling = threading.Lock()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: list[_Worker] = []
        try:
            shared = share(batches)
            for _ in range(count):
                self._workers.append(_Worker(shared, size))
        except Exception as error:  # of a class of a plugin that cannot be pickled, or of a system without resources
            self._give_up(describe(error))
        for worker in self._workers:
            self._idle.put(worker)

    def make(self, epoch: int, index: int) -> Any:
        """Return a batch, or None if the caller must make it. Raise what making the batch raised.

        Raises RunError if a worker ends by itself, since the same would happen in the caller.
        """
        if self._unusable:
            return None
        worker = self._idle.get()
        try:
            return None if self._unusable else worker.make(epoch, index)
        except _EndedError as ended:
            if not self._closed and ended.crashed:
                raise RunError(
                    f"The preparation of a batch ended its process: {ended}.",
                    hint="An augmentation, or a library that it uses, crashes. To find it, leave augmentations out.",
                ) from None
            self._give_up(str(ended))
            return None
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all processes. Threads that are inside `make` get a batch or None."""
        self._closed = self._unusable = True
        deadline = time.monotonic() + _PATIENCE
        for _ in self._workers:
            with suppress(Empty):
                self._idle.get(timeout=max(0.0, deadline - time.monotonic())).hang_up()
        for worker in self._workers:
            worker.end(max(0.0, deadline - time.monotonic()))
            self._idle.put(worker)  # for threads that wait for one: they will see that the pool is closed

    def _give_up(self, reason: str) -> None:
        with self._telling:
            if not self._unusable:
                # The run logs it between two steps: this may be one of Keras' threads.
                log_later(f"Batches are prepared by threads, not by worker processes: {reason}.")
            self._unusable = True


class _EndedError(Exception):
    """Report that a process ended or cannot work. `crashed` says that it ended itself: nobody else killed it."""

    def __init__(self, reason: str, *, crashed: bool = False) -> None:
        super().__init__(reason)
        self.crashed = crashed


class _FromWorkerError(Exception):
    """Show the traceback of an exception in a worker process, as the cause of that exception."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Worker:
    """Start a process that makes batches, and talk to it."""

    def __init__(self, shared: Shared, size: int) -> None:
        self._block = shared_block(size)
        self._connection, its_end = SPAWN.Pipe()
        # A daemon is ended when this process exits, even if nobody closes the pool.
        self._process = SPAWN.Process(target=serve, args=(its_end, self._block, shared), daemon=True)
        with its_end, _without_main_module(), _interrupts_blocked():
            self._process.start()
        self._ready = False

    def make(self, epoch: int, index: int) -> Any:
        """Return a batch; raise what making it raised, or _EndedError."""
        try:
            if not self._ready and (problem := self._connection.recv()):
                raise _EndedError(problem)
            self._ready = True
            self._connection.send((epoch, index))
            answer: Made | Failed = self._connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if isinstance(answer, Failed):
            raise answer.error from _FromWorkerError(answer.traceback)
        return load(answer, self._block)

    def hang_up(self) -> None:
        """Close the connection, so that the process ends."""
        self._connection.close()

    def end(self, seconds: float) -> None:
        """Wait for the end of the process; kill it if it takes longer."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _ended(self) -> _EndedError:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        killed = code in (None, -signal.SIGTERM, -getattr(signal, "SIGKILL", signal.SIGTERM))
        status = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return _EndedError(f"a process ended ({status})", crashed=self._ready and not killed)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Let a new process leave out the user's script, which it would execute again.

    A script without `if __name__ == "__main__"` would start the training again in each worker.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C from a new process until it ignores it. Windows has no such switch."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else the first process would start it, which unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
