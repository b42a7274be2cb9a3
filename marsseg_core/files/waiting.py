"""Show what a command waits for, as a spinner with some words on standard error: on a terminal, after a second."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase
from typing import TYPE_CHECKING, Final, TextIO, cast

from ..messages import get_logger
from ..printable import printable

if TYPE_CHECKING:
    from rich.live import Live

_logger = get_logger(__name__)

# A wait that takes less time is not shown.
SILENT_SECONDS: Final = 1.0


def on_terminal() -> bool:
    """Return whether standard error is a terminal that can take back what it shows, whatever FORCE_COLOR says."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def waiting(words: str, *, level: int = logging.DEBUG) -> Iterator[None]:
    """Show `words` with a spinner while the block runs, if that takes more than a second.

    They are shown only on a terminal, and not with `--quiet`. An inner wait replaces the words of an outer one while it
    lasts. Elsewhere than on a terminal, the words are logged at `level`.

    Args:
        words: what is done, such as "Reading the data"
        level: the level of the message, as in `logging`
    """
    if not on_terminal():
        _logger.log(level, f"{words} …")
        yield
    elif threading.current_thread() is not threading.main_thread() or not _logger.isEnabledFor(logging.INFO):
        yield
    else:
        outer = _spinner.depth
        try:
            _spinner.begin(printable(words))
            yield
        finally:
            _spinner.end(outer)


def waiting_for(words: str) -> None:
    """Show other words for the innermost wait, from any thread. Elsewhere than on a terminal, they are logged."""
    if on_terminal():
        _spinner.rename(words)
    else:
        _logger.info(f"{words} …")


@contextmanager
def without_spinner() -> Iterator[None]:
    """Take the spinner away while the block writes to the terminal."""
    _spinner.pauses += 1
    try:
        _spinner.refresh()
        yield
    finally:
        _spinner.pauses -= 1
        _spinner.refresh()


class _Spinner:
    """The only spinner of the process. It shows the words of the innermost wait."""

    def __init__(self) -> None:
        self.pauses = 0
        self._words: list[str] = []
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._terminal: _Terminal | None = None
        self._live: Live | None = None
        self._due = False

    @property
    def depth(self) -> int:
        """Return the number of waits that have begun."""
        return len(self._words)

    def begin(self, words: str) -> None:
        """Begin a wait."""
        with self._lock:
            self._words.append(words)
            if self._terminal is None:  # standard error may be hidden before the spinner appears
                self._terminal = _Terminal(os.dup(sys.stderr.fileno()), sys.stderr.encoding)
            if self._timer is None:
                self._timer = threading.Timer(SILENT_SECONDS, self._take_long)
                self._timer.daemon = True
                self._timer.start()
            self.refresh()

    def rename(self, words: str) -> None:
        """Show other words for the innermost wait."""
        with self._lock:
            if self._words:
                self._words[-1] = printable(words)
                self.refresh()

    def end(self, outer: int) -> None:
        """End all waits but the first `outer`."""
        with self._lock:
            del self._words[outer:]
            self.refresh()
            if self._words:
                return
            if self._timer is not None:
                self._timer.cancel()
            if self._terminal is not None:
                self._terminal.close()
            self._timer, self._terminal, self._due = None, None, False

    def _take_long(self) -> None:
        with self._lock:
            self._due = True
            self.refresh()

    def refresh(self) -> None:
        """Show the words of the innermost wait that takes long, or nothing."""
        with self._lock:
            if not self._due or not self._words or self.pauses or self._terminal is None:
                if self._live is not None:
                    self._live.stop()
                self._live = None
                return
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner
            from rich.text import Text

            signs = "dots" if self._terminal.encoding.lower().startswith("utf") else "line"
            spinner = Spinner(signs, Text(f"{self._words[-1]} …", overflow="ellipsis", no_wrap=True))
            if self._live is not None:
                self._live.update(spinner)
                return
            self._live = Live(
                spinner,
                console=Console(file=cast(TextIO, self._terminal), force_terminal=True),
                transient=True,
                refresh_per_second=10,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()


class _Terminal(TextIOBase):
    """A text stream to a descriptor that drops what it cannot write, as when the terminal is closed."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the terminal."""
        return self._encoding

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        with suppress(OSError):
            os.write(self._descriptor, text.encode(self._encoding, errors="replace"))
        return len(text)

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()


_spinner: Final = _Spinner()
