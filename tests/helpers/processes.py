"""Commands in processes of their own, and what they leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A terminal of its own, whatever the one that runs the tests: no colours, nothing folded.
PLAIN_TERMINAL = {
    "COLUMNS": "200",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "FORCE_COLOR": None,
    "PY_COLORS": None,
    "GITHUB_ACTIONS": None,
    "TTY_COMPATIBLE": None,
    "TTY_INTERACTIVE": None,
}


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code and what it printed on standard output and standard error."""

    code: int
    out: str
    err: str


def environment_of(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of a process: a plain terminal, and these variables; None is one that is not set."""
    wanted = os.environ | PLAIN_TERMINAL | variables
    return {key: value for key, value in wanted.items() if value is not None}


def run_process(*words: str, cwd: Path, timeout: float = 300, **environment: str | None) -> Answer:
    """A command of this environment, in a process of its own."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment_of(environment),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
