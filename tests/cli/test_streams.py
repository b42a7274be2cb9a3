"""Test that work goes on where standard output or standard error goes away, and that the exit code tells."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import threading

import pytest
from helpers.processes import PLAIN_TERMINAL

from marsseg_core import messages
from marsseg_core.cli import streams
from marsseg_core.files import native_output
from marsseg_core.files.native_output import native_output_hidden

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")

TRAINING = ["--arch", "unet:width=0.125:depth=1:convolutions=1", "--data", "synthetic:count=16:height=16:width=16"]
MARSSEG = [sys.executable, "-m", "marsseg_core"]
STRIPPED = [sys.executable, "-OO", "-m", "marsseg_core"]


def shell(redirections: str, *words: str, cwd, command=MARSSEG) -> subprocess.CompletedProcess:
    """Run the command in a shell with redirections."""
    wanted = {key: value for key, value in (os.environ | PLAIN_TERMINAL).items() if value is not None}
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirections}', "sh", *command, *words],
        cwd=cwd,
        env=wanted,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def waiting(monkeypatch):
    """The warnings that are not logged yet."""
    monkeypatch.setattr(messages, "_waiting", messages.deque())
    return messages._waiting


@pytest.fixture
def broken_pipe():
    """A descriptor of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_the_first_failure_is_recorded_and_no_write_fails(broken_pipe, waiting):
    file = streams.LastingFile(broken_pipe, "Standard error")
    stream = io.TextIOWrapper(io.BufferedWriter(file), write_through=True)
    for _ in range(3):
        print("x" * 100_000, file=stream, flush=True)
    stream.close()
    assert isinstance(file.failure, BrokenPipeError)
    assert list(waiting) == ["Standard error can no longer be written: Broken pipe. The work continues without it."]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_device_is_one_failure(waiting):
    with open("/dev/full", "wb", buffering=0) as full:
        file = streams.LastingFile(full.fileno(), "Standard output")
        assert file.write(b"abc") == 3
    assert file.failure.errno == errno.ENOSPC
    assert len(waiting) == 1


def test_a_plugin_cannot_close_a_stream(tmp_path):
    with open(tmp_path / "file", "w", encoding="utf-8") as file:
        stream = streams.lasting(file, file.fileno(), "Standard error")
        print("one", file=stream)
        stream.close()
        print("two", file=stream, flush=True)
        assert not stream.closed
    assert (tmp_path / "file").read_text() == "one\ntwo\n"


@posix
def test_a_descriptor_in_non_blocking_mode_loses_nothing(waiting):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    received = bytearray()

    def read():
        while block := os.read(reading, 2**16):
            received.extend(block)

    reader = threading.Thread(target=read)
    sent = bytes(range(256)) * 4000
    starter = threading.Timer(0.1, reader.start)  # the pipe is full by then
    starter.start()
    file = streams.LastingFile(writing, "Standard output")
    assert file.write(sent) == len(sent)
    os.close(writing)
    starter.join()
    reader.join()
    os.close(reading)
    assert (bytes(received), file.failure) == (sent, None)


def test_native_output_is_hidden_also_where_the_user_interrupts_but_not_without_a_place_for_it(monkeypatch, capfd):
    def no_folder():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    def interrupt():
        os.write(2, b"hidden")
        raise KeyboardInterrupt

    with native_output_hidden():
        os.write(2, b"hidden")
    with pytest.raises(KeyboardInterrupt), native_output_hidden():
        interrupt()
    monkeypatch.setattr(native_output.tempfile, "TemporaryFile", no_folder)
    with native_output_hidden():
        os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_the_output_of_an_imported_library_is_hidden_and_not_that_of_the_code_that_imports_it(
    monkeypatch, capfd, tmp_path
):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("keras", "jax", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)  # afterwards, what is imported here goes, too
        del sys.modules[name]
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'E0000 native')\nNAME = __spec__.loader")
    (tmp_path / "jax.py").write_text("import os\nos.write(2, b'the reason ')\nraise ImportError('no jax')")
    with native_output.native_output_of_imports_hidden():
        import keras

        print("shown", file=sys.stderr)
    with pytest.raises(ImportError, match="no jax"), native_output.native_output_of_imports_hidden():
        import jax  # noqa: F401
    assert capfd.readouterr().err == "shown\nthe reason "
    assert type(keras.NAME).__name__ == "SourceFileLoader"  # what reads the files of a package asks for it
    assert not [each for each in sys.meta_path if type(each).__module__ == native_output.__name__]


@posix
@pytest.mark.parametrize("words", [("list", "loss"), ("list", "loss", "--json"), ("--help",)])
def test_results_that_cannot_be_printed_are_an_error(tmp_path, words):
    answer = shell(">&-", *words, cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: The results cannot be printed on standard output: Bad file descriptor.")
    assert "Traceback" not in answer.stderr


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_is_no_error(tmp_path, broken_pipe, unbuffered):
    environment = {key: value for key, value in (os.environ | PLAIN_TERMINAL).items() if value is not None}
    answer = subprocess.run(
        [*MARSSEG, "list"],
        cwd=tmp_path,
        env=environment | {"PYTHONUNBUFFERED": unbuffered},
        stdout=broken_pipe,
        stderr=subprocess.PIPE,
        timeout=300,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert shell("| head -1", "show", "unet", cwd=tmp_path).stdout == "architecture unet\n"


@posix
def test_errors_keep_their_code_without_standard_error(tmp_path):
    assert shell("2>&-", "list", "nonsense", cwd=tmp_path).returncode == 2
    assert shell(">&- 2>&- <&-", "list", "nonsense", cwd=tmp_path).returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_training_goes_on_without_its_outputs(tmp_path):
    """Also without docstrings and asserts, which are stripped here to save another training."""
    words = (*TRAINING, "--epochs", "2", "--out", "run")
    answer = shell(">/dev/full 2>&-", "run", *words, cwd=tmp_path, command=STRIPPED)
    assert answer.returncode == 1
    run = tmp_path / "run"
    assert json.loads((run / "metrics.json").read_text())["status"] == "finished"
    assert (run / "report.html").exists()
    log = (run / "log.txt").read_text()
    assert log.count("Standard error can no longer be written: Bad file descriptor.") == 1
    assert "the scores cannot be printed: No space left on device" in log
