"""Checks on another backend share one process, which says what failed and starts again if it died."""

import pytest

from marsseg_core.testing.other_backend import run_on_backend

ANOTHER = "none: no check imports Keras here"


def test_a_check_runs_with_its_words_and_its_backend(tmp_path):
    target = tmp_path / "answer"
    code = "import os, sys; open(sys.argv[1], 'w').write(os.environ['KERAS_BACKEND'] + sys.argv[2])"
    run_on_backend(ANOTHER, code, str(target), "!")
    assert target.read_text() == f"{ANOTHER}!"


@pytest.mark.parametrize("code", ["1 / 0", "def", "raise SystemExit('ended')", "print('text')\nassert False"])
def test_a_failure_is_told_and_the_next_check_runs(code):
    with pytest.raises(AssertionError, match=r"ZeroDivisionError|SyntaxError|ended|AssertionError"):
        run_on_backend(ANOTHER, code)
    run_on_backend(ANOTHER, "pass")


def test_checks_do_not_see_each_others_names():
    run_on_backend(ANOTHER, "name = 1")
    with pytest.raises(AssertionError, match="NameError"):
        run_on_backend(ANOTHER, "name")


def test_a_process_that_dies_is_replaced():
    with pytest.raises(AssertionError, match="ended with 3"):
        run_on_backend(ANOTHER, "import os; os._exit(3)")
    run_on_backend(ANOTHER, "pass")
