"""What a plugin changes in the process is undone: the working directory, and which messages are logged."""

from __future__ import annotations

import io
import logging
import logging.config
import os
import sys
import threading
from contextlib import suppress

import pytest
from helpers.messages import warnings_told

from marsseg_core.errors import PluginError
from marsseg_core.messages import get_logger
from marsseg_core.registry.plugin_files import load_plugin_files
from marsseg_core.registry.process_state import keep_process_state, restore_process_state

LOSS = """\
from dataclasses import dataclass
from marsseg_core.plugin_api import Loss

@dataclass(frozen=True)
class Moving(Loss):
    "A loss."

    def build(self, spec): return None
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a folder `away` to go to."""
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path)
    return str(tmp_path)


def test_the_working_directory_is_that_of_before(here):
    with keep_process_state():
        os.chdir("away")
    assert os.getcwd() == here


def test_also_where_the_plugin_fails(here):
    with suppress(KeyError), keep_process_state():
        os.chdir("away")
        raise KeyError
    assert os.getcwd() == here


def test_within_a_call_it_can_be_restored(here):
    with keep_process_state():
        os.chdir("away")
        restore_process_state()
        assert os.getcwd() == here
    os.chdir("away")
    restore_process_state()  # outside, the directory is the user's
    assert os.getcwd() == os.path.join(here, "away")


def test_threads_go_back_to_what_the_first_one_found(here):
    moved, left = threading.Event(), threading.Event()

    def other():
        with keep_process_state():
            os.chdir("away")
            moved.set()
            left.wait(10)

    thread = threading.Thread(target=other)
    with keep_process_state():
        thread.start()
        moved.wait(10)
        with keep_process_state():  # it finds the directory of the other thread
            pass
        left.set()
        thread.join()
    assert os.getcwd() == here


@pytest.mark.skipif(sys.platform == "win32", reason="the working directory cannot be removed there")
def test_a_removed_working_directory_is_no_failure(here):
    os.chdir("away")
    os.rmdir(os.path.join(here, "away"))
    with keep_process_state():
        pass
    with keep_process_state():
        os.chdir(here)
    os.mkdir("away")
    os.chdir("away")
    with keep_process_state():
        os.chdir(here)
        os.rmdir("away")
    assert os.getcwd() == here


@pytest.mark.parametrize(
    "silence",
    [
        lambda: logging.disable(logging.CRITICAL),
        lambda: logging.config.dictConfig({"version": 1}),
        lambda: logging.getLogger("marsseg").__setattr__("disabled", True),
    ],
    ids=["disable", "dictConfig", "disabled"],
)
def test_messages_are_not_silenced(silence):
    with keep_process_state():
        silence()
    with warnings_told() as lines:
        get_logger("marsseg_core.data").warning("Loud.")
    assert lines == ["Loud."]


def test_what_the_user_silenced_stays_silent():
    logger = get_logger("marsseg_core.data")
    logger.disabled = True
    try:
        with keep_process_state():
            pass
        assert logger.disabled
    finally:
        logger.disabled = False


def test_a_file_that_moves_the_process_when_it_is_imported(here):
    for name in ("moving.py", "failing.py"):
        end = "" if name == "moving.py" else "raise ValueError"
        with open(name, "w") as file:
            file.write(f"import os\nos.chdir('away')\n{LOSS}{end}")
    (plugin,) = load_plugin_files(["moving.py"])
    assert plugin.entries[0].name == "moving"
    with pytest.raises(PluginError, match=r"cannot be loaded: ValueError \["):
        load_plugin_files(["failing.py"])
    assert os.getcwd() == here


def test_standard_error_is_there_again(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with keep_process_state():
        sys.stderr = None
    assert sys.stderr is stream
