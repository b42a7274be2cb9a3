"""What a caller in Python sees of an error: its own lines in a notebook, and the arguments of the function."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import marsseg
from marsseg_core.errors import MarssegError, PluginError, RequestError
from marsseg_core.plugin_api import Loss


@pytest.fixture
def notebook(monkeypatch):
    """Return a function that calls a function, and returns what IPython shows of the error, in one of its modes."""
    ultratb = pytest.importorskip("IPython.core.ultratb")
    formatter = ultratb.AutoFormattedTB()
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(InteractiveTB=formatter))
    )

    def shown(function, mode="Context"):
        formatter.set_mode(mode=mode)
        with pytest.raises(MarssegError) as caught:
            function()
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(caught.value._render_traceback_()))

    return shown


def wrong_name():
    marsseg.plan(loss="tverski")


def helper():
    raise KeyError("no such thing")


@dataclass(frozen=True)
class Failing(Loss):
    """A loss that fails in a function of its own."""

    def build(self, spec):
        return helper()


def failing_loss():
    marsseg.loss(Failing)


def test_a_notebook_shows_the_line_of_the_cell_and_the_message(notebook):
    text = notebook(wrong_name)
    assert 'marsseg.plan(loss="tverski")' in text
    assert "There is no loss 'tverski'" in text.splitlines()[-1]
    assert "marsseg_core" not in text


def test_it_also_shows_the_lines_of_the_callers_code_in_which_the_error_began(notebook):
    text = notebook(failing_loss)
    places = [text.index(line) for line in ("marsseg.loss(Failing)", "return helper()", "raise KeyError")]
    assert places == sorted(places)
    assert "PluginError: The loss 'failing' (passed in Python) failed: KeyError" in text
    assert "marsseg_core" not in text


@pytest.mark.parametrize("mode", ["Plain", "Verbose"])
def test_other_modes_show_all_lines(notebook, mode):
    text = notebook(failing_loss, mode)
    assert "invoke.py" in text
    assert "direct cause" in text


def test_the_hint_of_a_failure_is_one_for_python():
    with pytest.raises(PluginError, match="`__cause__` says where") as caught:
        failing_loss()
    assert isinstance(caught.value.__cause__, KeyError)
    assert "--traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "words", "where"),
    [
        ("plan", {"loss": "tverski"}, "loss='tverski'"),
        ("plan", {"base": "nowhere.toml"}, "base="),
        ("plan", {"overrides": ["arch.unet=1"]}, "overrides='arch.unet=1'"),
        ("plan", {"plugins": ["nowhere.py"]}, "plugins='nowhere.py'"),
        ("plan", {"metrics": "mio"}, "metrics='mio'"),
        ("loss", {"name": "tverski"}, "name='tverski'"),
        ("dataset", {"name": "nowhere:count=2"}, "name='nowhere:count=2'"),
        ("series", {}, "seeds="),
        ("series", {"seeds": 2, "folds": 2}, "seeds=, folds="),
        ("sweep", {"arch": "unet", "vary": {"arch": "unet,dense"}}, "arch=, vary=arch"),
    ],
)
def test_the_place_of_an_error_is_an_argument(function, words, where):
    with pytest.raises(RequestError) as caught:
        getattr(marsseg, function)(**words)
    assert caught.value.where == where


def test_the_origin_of_a_value_is_python():
    rows = {name: origin for name, _, origin in marsseg.plan(loss="dice", epochs=3, overrides=["split.seed=4"]).rows()}
    assert (rows["loss"], rows["training.epochs"], rows["split.seed"]) == ("Python", "Python", "overrides")


def test_a_run_without_the_report_is_planned_as_on_the_command_line():
    plan = marsseg.plan(disable=["report"])
    assert [name.word for name in plan.session.disabled] == ["report"]
    with pytest.raises(RequestError, match="'disable' cannot be passed with it"):
        marsseg.run(plan, disable=["report"])
