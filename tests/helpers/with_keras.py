"""Code in processes that have imported Keras already: they start in no time, and are otherwise as fresh ones.

Each is a copy (a fork) of one process for all tests, which imported TensorFlow and Keras and used nothing of them. So
what these read when they are imported (KERAS_BACKEND, keras.json, TF_…) cannot be changed, and a test of the start of
a process needs `run_process`. Where processes cannot be copied, fresh ones are started.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Any

from helpers import keras_copies
from helpers.processes import Answer, environment_of, run_process

# What Python, TensorFlow and Keras read before the first line of code runs.
READ_EARLY = ("PYTHON", "TF_", "KERAS_", "OMP_")


MARSSEG = "from marsseg_core.cli.main import main; main()"  # the command `marsseg`


class Copy:
    """A process that runs code, with the interface of `subprocess.Popen`."""

    def __init__(self, pid: int, answers: IO[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._answers = answers

    def poll(self) -> int | None:
        try:
            return self.wait(timeout=0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_with_keras(code: str, *words: str, cwd: Path, timeout: float = 300, **environment: str | None) -> Answer:
    """Run the code, with these words as its arguments."""
    if sys.platform != "linux":
        return run_process(sys.executable, "-c", code, *words, cwd=cwd, timeout=timeout, **environment)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start_with_keras(code, *words, cwd=cwd, stdout=out, stderr=err, **environment)
        try:
            process.wait(timeout)
        finally:
            process.kill()
        for file in (out, err):
            file.seek(0)
        return Answer(process.returncode, out.read().decode(), err.read().decode())


def start_with_keras(
    code: str, *words: str, cwd: Path, stdout: Any, stderr: Any, **environment: str | None
) -> Copy | subprocess.Popen:
    """Start the code, with these words as its arguments; `stdout` and `stderr` are files."""
    variables = environment_of(environment)
    if sys.platform != "linux":
        command = [sys.executable, "-c", code, *words]
        return subprocess.Popen(command, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    requests, early = _process()
    if early != _read_early(variables):
        raise ValueError(f"a copy cannot change {_read_early(variables)}: start a fresh process")
    answers, told = os.pipe()
    with open(os.devnull, "rb") as nothing:
        message = json.dumps([code, words, str(cwd), variables]).encode()
        socket.send_fds(requests, [message], [nothing.fileno(), stdout.fileno(), stderr.fileno(), told])
    os.close(told)
    file = open(answers, encoding="utf-8")  # noqa: SIM115
    return Copy(int(file.readline()), file)


@cache
def _process() -> tuple[socket.socket, dict[str, str]]:
    """Start the process that is copied, and return the socket for requests, whose end ends it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    variables = environment_of({})
    with theirs:
        subprocess.Popen(
            [sys.executable, keras_copies.__file__, str(theirs.fileno())],
            env=variables,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return ours, _read_early(variables)


def _read_early(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(READ_EARLY)}
