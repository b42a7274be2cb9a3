"""The processes in which checks run code, since what this one imported and built would hide errors."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from typing import Final

# Execute the code of each line of the input, with its words as arguments, in this process or in a copy of it, and
# answer with its traceback or "".
_SERVER: Final = """
import contextlib, json, os, sys, traceback
answers = sys.stdout
for line in sys.stdin:
    copy, code, sys.argv[1:] = json.loads(line)
    child = os.fork() if copy else 0
    if child:
        status = os.waitpid(child, 0)[1]
        if status:
            problem = f"the process ended with {os.waitstatus_to_exitcode(status)}"
            print(json.dumps(problem), file=answers, flush=True)
        continue
    problem = ""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            exec(compile(code, "check", "exec"), {"__name__": "__main__"})
        except BaseException:
            problem = traceback.format_exc()
    print(json.dumps(problem), file=answers, flush=True)
    if copy:
        os._exit(0)
"""


class Server:
    """A process that executes code until this one ends. If code ends it, it is replaced.

    `environment` are environment variables of the process, in addition to those of this one.
    """

    def __init__(self, **environment: str) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, code: str, *words: str, copy: bool = False) -> None:
        """Run Python code; `words` are its arguments. If the code fails, its traceback is an AssertionError's message.

        `copy` runs it in a copy of the process (a fork), so that later code does not find what this code leaves.
        """
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([copy, code, words]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            self._process = None
        assert answer, f"the process ended with {process.wait()}"
        problem = json.loads(answer)
        assert not problem, problem

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            env=_environment(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        atexit.register(_end, process)
        return process


def fresh_python(code: str, *words: str, **environment: str) -> str:
    """Run Python code in a fresh process with the import path of this one, and return what it prints.

    `words` are its arguments, and `environment` are further environment variables. If the code fails, its traceback is
    the message of an AssertionError.
    """
    process = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=_environment(environment),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def fresh_keras(code: str, *words: str) -> None:
    """Run Python code in a fresh process that imports Keras; `words` are its arguments.

    If the code fails, its traceback is the message of an AssertionError. On Linux with TensorFlow, the process is a
    copy of one that imported Keras and did nothing else, since the import takes seconds. JAX must not be copied.
    """
    import keras

    if sys.platform != "linux" or keras.backend.backend() != "tensorflow":
        fresh_python(code, *words)
    else:
        _with_keras(_import_path()).run(code, *words, copy=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()


@cache
def _with_keras(import_path: str) -> Server:
    """Return a process that imported Keras, with this import path."""
    server = Server(PYTHONPATH=import_path, KERAS_BACKEND="tensorflow")
    server.run("import keras")
    return server


def _environment(variables: dict[str, str]) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": _import_path()} | variables


def _import_path() -> str:
    return os.pathsep.join(path or os.getcwd() for path in sys.path)
