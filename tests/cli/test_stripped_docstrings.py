"""Test that `python -OO`, which strips docstrings and asserts, prints the same help and the same descriptions."""

from __future__ import annotations

import sys

import pytest
from helpers.bad_plugins import write_metadata
from helpers.processes import run_process

from marsseg_core.registry import source_code
from marsseg_core.registry.source_code import docstring_of
from marsseg_plugins.architectures.unet import UNet


@pytest.mark.parametrize("words", [("show", "unet"), ("list",), ("--help",), ("data", "make", "--help")])
def test_commands_print_the_same(cli, tmp_path, words):
    stripped = run_process(sys.executable, "-OO", "-m", "marsseg_core", *words, cwd=tmp_path)
    normal = run_process(sys.executable, "-m", "marsseg_core", *words, cwd=tmp_path)
    assert (stripped.code, stripped.out, stripped.err) == (0, normal.out, normal.err)


WAVING = '''
"""Adds a command."""
from marsseg_core.plugin_api import hookimpl

def wave() -> None:
    """Wave \\x1b[31m at Mars."""

@hookimpl
def marsseg_register_commands(app):
    app.command()(wave)
'''


class Outer:
    """Outer."""

    class Inner:
        """Inner.

        Its second line.
        """

        def method(self) -> None:
            """Do something."""

        def silent(self) -> None:
            pass


class Derived(Outer.Inner):
    pass


def test_docstrings_are_read_from_the_source(monkeypatch):
    def local() -> None:
        """Be defined in a function."""

    targets = [local, Outer, Outer.Inner, Outer.Inner.method, Outer.Inner.silent, Derived, UNet, len, dict]
    expected = [docstring_of(each) for each in targets[:-2]] + ["", ""]
    monkeypatch.setattr(source_code, "_STRIPPED", sys.flags.optimize)
    assert [docstring_of(each) for each in targets] == expected


def test_a_command_of_a_plugin_has_its_help(tmp_path):
    (tmp_path / "waving.py").write_text(WAVING)
    write_metadata(tmp_path, "waving", "wave = waving", "marsseg.commands")
    words = ("-OO", "-m", "marsseg_core", "wave", "--help")
    answer = run_process(sys.executable, *words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert r"Wave \x1b[31m at Mars." in answer.out
