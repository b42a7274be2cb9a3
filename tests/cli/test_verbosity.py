"""How much is printed: with `-q` only warnings and errors, with `-v` debug messages, too."""

from __future__ import annotations

import logging

import pytest

from marsseg_core.messages import ROOT, get_logger

pytestmark = pytest.mark.usefixtures("without_reports")

WORDS = ("run", "--arch", "unet:width=0.125:depth=1:convolutions=1", "--data", "synthetic:count=24:height=16:width=32")


@pytest.mark.slow
def test_a_quiet_run_prints_its_scores_and_nothing_else(cli, tmp_path):
    answer = cli(*WORDS, "--epochs", "1", "--out", "quiet", "-q")
    assert answer.code == 0
    assert answer.err == ""
    assert "miou" in answer.out
    assert "finished" in (tmp_path / "quiet" / "log.txt").read_text()
    assert "epoch 1/1" in cli(*WORDS, "--epochs", "1", "--out", "loud").err


def test_verbose_says_where_data_come_from_and_what_is_imported(cli, tmp_path):
    words = ("data", "inspect", "synthetic:count=24:height=16:width=32")
    plain, verbose = cli(*words), cli(*words, "-v")
    assert verbose.code == plain.code == 0
    assert "synthetic" in verbose.err
    assert plain.out == verbose.out
    (tmp_path / "said.py").write_text(LOSS)  # a file that no other test has loaded
    assert " s to import." in cli("list", "loss", "-v", "--plugin", "said.py").err


LOSS = """
from dataclasses import dataclass
from marsseg_core.plugin_api import Loss

@dataclass(frozen=True)
class Said(Loss):
    "Said."
    def build(self, spec): return None
"""


@pytest.mark.parametrize("before", [True, False])
def test_warnings_are_printed_when_quiet(cli, before):
    words = ("run", "--loss", "ssce", "--weighting", "uncertainty", "--dry-run")
    answer = cli("-q", *words) if before else cli(*words, "-q")
    assert answer.code == 0
    assert "Warning: The weighting 'uncertainty' has no effect, as there is only one loss, ssce." in answer.err


def test_before_the_command_they_mean_the_same_as_after_it(cli):
    words = ("data", "inspect", "synthetic:count=24:height=16:width=32")
    assert cli("--verbose", *words).err == cli(*words, "-v").err != cli(*words).err
    assert cli("-q", *words).err == cli(*words, "-q").err


@pytest.mark.parametrize("words", ["list -q -v", "-q -v list", "-q list -v"])
def test_both_cannot_be_used_together(cli, words):
    answer = cli(*words.split())
    assert answer.code == 2
    assert "-v and -q cannot be used together." in answer.err


def test_the_level_is_restored_after_a_command(cli):
    before = logging.getLogger(ROOT).level
    cli("list", "-v")
    cli("-q", "list")
    assert logging.getLogger(ROOT).level == before == logging.INFO
    assert logging.getLogger(ROOT).propagate


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("marsseg_core.training.loop", "marsseg.training"),
        ("marsseg_core.hooks", "marsseg.hooks"),
        ("marsseg_plugins.datasets.pairs", "marsseg.plugins.marsseg_plugins"),
        ("mine", "marsseg.plugins.mine"),
    ],
)
def test_each_room_has_a_logger(module, name):
    assert get_logger(module).name == name
