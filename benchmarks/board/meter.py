"""Measure the processor time of a training, epoch by epoch, also over interruptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

from marsseg_core.errors import RequestError
from marsseg_core.files.atomic import write_bytes

from .budget import processor_seconds, read_seconds


class Meter(keras.callbacks.Callback):
    """Write the processor seconds from the first step to the end of each epoch into a JSON file.

    A training that goes on after an interruption goes on with the seconds of the epochs before. If those of one are
    missing, it raises RequestError: the total would be too small.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._seconds: list[float] = []
        self._zero: float | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the clock at the first epoch that this process trains."""
        if self._zero is None:
            self._seconds = read_seconds(self._path)[:epoch]
            if len(self._seconds) < epoch:
                raise RequestError(
                    f"The processor time of epoch {len(self._seconds) + 1} was not written.",
                    where=str(self._path),
                    hint="Remove the run folder beside this file, and the row is trained again.",
                )
            self._zero = processor_seconds() - (self._seconds[-1] if self._seconds else 0.0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the seconds. This callback must be the last, so that the epoch has been scored and stored."""
        assert self._zero is not None
        self._seconds.append(round(processor_seconds() - self._zero, 2))
        write_bytes(self._path, json.dumps(self._seconds).encode())
