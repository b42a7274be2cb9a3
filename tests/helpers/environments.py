"""Fresh environments, to install things in."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from .processes import Answer, run_process


def done(*words: str, cwd: Path) -> Answer:
    answer = run_process(*words, cwd=cwd)
    assert answer.code == 0, answer.out + answer.err
    return answer


class Environment:
    """A fresh environment that sees the packages of this one, but not its marsseg."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        done(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
        self.python = folder / "venv" / "bin" / "python"
        (packages,) = (folder / "venv").glob("lib/python*/site-packages")
        # A folder named in a .pth file is searched last, and .pth files in it (the editable install's) do not count.
        (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *what: str) -> None:
        options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
        pip = (sys.executable, "-m", "pip", "--python", str(self.python), "install", *options)
        done(*pip, *what, cwd=self.folder)

    def marsseg(self, *words: str) -> str:
        return done(str(self.python.with_name("marsseg")), *words, cwd=self.folder).out
