"""Commands in processes of their own, and what they leave."""

from __future__ import annotations

import os
import subprocess
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


def run_process(*words: str, cwd: Path, timeout: float = 300, **environment: str) -> Answer:
    """A command of this environment, in a process of its own."""
    wanted = os.environ | PLAIN_TERMINAL | environment
    done = subprocess.run(
        words,
        cwd=cwd,
        env={key: value for key, value in wanted.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
