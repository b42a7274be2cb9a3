"""The log of a run has the messages of this run, and of no other run."""

from __future__ import annotations

import logging
from threading import Barrier, Thread

import numpy as np
import pytest
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.messages import ROOT, get_logger
from marsseg_core.runs.log import run_log

pytestmark = pytest.mark.usefixtures("without_reports")

SMALL = {"arch": "unet:width=0.125:depth=1:convolutions=1", "epochs": 1, "batch": 4}


def lines(folder: RunFolder) -> list[str]:
    return [line.partition("  ")[2] for line in folder.log_file.read_text().splitlines()]


def test_messages_from_before_the_folder_exists_come_first(tmp_path):
    folder = RunFolder(tmp_path)
    with run_log(["logged before"]) as log:
        get_logger("marsseg_core.data").warning("of the data")
        log.begin(folder)
        get_logger("mine").info("later")
        get_logger("mine").debug("not logged")
    get_logger("mine").warning("after the end")
    assert lines(folder) == ["warning: logged before", "warning: of the data", "later"]
    assert logging.getLogger(ROOT).handlers == []


def test_runs_in_two_threads_have_separate_logs(tmp_path):
    both = Barrier(2)

    def run(name):
        with run_log() as log:
            both.wait()
            log.begin(RunFolder(tmp_path / name))
            get_logger("mine").warning(name)
            both.wait()

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    threads = [Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        assert lines(RunFolder(tmp_path / name)) == [f"warning: {name}"]


@pytest.mark.slow
def test_warnings_while_data_is_read_are_in_the_log(tmp_path):
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    for item in range(12):
        Image.fromarray(random.integers(0, 255, (16, 32), np.uint8)).save(tmp_path / f"mine/images/{item}.png")
        if item:
            Image.fromarray(random.integers(0, 3, (16, 32), np.uint8)).save(tmp_path / f"mine/masks/{item}.png")
    words = SMALL | {"data": f"folder:path={tmp_path / 'mine'}:unpaired=skip"}
    run = marsseg.run(out=tmp_path / "run", **words)
    assert any("Left out of mine" in line for line in lines(run.folder))
