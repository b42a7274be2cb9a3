"""Say once why the first epoch takes longer: what bars show during it, and what is said after it without a bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import keras

COMPILING: Final = "The first step is being compiled …"

# Seconds that nobody wonders about.
_SHORT: Final = 3.0


class FirstStep(keras.callbacks.Callback):
    """Say that the first step of a training was compiled, if it took long.

    Args:
        say: prints a line
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._begun: float | None = None
        self._done = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._begun is None:
            self._begun = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._done or self._begun is None:
            return
        self._done = True
        seconds = time.monotonic() - self._begun
        if seconds > _SHORT:
            self._say(f"The first step was compiled, which took {seconds:.1f} s; the other epochs are faster.")
