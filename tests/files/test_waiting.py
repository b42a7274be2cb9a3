"""What a command waits for is shown on a terminal, while it lasts, and leaves nothing behind."""

from __future__ import annotations

import logging
import os
import re
import select
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

import pytest

from marsseg_core.cli.verbosity import messages_on_standard_error
from marsseg_core.files import waiting as module
from marsseg_core.files.progress import ProgressBar
from marsseg_core.files.waiting import waiting, without_spinner
from marsseg_core.messages import ROOT, get_logger

SECONDS = 0.05

# As long as this, a test waits for what must not happen.
LONG = 4 * SECONDS


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(SECONDS / 5)


class Terminal:
    """A pseudo-terminal that is standard error inside of a `with` block."""

    def __init__(self, reader: int, stream: TextIO) -> None:
        self._reader = reader
        self._stream = stream
        self._written = ""
        self._decoder = getincrementaldecoder("utf-8")()

    def __enter__(self) -> None:
        self._standard_error, sys.stderr = sys.stderr, self._stream

    def __exit__(self, *_: object) -> None:
        sys.stderr = self._standard_error

    def leave(self) -> None:
        """Close the side that shows what is written."""
        os.close(self._reader)

    def text(self) -> str:
        """All that was written since the last call."""
        seen = b""
        while select.select([self._reader], [], [], 0)[0]:
            seen += os.read(self._reader, 65_536)
        text = self._decoder.decode(seen)
        self._written += text
        return text

    def until(self, words: str) -> str:
        """Wait until some words are written, and return all that was written since the last call."""
        seen: list[str] = []
        wait_for(lambda: seen.append(self.text()) or words in "".join(seen))
        return "".join(seen)

    def lines(self) -> list[str]:
        """What is on the screen."""
        self.text()
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|\r|[^\x1b\r\n]+", self._written):
            if part == "\r":
                column = 0
            elif part == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif part == "\x1b[1A":
                row -= 1
            elif part == "\x1b[2K":
                lines[row] = ""
            elif not part.startswith("\x1b"):
                lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
                column += len(part)
        return [line for line in lines if line]


@pytest.fixture
def terminal(monkeypatch):
    pty = pytest.importorskip("pty", reason="this system has no such terminals")
    reader, writer = pty.openpty()
    monkeypatch.setattr(module, "SILENT_SECONDS", SECONDS)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with open(writer, "w", encoding="utf-8") as stream:
        yield Terminal(reader, stream)
    with suppress(OSError):
        os.close(reader)


def test_a_long_wait_is_shown_and_goes(terminal):
    with terminal, waiting("Reading the data"):
        terminal.until("Reading the data …")
    assert terminal.lines() == []


def test_a_short_wait_is_not_shown(terminal):
    with terminal, waiting("Reading the data"):
        pass
    time.sleep(LONG)
    assert terminal.text() == ""


def test_an_inner_wait_has_its_own_words(terminal):
    with terminal, waiting("Scoring"):
        terminal.until("Scoring …")
        with waiting("Loading"):
            terminal.until("Loading …")
        terminal.until("Scoring …")


def test_a_message_has_a_line_of_its_own(terminal):
    with terminal, messages_on_standard_error(), waiting("Reading the data"):
        terminal.until("Reading the data …")
        get_logger(__name__).info("3 images are dark.")
        terminal.until("3 images are dark.")
        terminal.until("Reading the data …")
    assert terminal.lines() == ["3 images are dark."]


def test_an_interruption_takes_it_away(terminal):
    def interrupted() -> None:
        with waiting("Reading the data"):
            terminal.until("Reading the data …")
            raise KeyboardInterrupt

    with terminal, pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.lines() == []


def test_the_wait_before_a_bar_is_shown_and_gives_way_to_it(terminal, monkeypatch):
    monkeypatch.setattr("marsseg_core.files.progress.SILENT_SECONDS", 0)
    with terminal, waiting("Reading the data"), ProgressBar("Preparing", "tiles.npz") as bar:
        terminal.until("Preparing tiles.npz …")
        bar(1, 2)
        bar(2, 2)
        terminal.text()
        assert " …" not in terminal.until("Preparing tiles.npz")
    assert terminal.lines() == []


def test_it_stays_away_while_something_else_is_drawn(terminal):
    with terminal, waiting("Reading the data"), without_spinner():
        wait_for(lambda: module._spinner._due)
        assert terminal.text() == ""


def test_other_threads_show_nothing(terminal):
    def wait() -> None:
        with waiting("Reading the data"):
            time.sleep(LONG)

    with terminal:
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert terminal.text() == ""


def test_nothing_is_shown_when_quiet(terminal):
    with terminal, messages_on_standard_error():
        logging.getLogger(ROOT).setLevel(logging.WARNING)
        with waiting("Reading the data"):
            time.sleep(LONG)
    assert terminal.text() == ""


def test_a_pipe_gets_the_words_of_important_waits_and_those_of_others_with_v(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with messages_on_standard_error():
        with waiting("Reading the data"):
            pass
        with waiting("Loading Keras", level=logging.INFO):
            pass
        assert capsys.readouterr().err == "Loading Keras …\n"
        logging.getLogger(ROOT).setLevel(logging.DEBUG)
        with waiting("Reading the data"):
            pass
        assert capsys.readouterr().err == "Reading the data …\n"


def test_a_terminal_that_goes_away_ends_nothing(terminal):
    with terminal, waiting("Reading the data"):
        terminal.leave()
        wait_for(lambda: module._spinner._live)


def test_a_plain_terminal_gets_no_spinner(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal, waiting("Reading the data"):
        time.sleep(LONG)
    assert terminal.text() == ""
