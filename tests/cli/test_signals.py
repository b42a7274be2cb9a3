"""Test that SIGTERM and SIGHUP interrupt a command as Ctrl-C does, and that runs go on without their terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.processes import PLAIN_TERMINAL

from marsseg_core import messages
from marsseg_core.cli import signals
from marsseg_core.cli.signals import signals_interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def waiting(monkeypatch):
    """The warnings that are not logged yet."""
    monkeypatch.setattr(messages, "_waiting", messages.deque())
    return messages._waiting


@pytest.fixture(autouse=True)
def sighup_not_ignored():
    """Also if the tests are started with `nohup`, whose SIG_IGN the processes that they start would inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("on_ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_a_signal_interrupts(name, on_ctrl_c, waiting):
    """Also where Ctrl-C is ignored, as in background jobs of scripts."""
    number = getattr(signal, name)
    before = signal.getsignal(number)
    on_ctrl_c_before = signal.signal(signal.SIGINT, on_ctrl_c)
    try:
        with pytest.raises(KeyboardInterrupt), signals_interrupt():
            signal.raise_signal(number)
    finally:
        signal.signal(signal.SIGINT, on_ctrl_c_before)
    assert signal.getsignal(number) == before
    assert list(waiting) == [f"Stopped by {name}, as by Ctrl-C."]


def test_what_handles_ctrl_c_handles_them(monkeypatch):
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with signals_interrupt():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)  # a terminal that closes may send both: they are one
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_a_later_signal_ends_the_process(monkeypatch):
    raised = []
    monkeypatch.setattr(signals, "SAME_SECONDS", 0.0)
    with signals_interrupt():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.setattr(signal, "raise_signal", raised.append)
        os.kill(os.getpid(), signal.SIGTERM)
        assert raised == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_ignored_signal_stays_ignored():
    """As after `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_change_nothing():
    before, inside = signal.getsignal(signal.SIGTERM), []

    def body():
        with signals_interrupt():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert inside == [before]


class Terminal:
    """A training on a terminal of its own."""

    def __init__(self, folder, *, controlling: bool) -> None:
        import fcntl
        import termios

        self.run = folder / "run"
        self._master, slave = os.openpty()
        wanted = os.environ | PLAIN_TERMINAL | {"TERM": "xterm", "COLUMNS": "100"}
        words = ["--arch", "unet:width=0.125:depth=1:convolutions=1", "--data", "synthetic:count=16:height=16:width=16"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "marsseg_core", "run", *words, "--epochs", "100000", "--out", "run"],
            cwd=folder,
            env={key: value for key, value in wanted.items() if value is not None},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._leaving = threading.Event()
        self._reader.start()

    def _read(self) -> None:
        import select

        while not self._leaving.is_set():
            if select.select([self._master], [], [], 0.1)[0]:
                os.read(self._master, 2**16)

    def leave(self) -> None:
        """Close the terminal."""
        self._leaving.set()
        self._reader.join()
        os.close(self._master)

    def wait_for_epochs(self, more: int) -> None:
        """Wait until so many more epochs are trained."""
        end = self._epochs() + more
        while self._epochs() < end:
            assert self.process.poll() is None, "the process has ended"
            time.sleep(0.1)

    def _epochs(self) -> int:
        history = self.run / "history.csv"
        return len(history.read_text().splitlines()) if history.exists() else 0

    def check_interrupted(self, name: str) -> str:
        """Wait for the end, check that the run was interrupted and stored, and return its log."""
        assert self.process.wait(timeout=120) == 130
        assert json.loads((self.run / "metrics.json").read_text())["status"] == "interrupted"
        assert (self.run / "network.keras").exists()
        log = (self.run / "log.txt").read_text()
        assert f"warning: Stopped by {name}, as by Ctrl-C." in log
        return log


@pytest.mark.slow
def test_a_training_goes_on_after_its_terminal_has_gone_and_sigterm_interrupts_it(tmp_path):
    terminal = Terminal(tmp_path, controlling=False)
    try:
        terminal.wait_for_epochs(1)
        terminal.leave()
        terminal.wait_for_epochs(3)
        terminal.process.send_signal(signal.SIGTERM)
        log = terminal.check_interrupted("SIGTERM")
    finally:
        terminal.process.kill()
    assert log.count("Standard error can no longer be written") == 1
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
def test_a_controlling_terminal_that_goes_away_interrupts_the_training(tmp_path):
    terminal = Terminal(tmp_path, controlling=True)
    try:
        terminal.wait_for_epochs(1)
        terminal.leave()
        terminal.check_interrupted("SIGHUP")
    finally:
        terminal.process.kill()
