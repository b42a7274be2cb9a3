"""The format of the course's submission, and reading it back."""

from __future__ import annotations

import csv
import errno
import os
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from marsseg_core.errors import RequestError, RunError
from marsseg_core.inference.submission import Submission, new_submission


def write(path, images):
    with new_submission(path) as submission:
        for labels in images:
            submission.add(labels)
    return submission


def labels(count, shape=(64, 128), classes=5):
    return np.random.default_rng(0).integers(1, classes, (count, *shape)).astype(np.uint8)


def test_has_the_courses_columns_ids_and_order(tmp_path):
    images = labels(12)
    write(tmp_path / "sub.csv", images)
    with (tmp_path / "sub.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", *map(str, range(8192))]
    assert [row[0] for row in rows] == [str(n) for n in range(12)]
    assert np.array_equal(np.array([row[1:] for row in rows], int), images.reshape(12, -1))


def test_is_plain_text_with_one_line_for_each_image(tmp_path):
    write(tmp_path / "sub.csv", [np.array([[1, 2], [3, 4]], np.uint8), np.array([[4, 0], [1, 1]], np.uint8)])
    assert (tmp_path / "sub.csv").read_bytes() == b"id,0,1,2,3\n0,1,2,3,4\n1,4,0,1,1\n"


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))))
def test_reads_back_for_all_ids(tmp_path_factory, images):
    path = tmp_path_factory.mktemp("submission") / "sub.csv"
    write(path, images)
    rows = np.loadtxt(path, int, delimiter=",", skiprows=1, ndmin=2)
    np.testing.assert_array_equal(rows[:, 0], np.arange(len(images)))
    np.testing.assert_array_equal(rows[:, 1:], images.reshape(len(images), -1))


def test_counts_pixels_labelled_0(tmp_path):
    images = labels(3)
    images[1, :2, :5] = 0
    assert write(tmp_path / "sub.csv", images).zeros == 10


def test_of_images_of_two_sizes_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(RequestError, match=r"Image 1 has 3×2 pixels; the images before it have 2×3\."):
        write(tmp_path / "sub.csv", [np.ones((2, 3), np.uint8), np.ones((3, 2), np.uint8)])
    assert not list(tmp_path.iterdir())


def test_without_images_fails(tmp_path):
    with pytest.raises(RunError, match="no image"):
        write(tmp_path / "sub.csv", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text: text.replace(b"id,", b",", 1), "The header"),
        (lambda text: text.replace(b"\n1,", b"\n7,", 1), "Row 1"),
        (lambda text: text.replace(b"\n2,1", b"\n2,x", 1), "Row 2"),
        (lambda text: text.replace(b"\n2,1", b"\n2,1.5", 1), "Row 2"),
        (lambda text: text.replace(b"\n2,1", b"\n2,2", 1), "A value"),
        (lambda text: text[:-1], "Row 2"),
        (lambda text: text[: text.index(b"\n2,") + 1], "The number of rows, 2,"),
        (lambda text: text + b"3" + b",1" * 4 + b"\n", "The number of rows, 4,"),
    ],
)
def test_that_differs_when_read_back_is_removed(tmp_path, change, what):
    with pytest.raises(RunError, match=what):
        write_and_damage(tmp_path / "sub.csv", change)
    assert not list(tmp_path.iterdir())


def write_and_damage(path, change):
    """Write a submission, and change the file before it is closed."""
    with new_submission(path) as submission:
        for _ in range(3):
            submission.add(np.ones((2, 2), np.uint8))
        submission._file.flush()
        (temporary,) = path.parent.iterdir()
        damaged = change(temporary.read_bytes())
        submission._file.seek(0)
        submission._file.truncate()
        submission._file.write(damaged)


def test_is_read_back_after_it_is_synced(tmp_path, monkeypatch):
    """It was once read back before it was synced, and so from the system's cache."""
    calls = []
    sync, check = os.fsync, Submission.check

    def synced(descriptor):
        calls.append(("synced", os.fstat(descriptor).st_size))
        sync(descriptor)

    def checked(submission, path):
        calls.append(("read back", path.stat().st_size))
        check(submission, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Submission, "check", checked)
    write(tmp_path / "sub.csv", labels(3))
    size = (tmp_path / "sub.csv").stat().st_size
    assert calls == [("synced", size), ("read back", size)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_is_read_back_from_the_disk(tmp_path, monkeypatch):
    dropped = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, *what: dropped.append(what))
    write(tmp_path / "sub.csv", labels(1))
    assert dropped == [(0, 0, os.POSIX_FADV_DONTNEED)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")
def test_a_file_system_that_cannot_drop_its_cache_is_no_error(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", refused)
    write(tmp_path / "sub.csv", labels(1))
    assert (tmp_path / "sub.csv").is_file()
