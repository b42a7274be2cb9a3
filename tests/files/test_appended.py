"""Test the files that grow by a line: each line is written once, and an accident leaves whole lines."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from marsseg_core.errors import RunError
from marsseg_core.files import appended
from marsseg_core.files.run_folder import RunFolder

EPOCHS = 200


def rows(count):
    return [{"epoch": epoch, "loss": epoch / 7, "val_miou": None} for epoch in range(1, count + 1)]


def table(folder, of):
    """Return the history that a new process writes at once."""
    RunFolder(folder / "whole").write_history(of)
    return RunFolder(folder / "whole").history.read_bytes()


@contextmanager
def disk_with(size):
    """Let no file become larger than `size` bytes: the operating system writes what fits, and then refuses."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def written(monkeypatch):
    """Return the numbers of bytes of all writes to files that grow."""
    sizes = []

    def count(function):
        def counting(first, content):
            sizes.append(len(content))
            function(first, content)

        return counting

    monkeypatch.setattr(appended, "write_bytes", count(appended.write_bytes))
    monkeypatch.setattr(appended.AppendedFile, "append", count(appended.AppendedFile.append))
    return sizes


class TestHistory:
    def test_each_row_is_written_once(self, tmp_path, written):
        folder, history = RunFolder(tmp_path), []
        for row in rows(EPOCHS):
            history.append(row)
            folder.write_history(history)
        assert sum(written) == folder.history.stat().st_size
        assert folder.history.read_bytes() == table(tmp_path, history)
        assert folder.read_history() == history

    def test_new_columns_or_another_list_write_all_of_it(self, tmp_path):
        folder, history = RunFolder(tmp_path), rows(2)
        folder.write_history(history)
        for row in ({"epoch": 3, "loss": 1.0}, {"epoch": 4, "new": 2.0}):
            history.append(row)
            folder.write_history(history)
            assert folder.history.read_bytes() == table(tmp_path, history)
        for other in (rows(5), rows(3)):
            folder.write_history(other)
            assert folder.history.read_bytes() == table(tmp_path, other)

    @pytest.mark.parametrize("change", ["removed", "cut", "replaced by a link"])
    def test_a_file_that_something_else_has_changed_is_written_again(self, tmp_path, change):
        folder, history = RunFolder(tmp_path / "run"), rows(3)
        folder.write_history(history[:2])
        content = folder.history.read_bytes()
        folder.history.unlink()
        if change == "cut":
            folder.history.write_bytes(content[:-3])
        elif change == "replaced by a link":
            (tmp_path / "elsewhere").write_bytes(content)
            folder.history.symlink_to(tmp_path / "elsewhere")
            assert folder.history.stat().st_size == len(content)
        folder.write_history(history)
        assert folder.history.read_bytes() == table(tmp_path, history)
        if change == "replaced by a link":
            assert (tmp_path / "elsewhere").read_bytes() == content

    def test_a_resumed_run_mends_a_line_that_was_cut_off(self, tmp_path):
        RunFolder(tmp_path).write_history(rows(3))
        content = RunFolder(tmp_path).history.read_bytes()
        RunFolder(tmp_path).history.write_bytes(content[:-5])
        RunFolder(tmp_path).write_history(rows(3))
        assert RunFolder(tmp_path).history.read_bytes() == content

    def test_a_full_disk_leaves_whole_lines(self, tmp_path):
        folder, history = RunFolder(tmp_path), rows(3)
        folder.write_history(history[:2])
        before = folder.history.read_bytes()
        with disk_with(len(before) + 5), pytest.raises(RunError, match=r"history\.csv cannot be written"):
            folder.write_history(history)
        assert folder.history.read_bytes() == before
        folder.write_history(history)
        assert folder.history.read_bytes() == table(tmp_path, history)


class TestLog:
    def test_each_line_is_written_once(self, tmp_path, written):
        folder = RunFolder(tmp_path)
        for number in range(EPOCHS):
            folder.log(f"line {number} of Größe")
        assert sum(written) == folder.log_file.stat().st_size
        lines = folder.log_file.read_text(encoding="utf-8").splitlines()
        assert [line.partition("  ")[2] for line in lines] == [f"line {number} of Größe" for number in range(EPOCHS)]

    def test_a_reader_that_has_opened_it_sees_new_lines(self, tmp_path):
        folder = RunFolder(tmp_path)
        folder.log("first")
        with folder.log_file.open(encoding="utf-8") as file:
            assert "first" in file.read()
            folder.log("second")
            assert file.read().endswith("  second\n")

    def test_a_resumed_run_continues_after_a_line_that_was_cut_off(self, tmp_path):
        RunFolder(tmp_path).log("first")
        with RunFolder(tmp_path).log_file.open("a") as file:
            file.write("2026-11-26 18:00:00  cut o")
        folder = RunFolder(tmp_path)
        folder.log("second")
        folder.log("third")
        lines = folder.log_file.read_text().splitlines()
        assert [line.partition("  ")[2] for line in lines] == ["first", "cut o", "second", "third"]

    def test_nothing_is_written_through_a_link(self, tmp_path):
        folder, other = RunFolder(tmp_path / "run"), tmp_path / "other.txt"
        folder.path.mkdir()
        other.write_text("of somebody\n")
        folder.log_file.symlink_to(other)
        folder.log("first")
        assert other.read_text() == "of somebody\n"
        assert folder.log_file.read_text().endswith("  first\n")

    def test_a_full_disk_leaves_whole_lines(self, tmp_path):
        folder = RunFolder(tmp_path)
        folder.log("first")
        before = folder.log_file.read_bytes()
        with disk_with(len(before) + 5), pytest.raises(RunError, match=r"log\.txt cannot be written"):
            folder.log("second")
        assert folder.log_file.read_bytes() == before
        folder.log("third")
        assert folder.log_file.read_bytes().startswith(before)

    def test_an_interruption_while_it_is_written_adds_nothing(self, tmp_path, monkeypatch):
        folder = RunFolder(tmp_path)
        folder.log("first")
        before = folder.log_file.read_bytes()

        def interrupted(file):
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            folder.log("second")
        assert folder.log_file.read_bytes() == before
