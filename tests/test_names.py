"""Test data and plans whose file names are not UTF-8, have control characters, or are as long as a name may be."""

from __future__ import annotations

import sys

import pytest

import marsseg_core as marsseg
from marsseg_core.files.text import encode_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")

NAMES = {
    "not UTF-8": "caf\udce9\udcff.npz",
    "control characters": "a\x1b[31m\n\t\x07.npz",
    "255 bytes": "n" * 251 + ".npz",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_commands_and_plans_take_any_name(cli, tmp_path, name):
    made = cli("data", "make", name, "--count", "8", "--aliens", "0", "--test", "2")
    assert made.code == 0, made.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    inspected = cli("data", "inspect", name, "--html", "page.html")
    assert inspected.code == 0, inspected.err
    assert not set(made.out + inspected.out + inspected.err) & set("\x1b\x07\udce9\udcff")

    plan = marsseg.plan(data=name)
    (tmp_path / "plan.toml").write_bytes(encode_text(plan.to_toml()))
    again = marsseg.plan(tmp_path / "plan.toml")
    assert again.to_toml() == plan.to_toml()
    assert len(marsseg.dataset(f"npz:path={name}")) == 8
