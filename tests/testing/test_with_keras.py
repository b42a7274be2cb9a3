"""What a test sees of a process that has imported Keras already is what it sees of a fresh one."""

import signal
import subprocess
import sys
import time

import pytest
from helpers.processes import run_process
from helpers.with_keras import run_with_keras, start_with_keras

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only")


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys; print(sys.argv, sys.path[0], os.getcwd(), os.environ['MINE'], sys.stdin.read())",
        "import sys; print('text'); sys.exit(7)",
        "import sys; sys.exit('a message')",
        "import atexit; atexit.register(print, 'at the end')",
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import signal; print(signal.getsignal(signal.SIGINT).__name__, signal.getsignal(signal.SIGCHLD))",
        "import sys; print(*(file.isatty() for file in (sys.stdin, sys.stdout, sys.stderr)))",
        "import __main__; print(hasattr(__main__, '__file__'), __name__)",
    ],
)
def test_streams_words_and_the_exit_code(code, tmp_path):
    fresh = run_process(sys.executable, "-c", code, "a", "b", cwd=tmp_path, MINE="ours")
    assert run_with_keras(code, "a", "b", cwd=tmp_path, MINE="ours") == fresh


def test_an_error_is_told(tmp_path):
    answer = run_with_keras("1 / 0", cwd=tmp_path)
    assert answer.code == 1
    assert answer.err.endswith("ZeroDivisionError: division by zero\n")


def test_keras_is_imported_but_nothing_is_left_by_other_tests(tmp_path):
    run_with_keras("import sys; sys.known = True", cwd=tmp_path)
    code = "import sys; print('keras' in sys.modules, 'marsseg_core' in sys.modules, hasattr(sys, 'known'))"
    assert run_with_keras(code, cwd=tmp_path).out == "True False False\n"


def test_two_run_at_once_and_one_is_killed(tmp_path):
    # A signal that comes while a process is still copied may be lost in Python's own code for that.
    with (tmp_path / "out").open("wb") as out:
        code = "import time; print('begun', flush=True); time.sleep(60)"
        first, second = (start_with_keras(code, cwd=tmp_path, stdout=out, stderr=out) for _ in range(2))
    deadline = time.monotonic() + 60
    while (tmp_path / "out").read_text().count("begun") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=0)
    first.kill()
    assert first.wait(timeout=30) == -signal.SIGKILL
    assert second.poll() is None
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=30) == -signal.SIGINT


def test_what_keras_reads_when_it_is_imported_cannot_be_changed(tmp_path):
    with pytest.raises(ValueError, match="KERAS_BACKEND"):
        run_with_keras("pass", cwd=tmp_path, KERAS_BACKEND="jax")


def test_one_that_takes_too_long_is_ended(tmp_path):
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run_with_keras("import time; time.sleep(60)", cwd=tmp_path, timeout=1)
    assert time.monotonic() - started < 50
