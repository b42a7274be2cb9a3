"""Test the names of files that are made from the names of items."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from hypothesis import given, strategies as st

from marsseg_core.inference.file_names import file_names


def test_suffixes_are_left_out_and_the_places_of_tiles_stay():
    names = ["site1/a.png", "site1/a.b.JPG", "c.png@r64c128", "sol.1234"]
    assert file_names(names) == ["site1/a", "site1/a.b", "c@r64c128", "sol.1234"]


def test_suffixes_stay_if_names_would_be_equal_without_them():
    assert file_names(["a.png", "a.jpg"]) == ["a.png", "a.jpg"]


def test_names_never_lead_out_of_the_folder():
    assert file_names(["../a.png", "/etc/b", "c/./d", "x\\..\\y", "C:/z"]) == [
        "_/a",
        "_/etc/b",
        "c/_/d",
        "x_.._y",
        "C_/z",
    ]


def test_characters_of_terminals_and_of_windows_are_replaced():
    assert file_names(["a\x1b[2J?", "b:*. "]) == ["a_[2J_", "b__"]


def test_names_that_cannot_be_kept_apart_or_are_too_long_give_none():
    assert file_names(["a?", "a*"]) is None
    assert file_names(["A.png", "a.png"]) is None
    assert file_names(["x" * 300]) is None


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12), unique=True, max_size=5))
def test_paths_are_relative_and_different(names):
    paths = file_names(names)
    if paths is not None:
        assert len({path.casefold() for path in paths}) == len(names)
        for path in paths:
            assert not PureWindowsPath(path).is_absolute()
            assert not PureWindowsPath(path).drive
            assert not PurePosixPath(path).is_absolute()
            assert ".." not in PurePosixPath(path).parts
