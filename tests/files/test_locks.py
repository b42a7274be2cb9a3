"""Test locks of folders: one process at a time, until it ends."""

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
from marsseg_core.files.locks import lock_folder

# Lock a folder, start a child process that lives longer, print its id, and wait.
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from marsseg_core.files.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["the folder", "a file beside it"])
def folder(request, tmp_path, monkeypatch) -> Path:
    """Return a folder that is locked itself, or by a file beside it as on Windows."""
    monkeypatch.setattr(locks, "_OPENS_FOLDERS", request.param == "the folder")
    path = tmp_path / "run"
    path.mkdir()
    return path


def test_a_folder_is_locked_once_and_then_released(folder):
    for _ in range(2):
        with lock_folder(folder), pytest.raises(BlockingIOError, match="in use"), lock_folder(folder):
            pass
    assert [*folder.parent.rglob("*")] == [folder]  # nothing is left in it or beside it


def test_the_lock_is_released_after_an_error(folder):
    with pytest.raises(OSError, match="full"), lock_folder(folder):
        raise OSError("full")
    with lock_folder(folder):
        pass


def test_a_refused_attempt_does_not_release_the_lock(folder):
    with lock_folder(folder):
        for _ in range(2):
            with pytest.raises(BlockingIOError), lock_folder(folder):
                pass


def test_two_folders_can_be_locked_at_once(folder):
    other = folder.with_name("other")
    other.mkdir()
    with lock_folder(folder), lock_folder(other):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_the_lock_ends_with_a_killed_process_even_if_its_child_lives(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    try:
        with pytest.raises(BlockingIOError), lock_folder(tmp_path):
            pass
        process.kill()
        process.wait()
        with lock_folder(tmp_path):
            pass
    finally:
        process.kill()
        process.communicate()
        os.kill(child, signal.SIGKILL)


def test_a_lock_file_of_a_killed_process_does_not_lock(folder):
    left = folder.with_name(".run.lock")
    left.touch()
    with lock_folder(folder):
        pass


def test_the_current_folder_can_be_locked(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with lock_folder(Path()), pytest.raises(BlockingIOError), lock_folder(folder):
        pass


def test_a_file_system_without_locks_locks_nothing(folder, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock, "lock_descriptor", none)
    with lock_folder(folder), lock_folder(folder):
        pass


def test_a_read_only_file_system_locks_nothing(folder, monkeypatch):
    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with lock_folder(folder), lock_folder(folder):
        pass
