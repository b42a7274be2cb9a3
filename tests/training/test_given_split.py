"""Runs on a split that the user gives: it is recorded, and stays valid where it does not keep groups together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import marsseg
from marsseg_core.files.hashed import file_hash
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.runs.recorded_data import recorded_split

pytestmark = pytest.mark.usefixtures("without_observers")


def test_a_run_records_the_split_of_a_file_and_the_names_of_the_items(tmp_path, tiny, capsys):
    data = replace(tiny, names=[f"site{item % 4}/{item}.png" for item in range(24)], groups=np.arange(24) % 4)
    table = tmp_path / "split.csv"
    rows = [f"{item},{'test' if item > 19 else 'val' if item > 15 else 'train'}" for item in range(23)]
    table.write_text("\n".join(["item,subset", *rows]))
    run = marsseg.run(arch="unet:width=0.125", data=data, epochs=1, subsets=table, out=tmp_path / "run")
    assert (run.split.validation, run.split.test) == ((16, 17, 18, 19), (20, 21, 22))
    log = run.folder.log_file.read_text()
    assert "1 of 24 images is in no subset of split.csv, and not used." in log
    assert "warning: 1 of 24" not in log
    assert "split: 16 / 4 / 3 images (train / validation / test), by split.csv" in log
    assert "4 groups have images in more than one subset" in log
    recorded = json.loads((tmp_path / "run/split.json").read_text())
    assert (recorded["origin"], recorded["names"]) == ("file", list(data.names))
    assert f'subsets = "{table}"' in (tmp_path / "run/plan.toml").read_text()
    assert f'subsets_hash = "{file_hash(table)}"' in (tmp_path / "run/plan.toml").read_text()
    assert recorded_split(RunFolder(run.path), data) == run.split
    again = marsseg.evaluate(run, data=data, subset="test")
    np.testing.assert_array_equal(again.restricted, run.scores["test"].restricted)
