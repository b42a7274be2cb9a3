"""Let SIGTERM and SIGHUP interrupt a command as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ..messages import log_later

# SIGHUP does not exist on Windows.
_SIGNALS: Final = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

# A terminal that closes, or a cluster that stops a job, sends several signals at once: they count as one.
SAME_SECONDS: Final = 1.0


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP as Ctrl-C while the block runs; a signal that comes later ends the process at once.

    Signals that the process ignores stay ignored, such as SIGHUP after `nohup`. Only the main thread can do this; in
    other threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt = _Interrupt()
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number in _SIGNALS if previous[number] != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, previous[number])


class _Interrupt:
    """The handler of the signals. It writes nothing itself: a signal may arrive in the middle of any write."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, number: int, frame: Any) -> None:
        """Do what Ctrl-C would do; end the process if an earlier signal did so."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
            log_later(f"Stopped by {signal.Signals(number).name}, as by Ctrl-C.")
            on_ctrl_c = signal.getsignal(signal.SIGINT)
            if not callable(on_ctrl_c):  # Ctrl-C is ignored, as in a background job of a script
                raise KeyboardInterrupt
            on_ctrl_c(signal.SIGINT, frame)
        elif now - self._first >= SAME_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
