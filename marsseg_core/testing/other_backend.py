"""Run checks on another backend of Keras, in one process that serves all checks of a test session.

Keras can have only one backend in a process, and to import another one takes seconds.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Final

import pytest

# Execute the code of each line of the input, with its words as arguments, and answer with its traceback or "".
_SERVER: Final = """
import contextlib, io, json, sys, traceback
answers = sys.stdout
for line in sys.stdin:
    code, sys.argv[1:] = json.loads(line)
    problem = ""
    with contextlib.redirect_stdout(sys.stderr):
        try:
            exec(compile(code, "check", "exec"), {"__name__": "__main__"})
        except BaseException:
            problem = traceback.format_exc()
    print(json.dumps(problem), file=answers, flush=True)
"""


def other_backend() -> str:
    """Return the backend for training that Keras does not use now: "tensorflow" or "jax".

    The check that calls this is skipped if that backend is not installed.
    """
    import keras

    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    if find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    return other


def run_on_backend(backend: str, code: str, *words: str) -> None:
    """Run Python code with this backend of Keras; `words` are its arguments.

    If the code fails, its traceback is the message of an AssertionError.
    """
    process = _process(backend)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([code, words]) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        _process.cache_clear()
    assert answer, f"the process with the backend {backend} ended with {process.wait()}"
    problem = json.loads(answer)
    assert not problem, problem


@cache
def _process(backend: str) -> subprocess.Popen[str]:
    """Start the process, which ends with this one."""
    import_path = os.pathsep.join(path or os.getcwd() for path in sys.path)
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env=os.environ | {"PYTHONPATH": import_path, "KERAS_BACKEND": backend},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    atexit.register(process.terminate)
    return process
