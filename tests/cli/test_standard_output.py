"""Standard output has the results of the command, whatever plugins print and however they do it."""

from __future__ import annotations

import json
import sys

import pytest
from helpers.bad_plugins import LOSS, write_metadata
from helpers.processes import run_process

START = "from marsseg_core.cli.main import main; main()"

# Each way prints one line: its name and the moment.
NOISE = """\
import atexit, ctypes, os, subprocess, sys, threading

def in_thread(line):
    thread = threading.Thread(target=print, args=[line])
    thread.start()
    thread.join()

def in_c(line):
    libc = ctypes.CDLL(None)
    libc.puts(line.encode())
    libc.fflush(None)

WAYS = {
    "print": print,
    "stream": lambda line: sys.stdout.write(line + "\\n"),
    "original": lambda line: sys.__stdout__.write(line + "\\n"),
    "descriptor": lambda line: os.write(1, (line + "\\n").encode()),
    "child": lambda line: subprocess.run([sys.executable, "-ISc", f"print('{line}')"], check=True),
    "thread": in_thread,
    "c": in_c,
}

def noise(moment, *ways):
    for way in ways or WAYS:
        WAYS[way](f"{way} at {moment}")

"""
WAYS = {"print", "stream", "original", "descriptor", "child", "thread", "c"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="C's library is loaded by another name there")


def lines(moment: str) -> set[str]:
    return {f"{way} at {moment}" for way in WAYS}


def test_what_a_component_prints_never_spoils_the_results(tmp_path):
    (tmp_path / "noisy.py").write_text(
        NOISE
        + LOSS.replace("def build", "def __post_init__(self): noise('use', 'print', 'descriptor', 'c')\n    def build")
        + "noise('import')\natexit.register(noise, 'exit', 'print', 'stream', 'original', 'descriptor', 'c')\n"
    )
    answer = run_process(sys.executable, "-c", START, "show", "bad", "--json", "--plugin", "noisy.py", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["components"][0]["name"] == "bad"
    assert {*answer.err.splitlines()} >= lines("import") | lines("exit") - {"child at exit", "thread at exit"}
    dry = run_process(
        sys.executable, "-c", START, "run", "--loss", "bad", "--plugin", "noisy.py", "--dry-run", cwd=tmp_path
    )
    assert dry.out.startswith("setting\tvalue\torigin\n")
    assert " at " not in dry.out
    assert "descriptor at use" in dry.err


@pytest.mark.parametrize("code", [0, 3])
def test_what_the_command_of_a_plugin_prints_is_its_result(tmp_path, code):
    site = tmp_path / "site"
    site.mkdir()
    (site / "loud.py").write_text(
        NOISE
        + "from marsseg_core.plugin_api import hookimpl\nnoise('import', 'print', 'descriptor')\n"
        + "@hookimpl\ndef marsseg_register_commands(app):\n"
        + "    noise('registration', 'print', 'descriptor')\n"
        + "    @app.command('loud')\n    def loud():\n"
        + "        noise('work')\n"
        + f"        sys.exit({code})\n"
    )
    write_metadata(site, "loud", "loud = loud", "marsseg.commands")
    answer = run_process(sys.executable, "-c", START, "loud", cwd=tmp_path, PYTHONPATH=str(site))
    assert answer.code == code
    assert {*answer.out.splitlines()} == lines("work")
    assert {*answer.err.splitlines()} == {
        f"{way} at {moment}" for way in ("print", "descriptor") for moment in ("import", "registration")
    }
    shown = run_process(sys.executable, "-c", START, "loud", "--help", cwd=tmp_path, PYTHONPATH=str(site))
    assert "Usage: marsseg loud" in shown.out
    assert " at " not in shown.out
