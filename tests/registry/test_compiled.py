"""The summaries of `marsseg list`, read from stored bytecode where there is some."""

from __future__ import annotations

import os
import py_compile
import sys

import pytest

from marsseg_core.registry.catalog import installed
from marsseg_core.registry.compiled import compiled_docstring
from marsseg_core.registry.source_code import module_file, read_source, read_summary

RING = 'def Ring_():\n    """No."""\n\n\nclass Ring:\n    """\n    A ring: red.\n\n    More.\n    """\n'


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """The path of a compiled source file with the class Ring."""
    monkeypatch.setattr(sys, "pycache_prefix", None)
    path = tmp_path / "ring.py"
    path.write_text(RING)
    py_compile.compile(str(path), doraise=True)
    return path


@pytest.mark.skipif(sys.flags.optimize > 1, reason="there are no docstrings")
def test_it_is_the_docstring(ring):
    assert compiled_docstring(ring, "Ring") == "A ring: red.\n\nMore."


@pytest.mark.parametrize("name", ["Ring_", "Other"])
def test_only_a_class_of_this_name_has_one(ring, name):
    assert compiled_docstring(ring, name) is None


def test_a_class_without_one_is_left_to_parsing(ring):
    ring.write_text("class Ring:\n    colour = 'red'\n")
    py_compile.compile(str(ring), doraise=True)
    assert compiled_docstring(ring, "Ring") is None


@pytest.mark.skipif(sys.flags.optimize > 1, reason="there are no docstrings")
def test_a_changed_file_is_compiled_again(ring):
    ring.write_text(RING.replace("red", "blue: a much longer summary"))
    assert compiled_docstring(ring, "Ring").startswith("A ring: blue")


def test_a_file_that_is_no_python_any_more_is_left_to_parsing(ring):
    ring.write_text("class Ring(:")
    os.utime(ring, (1, 1))
    assert compiled_docstring(ring, "Ring") is None


def test_a_file_without_bytecode_is_left_to_parsing(tmp_path):
    (tmp_path / "ring.py").write_text(RING)
    assert compiled_docstring(tmp_path / "ring.py", "Ring") is None
    assert not (tmp_path / "__pycache__").exists()


def test_summaries_are_those_of_parsing(tmp_path, monkeypatch):
    """Of every installed component, compiled into an empty folder."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    entries = [entry for entry in installed().entries if entry.attribute]
    for path in {module_file(entry.module) for entry in entries}:
        py_compile.compile(str(path), doraise=True)
    for entry in entries:
        assert compiled_docstring(module_file(entry.module), entry.attribute), entry
        assert read_summary(entry) == read_source(entry).summary, entry
