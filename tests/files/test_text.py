"""Test text files with names in them that are not UTF-8."""

from __future__ import annotations

import tomllib

import tomli_w

from marsseg_core.files.run_folder import RunFolder
from marsseg_core.files.text import encode_text, read_text

NAME = "caf\udce9 \udcff \x1b[31m\n.npz"


def test_a_name_that_is_not_utf_8_comes_back(tmp_path):
    (tmp_path / "plan.toml").write_bytes(encode_text(tomli_w.dumps({"path": NAME})))
    assert (tmp_path / "plan.toml").read_text(encoding="utf-8")  # the file itself is UTF-8
    assert tomllib.loads(read_text(tmp_path / "plan.toml")) == {"path": NAME}


def test_other_texts_are_plain_utf_8():
    assert encode_text("Größe → 火星 \U0010fffd") == "Größe → 火星 \U0010fffd".encode()


def test_every_file_of_a_run_takes_such_a_name(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json(other := folder.path / "other.json", {"source": NAME})
    folder.write_text(folder.report, NAME)
    folder.log(NAME)
    folder.log("second")
    assert folder.read_json(other) == {"source": NAME}
    assert read_text(folder.report) == NAME
    assert read_text(folder.log_file).endswith("second\n")
