"""Test the names of files that are made from the names of items."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from hypothesis import given, strategies as st

from marsseg_core.data.file_names import file_names


def test_suffixes_are_left_out_and_the_places_of_tiles_stay():
    names = ["site1/a.png", "site1/a.b.JPG", "c.png@r64c128", "sol.1234"]
    assert file_names(names) == ["site1/a", "site1/a.b", "c@r64c128", "sol.1234"]


def test_names_that_would_be_the_same_file_get_a_number():
    assert file_names(["a.png", "a.jpg"]) == ["a", "a~2"]
    assert file_names(["a?", "a*"]) == ["a_", "a_~2"]
    assert file_names(["A.png", "a.png"]) == ["A", "a~2"]


def test_names_never_lead_out_of_the_folder():
    assert file_names(["../a.png", "/etc/b", "c/./d", "x\\..\\y", "C:/z"]) == [
        "_._/a",
        "_/etc/b",
        "c/__/d",
        "x_.._y",
        "C_/z",
    ]


def test_characters_of_terminals_and_of_windows_are_replaced():
    assert file_names(["a\x1b[2J?", "b:*. "]) == ["a_[2J_", "b__._"]


def test_long_names_are_cut():
    (path,) = file_names(["x" * 300])
    assert path == "x" * 200


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12), unique=True, max_size=5))
def test_paths_are_relative_and_different(names):
    paths = file_names(names)
    assert len({path.casefold() for path in paths}) == len(names)
    for path in paths:
        assert not PureWindowsPath(path).is_absolute()
        assert not PureWindowsPath(path).drive
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in PurePosixPath(path).parts
