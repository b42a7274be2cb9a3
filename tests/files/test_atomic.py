"""Test atomic writing of files and folders, and that nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from marsseg_core.errors import RequestError, RunError
from marsseg_core.files import leftovers
from marsseg_core.files.atomic import atomic_folder, atomic_write, refuse_existing, require_parent, temporary_folder
from marsseg_core.files.leftovers import may_be_in_use, remove_temporary_files
from marsseg_core.files.locks import lock_folder


class TestRefuseExisting:
    @pytest.mark.parametrize("there", ["file", "folder", "link", "broken link"])
    def test_any_existing_path_is_refused(self, tmp_path, there):
        path = tmp_path / "there"
        if there == "file":
            path.touch()
        elif there == "folder":
            path.mkdir()
        else:
            path.symlink_to(tmp_path if there == "link" else "nowhere")
        with pytest.raises(RequestError) as caught:
            refuse_existing(path, "--csv")
        assert caught.value.what == f"'{path}' exists, and nothing is ever overwritten."
        assert (caught.value.where, caught.value.hint) == ("--csv", "Choose a new name.")

    def test_a_new_name_is_accepted_with_or_without_its_folder(self, tmp_path):
        refuse_existing(tmp_path / "new")
        refuse_existing(tmp_path / "absent" / "new")

    def test_an_invalid_name_is_refused(self, tmp_path):
        with pytest.raises(RequestError, match="cannot be the name of a file or folder"):
            refuse_existing(tmp_path / ("x" * 300))

    def test_a_missing_parent_folder_is_refused(self, tmp_path):
        require_parent(tmp_path / "x.csv")
        with pytest.raises(RequestError, match="There is no folder 'absent'") as caught:
            require_parent(Path("absent/x.csv"), "--csv")
        assert caught.value.where == "--csv"


@pytest.mark.parametrize(
    "words",
    [
        ("data", "make", "link"),
        ("data", "convert", "synthetic", "link"),
        ("data", "inspect", "synthetic", "--html", "link"),
        ("compare", ".", "--csv", "link"),
        ("predict", "run", "images", "--out", "link"),
        ("new-plugin", "mine", "--kind", "loss", "--out", "link"),
        ("run", "--data", "synthetic", "--out", "link"),
    ],
    ids=" ".join,
)
def test_no_command_writes_through_a_broken_link(cli, tmp_path, words):
    suffix = {"make": ".npz", "inspect": ".html", "compare": ".csv"}
    name = "link" + next((end for word, end in suffix.items() if word in words[:2]), "")
    (tmp_path / name).symlink_to("nowhere")
    answer = cli(*words[:-1], name)
    assert answer.code == 2
    assert f"'{name}' exists, and nothing is ever overwritten." in answer.err
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "words",
    [
        ("compare", ".", "--csv", "x.csv", "--groups", "a/../x.csv"),
        ("predict", "run", "images", "--out", "x", "--submission", "x"),
    ],
    ids=" ".join,
)
def test_no_output_of_a_command_replaces_another_one(cli, tmp_path, words):
    (tmp_path / "a").mkdir()
    answer = cli(*words)
    assert answer.code == 2
    assert f"{words[-4]} and {words[-2]} lead to the same file" in answer.err


class TestAtomicWrite:
    @pytest.mark.parametrize("parent", ["file", "x" * 300], ids=["a file", "a name that is too long"])
    def test_a_parent_that_can_be_no_folder_is_named_by_the_error(self, tmp_path, parent):
        (tmp_path / "file").touch()
        with (
            pytest.raises(RunError, match=r"new\.csv cannot be written") as caught,
            atomic_write(tmp_path / parent / "new.csv"),
        ):
            pass
        assert caught.value.where == str(tmp_path / parent)

    def test_of_two_processes_with_one_number_on_two_machines_do_not_share_a_file(self, tmp_path):
        with atomic_write(tmp_path / "new.csv") as one, atomic_write(tmp_path / "new.csv") as other:
            assert one != other
            one.write_text("one")
            other.write_text("other")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


class TestAtomicFolder:
    def test_appears_when_everything_is_written(self, tmp_path):
        path = tmp_path / "above" / "new"
        with atomic_folder(path) as beside:
            (beside / "a").write_text("a")
            assert not path.exists()
        assert [each.name for each in path.iterdir()] == ["a"]
        assert [*path.parent.iterdir()] == [path]

    def test_has_the_usual_permissions(self, tmp_path):
        (tmp_path / "usual").mkdir()
        with atomic_folder(tmp_path / "new"):
            pass
        assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode

    @pytest.mark.parametrize(
        ("raised", "seen"), [(OSError(28, "Full disk"), RunError), (ValueError("Full value"), ValueError)]
    )
    def test_leaves_no_files_after_an_error(self, tmp_path, raised, seen):
        def fail():
            with atomic_folder(tmp_path / "new") as beside:
                (beside / "a").write_text("a")
                raise raised

        with pytest.raises(seen, match="Full"):
            fail()
        assert not [*tmp_path.iterdir()]

    def test_does_not_replace_a_folder_created_meanwhile(self, tmp_path):
        path = tmp_path / "new"

        def race():
            with atomic_folder(path):
                path.mkdir()
                (path / "theirs").touch()

        with pytest.raises(RunError, match="new cannot be written"):
            race()
        assert os.listdir(tmp_path) == ["new"]
        assert os.listdir(path) == ["theirs"]


class TestLeftovers:
    """What a process that was killed left beside the file or folder that it wrote."""

    @pytest.fixture
    def dead(self):
        """Return the number of a process that has ended."""
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return process.pid

    @pytest.mark.skipif(sys.platform == "win32", reason="cannot tell whether a process runs")
    def test_are_removed_when_the_target_is_written_again(self, tmp_path, dead):
        folder = tmp_path / f".out.npz-{dead}-0123abcd"
        half = [tmp_path / f".out.{dead}-0123abcd.npz", tmp_path / f".out.{dead}.npz"]
        others = [tmp_path / f".out.{number}.npz" for number in (os.getpid(), f"{os.getpid()}-0123abcd")]
        others += [tmp_path / f".out.{dead}-0123abcd.csv", tmp_path / f".more.{dead}-0123abcd.npz"]
        for path in (*half, *others):
            path.write_bytes(b"half")
        folder.mkdir()
        os.utime(folder, (0, 0))
        refuse_existing(tmp_path / "out.npz")
        assert sorted(tmp_path.iterdir()) == sorted(others)

    def test_of_a_claimed_folder_are_all_removed_and_nothing_else(self, tmp_path):
        half = [tmp_path / ".plan.7.toml", tmp_path / "figures" / ".tiles.7-0123abcd.png", tmp_path / "a" / ".name.7"]
        others = [tmp_path / "plan.7.toml", tmp_path / ".hidden", tmp_path / "figures" / ".tiles.png"]
        for path in (*half, *others):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
        remove_temporary_files(tmp_path)
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)

    def test_where_locks_lock_nothing_a_folder_counts_as_in_use(self, tmp_path, monkeypatch):
        assert not may_be_in_use(tmp_path)
        monkeypatch.setattr(leftovers, "lock_folder", lambda folder: nullcontext())
        assert may_be_in_use(tmp_path)


def test_temporary_folders_are_locked_and_different(tmp_path):
    with temporary_folder(tmp_path / "new", mode=0o700) as one, temporary_folder(tmp_path / "new") as other:
        assert one != other
        assert one.stat().st_mode & 0o077 == 0
        for folder in (one, other):
            assert folder.name.startswith(".new-")
            with pytest.raises(BlockingIOError), lock_folder(folder):
                pass
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(sys.platform == "win32", reason="the whole path would be too long")
@pytest.mark.parametrize(
    ("name", "suffix"),
    [("n" * 251 + ".npz", ".npz"), ("火" * 85, None), ("n" * 200 + "." + "s" * 54, None)],
    ids=["letters", "characters of three bytes", "long suffix"],
)
def test_names_of_255_bytes(tmp_path, name, suffix):
    with atomic_write(tmp_path / name) as temporary:
        assert suffix is None or temporary.suffix == suffix
        temporary.write_bytes(b"whole")
    assert (tmp_path / name).read_bytes() == b"whole"
    (tmp_path / name).unlink()
    with atomic_folder(tmp_path / name) as folder:
        (folder / "file").touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]
