"""The life of a worker process, which makes batches for a training. It imports neither Keras nor its backend."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from ..failures import describe
from .sharing import Shared

# The arrays of a batch begin at multiples of this number of bytes, as NumPy and the backends like it.
_ALIGNMENT: Final = 64


@dataclass(frozen=True)
class Made:
    """A batch: its pickle, with the bytes of its arrays in the shared block, each from `start` to `end`."""

    pickled: bytes
    places: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Failed:
    """The exception that making a batch raised, and its traceback as text."""

    error: BaseException
    traceback: str


def room_for(batch: Any) -> int:
    """Return the number of bytes that the arrays of a batch take in a block."""
    sizes: list[int] = []
    pickle.dumps(batch, protocol=5, buffer_callback=lambda buffer: sizes.append(_aligned(buffer.raw().nbytes)))
    return sum(sizes)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def serve(connection: Connection, block: Any, shared: Shared) -> None:
    """Make the batches that are requested through the connection, until its other end is closed.

    First send None, or the reason why this process cannot make batches. Then answer each request, which is an epoch and
    the index of a batch, with Made or Failed. If the process of the training dies, its end is closed, too.
    """
    # Ctrl-C and the end of a terminal reach this process as well, but the training decides when it ends.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with suppress(EOFError, ConnectionError, BrokenPipeError):
        try:
            batches = shared.open()
        except BaseException as error:
            connection.send(describe(error))
            return
        connection.send(None)
        while True:
            batches.epoch, index = connection.recv()
            try:
                answer: Made | Failed = _store(batches[index], block)
            except BaseException as error:
                answer = Failed(_picklable(error), traceback.format_exc())
            connection.send(answer)


def _store(batch: Any, block: Any) -> Made:
    """Write the arrays of a batch into the block; what does not fit stays in the pickle."""
    room = np.frombuffer(block, np.uint8)
    places: list[tuple[int, int]] = []
    start = 0

    def leave_in_pickle(buffer: pickle.PickleBuffer) -> bool:
        nonlocal start
        content = np.frombuffer(buffer.raw(), np.uint8)
        end = start + content.nbytes
        if end > room.nbytes:
            return True
        room[start:end] = content
        places.append((start, end))
        start = _aligned(end)
        return False

    return Made(pickle.dumps(batch, protocol=5, buffer_callback=leave_in_pickle), places)


def load(made: Made, block: Any) -> Any:
    """Return a batch that a worker made; its arrays are copied from the block, which the next batch overwrites."""
    content = np.frombuffer(block, np.uint8)
    return pickle.loads(made.pickled, buffers=[content[start:end].copy() for start, end in made.places])


def _picklable(error: BaseException) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(describe(error))
    return error
