"""Nothing but regular files is opened: a named pipe, a socket or a device would block, or never end."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from helpers.paths import FROZEN

from marsseg_core.data.images import image_size, orientation_of, pixel_type, read_image, read_mask
from marsseg_core.errors import MarssegError, RequestError
from marsseg_core.files.regular import check_regular, open_regular
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.files.text import read_text
from marsseg_core.registry.plugin_files import load_plugin_files
from marsseg_plugins.datasets.class_file import read_class_file
from marsseg_plugins.datasets.npz import Npz

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def linked_pipe(path: Path) -> Path:
    path.symlink_to(pipe(path.with_name("pipe")))
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


SPECIAL = [pipe, device, linked_pipe, listening]
special = pytest.mark.parametrize("made", SPECIAL)


@special
def test_it_is_named_and_not_opened(tmp_path, monkeypatch, made):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    path = made(Path("a"))
    for read in (check_regular, open_regular, read_text):
        with pytest.raises(OSError, match=r"it is a (named pipe|device|socket), not a regular file"):
            read(path)


def test_a_regular_file_and_a_link_to_it_are_opened(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in "ab":
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


READERS = {
    "a.png": (read_image, read_mask, pixel_type, image_size, orientation_of),
    "a.npz": (lambda path: Npz(str(path)).load(), lambda path: Npz(str(path)).unlabelled()),
    "classes.csv": (read_class_file,),
    "my_loss.py": (lambda path: load_plugin_files([path]),),
}


@pytest.mark.parametrize("made", [pipe, device])
@pytest.mark.parametrize("name", READERS)
def test_each_reader_refuses_it(tmp_path, made, name):
    path = made(tmp_path / name)
    for read in READERS[name]:
        with pytest.raises(RequestError, match="not a regular file"):
            read(path)


@pytest.mark.parametrize("made", [pipe, device])
def test_commands_refuse_it(tmp_path, cli, made):
    plan, image = made(tmp_path / "plan.toml"), made(tmp_path / "b.png")
    assert "not a regular file" in cli("run", "--plan", str(plan), "--dry-run").err
    answer = cli("predict", str(FROZEN / "finished"), str(image), "--out", str(tmp_path / "out"))
    assert (answer.code, "not a regular file" in answer.err) == (2, True)


@pytest.mark.parametrize("name", ["network.keras", "split.json", "metrics.json", "checkpoint/last.npz"])
def test_files_of_a_run_folder_too(tmp_path, name):
    shutil.copytree(FROZEN / "finished", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    (folder.path / name).parent.mkdir(exist_ok=True)
    (folder.path / name).unlink(missing_ok=True)
    pipe(folder.path / name)
    readers = {
        "network.keras": folder.network_hash,
        "split.json": folder.read_split,
        "metrics.json": folder.read_metrics,
    }
    if read := readers.get(name):
        with pytest.raises(MarssegError, match="not a regular file"):
            read()
    else:
        from marsseg_core.training.checkpoint import read_progress

        with pytest.raises(RequestError, match="not a regular file"):
            read_progress(folder.checkpoint)
