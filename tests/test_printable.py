"""Test that control characters in names are shown as escapes wherever something is printed, logged or stored."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from marsseg_core.cli import completion
from marsseg_core.cli.output import print_error, print_table, print_text
from marsseg_core.cli.verbosity import messages_on_standard_error
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.errors import RequestError
from marsseg_core.figures.page import render_template
from marsseg_core.files.progress import ProgressBar
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.messages import get_logger
from marsseg_core.printable import printable
from marsseg_plugins.observers import progress

EVIL = "a\x1b[31m\x07\x9b\r\u202e\udcff.npz"
SHOWN = r"a\x1b[31m\x07\x9b\r\u202e\udcff.npz"


def test_only_what_controls_a_terminal_is_escaped():
    assert printable(EVIL) == SHOWN
    plain = "Ünïcode → ✓ 火星 👩‍🚀 x²\n\tsecond line"
    assert printable(plain) == plain


def test_results_messages_and_errors(capsys):
    print_text(EVIL)
    print_table(["name"], [[EVIL]])
    print_error(RequestError(EVIL, where=EVIL, hint=EVIL), with_traceback=False)
    with messages_on_standard_error():
        get_logger("mine").warning(EVIL)
    progress._print_line(EVIL)
    out, err = capsys.readouterr()
    assert out.splitlines() == [SHOWN, "name", SHOWN]
    assert err.count(SHOWN) == 5
    assert not set(out + err) & set("\x1b\x07\x9b\r\u202e\udcff")


@pytest.mark.parametrize("columns", [200, 20])
def test_on_a_terminal_too(capsys, monkeypatch, columns):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    print_text(EVIL)
    print_table(["name", "size"], [[EVIL, EVIL]])
    print_error(RequestError(EVIL, where=EVIL, hint=EVIL), with_traceback=False)
    out, err = capsys.readouterr()
    # Bold letters and colours are the only sequences that remain.
    assert "\x1b[31ma" not in out
    assert r"\x1b" in out
    assert not set(out + err) & set("\x07\x9b\r\u202e\udcff")


def test_the_text_of_an_error():
    assert str(RequestError("No file.", where=EVIL)) == f"No file. [{SHOWN}]"


def test_the_progress_of_an_operation(monkeypatch, capsys):
    monkeypatch.setattr("marsseg_core.files.progress.SILENT_SECONDS", 0)
    with ProgressBar("Reading", EVIL) as bar:
        bar(1, 2)
    assert f"Reading {SHOWN}" in capsys.readouterr().err


def test_a_log_of_a_run_has_one_entry_for_each_message(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log(f"{EVIL}\n2026-01-01 00:00:00  finished")
    first, second = folder.log_file.read_text(encoding="utf-8").splitlines()
    assert first.endswith(SHOWN)
    assert second == " " * 21 + "2026-01-01 00:00:00  finished"


def test_pages(tmp_path):
    page = render_template("marsseg_core.figures", "base.html", title=EVIL)
    assert SHOWN in page
    assert EVIL not in page


def test_a_traceback(capsys):
    try:
        raise ValueError(EVIL)
    except ValueError as cause:
        error = RequestError("Wrong.")
        error.__cause__ = cause
    print_error(error, with_traceback=True)
    assert f"ValueError: {SHOWN}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("list", "--\x1b[31m"), ("--\x1b[31m",), ("\x1b[31m",), ("data", "\x1b[31m")])
def test_errors_in_the_use_of_options(cli, words):
    answer = cli(*words)
    assert answer.code == 2
    assert "\x1b" not in answer.err
    assert r"\x1b[31m" in answer.err


def test_suggestions_of_the_shell():
    suggest = completion._completer(lambda options, text: [("sound", EVIL), (EVIL, "")])
    assert [(word, "\x1b" in description) for word, description in suggest(SimpleNamespace(params={}), "")] == [
        ("sound", False)
    ]


def test_names_of_classes_and_data_sets_are_escaped_where_data_enter():
    """So that all tables, columns and figures have them in this form."""
    data = SegmentationData(
        np.zeros((1, 4, 4, 1), np.uint8), np.zeros((1, 4, 4), np.uint8), (EVIL, "soil"), source=f"folder:{EVIL}"
    )
    assert data.class_names == (SHOWN, "soil")
    assert data.source == f"folder:{SHOWN}"
