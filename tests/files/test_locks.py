"""Folders in use: by one process at a time, until it ends, wherever the folder lies."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from marsseg_core.files import locks
from marsseg_core.files.locks import hold

# Holds a folder, starts a process of its own that outlives it, says so, and waits.
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from marsseg_core.files.locks import hold
with hold(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["the folder", "a file beside it"])
def folder(request, tmp_path, monkeypatch) -> Path:
    """A folder that is locked itself, or as Windows locks it."""
    monkeypatch.setattr(locks, "_OPENS_FOLDERS", request.param == "the folder")
    path = tmp_path / "run"
    path.mkdir()
    return path


def test_a_folder_is_held_once_and_then_free(folder):
    for _ in range(2):
        with hold(folder), pytest.raises(BlockingIOError, match="in use"), hold(folder):
            pass
    assert [*folder.parent.rglob("*")] == [folder]  # nothing is left in it or beside it


def test_it_is_free_after_an_error(folder):
    with pytest.raises(OSError, match="full"), hold(folder):
        raise OSError("full")
    with hold(folder):
        pass


def test_a_refused_holder_takes_nothing_from_the_one_that_holds_it(folder):
    with hold(folder):
        for _ in range(2):
            with pytest.raises(BlockingIOError), hold(folder):
                pass


def test_two_folders_are_held_at_once(folder):
    other = folder.with_name("other")
    other.mkdir()
    with hold(folder), hold(other):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_it_ends_with_the_process_however_it_ends_and_whatever_that_started(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    try:
        with pytest.raises(BlockingIOError), hold(tmp_path):
            pass
        process.kill()
        process.wait()
        with hold(tmp_path):
            pass
    finally:
        process.kill()
        process.communicate()
        os.kill(child, signal.SIGKILL)


def test_what_a_killed_process_left_beside_a_folder_keeps_nobody_out(folder):
    left = folder.with_name(".run.lock")
    left.touch()
    with hold(folder):
        pass


def test_the_folder_may_be_the_present_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with hold(Path()), pytest.raises(BlockingIOError), hold(folder):
        pass


def test_a_file_system_without_locks_marks_nothing(folder, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock, "lock_descriptor", none)
    with hold(folder), hold(folder):
        pass


def test_where_no_file_can_be_made_nothing_is_marked(folder, monkeypatch):
    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with hold(folder), hold(folder):
        pass
