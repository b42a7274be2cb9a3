"""Help: the defaults of plans, panels by topic, `marsseg help`, what other programs call an option, `marsseg env`."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest
from helpers.paths import FROZEN
from helpers.printed import plain, table

from marsseg_core.cli import env
from marsseg_core.cli.data import COMMANDS as DATA_COMMANDS
from marsseg_core.cli.main import COMMANDS
from marsseg_core.cli.words import OTHER_COMMANDS, OTHER_WORDS
from marsseg_core.errors import RequestError
from marsseg_core.registry.catalog import Catalog


def options(text: str) -> dict[str, str]:
    """Return the text of each option of a help that is wide enough for one line each."""
    lines = re.findall(r"^│[ *]*(--[\w-]+) +(.*?) *│$", plain(text), re.MULTILINE)
    return {option: " ".join(words.split()) for option, words in lines}


def words_of(text: str) -> set[str]:
    """Return the words of a help, without what separates them."""
    return {word.rstrip(",") for word in re.sub(r"[│╭╮╰╯─*]", " ", text).split()}


@pytest.mark.parametrize("command", ["run", "sweep", "ablate"])
def test_the_help_says_what_a_plan_has_by_default(cli, command):
    shown = options(cli(command, "--help", COLUMNS="500").out)
    planned = {name: value for name, value, _ in table(cli("run", "--dry-run").out)}
    for option in ("arch", "bottleneck", "loss", "augment", "optimizer", "data", "encoder"):
        assert f"Default: {planned[option]}." in shown[f"--{option}"]
    for option in ("epochs", "batch", "learning_rate", "monitor", "precision", "workers"):
        assert f"Default: {planned[f'training.{option}']}." in shown[f"--{option.replace('_', '-')}"]
    assert f"Default: {planned['split.subsets']}." in shown["--split"]


def test_options_are_in_panels_by_topic_and_flags_have_no_type(cli):
    text = cli("run", "--help").out
    panels = ["Components", "Data", "Training", "Plan and plugins", "Several runs", "Continuing a run", "Other options"]
    assert re.findall(r"╭─ (.*?) ─", text) == panels
    assert re.findall(r"^│ (--[\w-]+)", text.partition(" Several runs ")[2], re.MULTILINE) == [
        *("--seeds", "--folds", "--on", "--jobs"),
        *("--resume", "--extend"),
        *("--out", "--dry-run", "--verbose", "--quiet", "--help"),
    ]
    assert "<bool>" not in text
    assert "<bool>" not in cli("--help").out


ALL = [(name,) for name in COMMANDS] + [("data", name) for name in DATA_COMMANDS]


@pytest.mark.parametrize("words", [(), *ALL], ids=" ".join)
def test_a_help_names_no_types_of_python_and_a_narrow_terminal_cuts_no_word(cli, words):
    wide, usual, narrow = (plain(cli(*words, "--help", COLUMNS=columns).out) for columns in ("500", "80", "60"))
    assert re.findall(r"<\w.*?>", wide) == []
    assert "[default" not in wide
    assert words_of(wide) - words_of(usual) == set()
    assert words_of(wide) - words_of(narrow) == set()
    assert max(map(len, narrow.splitlines())) <= 60


def test_defaults_of_commands_are_given_like_those_of_plans(cli):
    exported, made = (options(cli(*words, "--help", COLUMNS="500").out) for words in (("export",), ("data", "make")))
    assert exported["--tolerance"].endswith("not float32. Default: 0.01.")
    assert exported["--data"].endswith("than float32 need them.")
    assert made["--height"] == "N Height of an image, in pixels. Default: 64."


@pytest.mark.parametrize("words", [(), ("run",), ("data", "inspect")], ids=" ".join)
def test_help_is_the_help_of_a_command(cli, words):
    answer = cli("help", *words)
    assert answer.code == 0
    assert answer.out == cli(*words, "--help").out


def test_help_of_an_unknown_command_is_an_error(cli):
    answer = cli("help", "trian")
    assert (answer.code, answer.out) == (2, "")
    assert "No such command 'trian'" in answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train --data x", "run"),
        ("trian", "run"),
        ("rnu", "run"),
        ("help fit", "run"),
        ("test", "evaluate"),
        ("infer", "predict"),
        ("dashboard", "board"),
        ("data inspct", "inspect"),
    ],
)
def test_an_unknown_command_leads_to_the_one_that_is_meant(cli, words, meant):
    answer = cli(*words.split())
    assert answer.code == 2
    assert f"Did you mean '{meant}'?" in answer.err


def test_a_word_without_a_meaning_leads_to_the_list_of_commands(cli):
    said = " ".join(cli("xyzzy").err.replace("│", " ").split())
    assert "No such command 'xyzzy'. Commands: ablate, board, check, " in said
    assert "Commands: cache, clean, convert, inspect, make." in cli("data", "xyzzy").err


def test_other_words_lead_to_commands_and_are_none_themselves():
    assert {command.split()[0] for command in OTHER_COMMANDS.values()} <= {*COMMANDS, "data"}
    assert not OTHER_COMMANDS.keys() & {*COMMANDS, "data"}


def test_the_version_has_a_short_option(cli):
    assert cli("-V").out == cli("--version").out


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_a_word_of_another_program_leads_to_the_option(cli, word):
    answer = cli("run", word, "3")
    assert answer.code == 2
    assert f"(Possible options: {OTHER_WORDS[word]})" in " ".join(answer.err.replace("│", " ").split())


def test_a_setting_without_an_option_leads_to_set(cli):
    assert "--set training.crop=…" in cli("run", "--crop", "16,16").err
    assert "--set split.labelled=…" in cli("run", "--labelled", "0.5").err


def test_a_word_is_not_led_to_an_option_that_the_command_does_not_have(cli):
    assert "--learning-rate" not in cli("list", "--lr", "3").err


def test_a_space_in_a_list_is_named(cli):
    answer = cli("run", "--loss", "wssce,", "dice")
    assert answer.code == 2
    assert "There is a space in the list 'wssce, dice'." in answer.err
    assert "--loss wssce,dice" in answer.err


def test_a_missing_path_is_said_to_be_missing(cli):
    answer = cli("run", "--data", "nofolder", "--dry-run")
    assert answer.code == 2
    assert "There is no file or folder at this path either." in answer.err
    assert "Did you mean" not in answer.err
    assert "Data sets with a name: ai4mars, folder, " in answer.err


@pytest.mark.parametrize(
    ("word", "meant"), [("synthetc", "synthetic"), ("fodler", "folder"), ("folders:path=x", "folder")]
)
def test_a_misspelt_data_set_leads_to_the_right_one(cli, word, meant):
    answer = cli("run", "--data", word, "--dry-run")
    assert answer.code == 2
    assert f"Did you mean '{meant}'?" in answer.err


def test_env_says_versions_devices_and_folders(cli, tmp_path):
    facts = json.loads(cli("env", "--json", MARSSEG_CACHE=str(tmp_path)).out)["environment"]
    assert facts["marsseg"] == version("marsseg")
    assert facts["keras"] == version("keras")
    assert facts["cache"] == facts["MARSSEG_CACHE"] == str(tmp_path)
    assert facts["backend"] == "tensorflow"
    assert "cpu:0" in facts["devices"]
    assert [row[0] for row in table(cli("env", MARSSEG_CACHE=str(tmp_path)).out)[1:]] == [*facts]


def test_env_says_that_there_are_no_plugins(cli, monkeypatch):
    monkeypatch.setattr(env, "load_keras", lambda: None)
    monkeypatch.setattr(env, "installed", lambda: Catalog((), ()))
    assert ["plugins", "none"] in table(cli("env").out)


def test_env_says_the_rest_where_keras_cannot_be_started(cli, monkeypatch):
    def fail():
        raise RequestError("Keras cannot be loaded: no such thing")

    monkeypatch.setattr(env, "load_keras", fail)
    answer = cli("env")
    assert answer.code == 0
    assert ["devices", "none: Keras cannot be loaded: no such thing"] in table(answer.out)
    assert ["keras", version("keras")] in table(answer.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("data inspect nofolder", "There is no file or folder at this path either. In: source nofolder"),
        ("run --plan nofolder --dry-run", "There is no file or run folder at this path either. In: --plan"),
        ("run --resume nofolder", "'nofolder' is not a run folder: there is no such file or folder."),
        ("compare nofolder", "'nofolder' is not a run folder: there is no such file or folder."),
        ("check nofile.zip", "'nofile.zip' is not a pack: there is no such file."),
        ("run --seeds 2 --on nix", "There is no executor 'nix'. In: --on nix"),
        ("export run --format onx --out x", "There is no exporter 'onx'. In: --format onx"),
        ("run --learning-rate abc", "expected a number. In: --learning-rate abc learning_rate: "),
        ("run --loss dice:smoth=1", "has no parameter 'smoth'. In: --loss dice:smoth=1 Did you mean 'smooth'?"),
        ("run --loss wssce,dice:smooth=x", "expected a number. In: --loss wssce,dice:smooth=x"),
        ("run --data npz", "path must be given. In: --data npz"),
        ("run --set training.epochs=x", "expected a whole number. In: training, --set"),
        ("run --loss dice --set loss.dice.smooth=x", "expected a number. In: loss dice, --set"),
        ("run --loss dice --set loss.dice.smoth=1", "has no parameter 'smoth'. In: loss, --set"),
    ],
)
def test_an_error_names_what_was_given_and_what_is_missing(cli, words, said):
    answer = cli(*words.split())
    assert answer.code == 2
    assert said in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate RUN --data nofolder", "There is no file or folder at this path either. In: --data nofolder"),
        ("evaluate RUN --data nofolder --subset test", "There is no file or folder at this path either."),
        ("evaluate RUN --data synthetic:count=x", "expected a whole number. In: --data synthetic:count=x"),
        ("evaluate RUN --metrics recal", "Did you mean 'recall'?"),
        ("evaluate RUN --decoding x", "There is no decoding 'x'."),
        ("predict RUN . --decoding x --out new", "There is no decoding 'x'."),
        ("predict RUN nofolder --out new", "There is no file or folder at this path either. In: source nofolder"),
        ("predict nothere photos", "'nothere' is not a run folder"),
        ("predict RUN nofolder", "There is no file or folder at this path either. In: source nofolder"),
        ("export RUN --format keras --out new.onnx", "The file must end in .keras"),
        ("export RUN --format keras --out new.keras --data nofolder", "In: --data nofolder"),
        ("report RUN --data nofolder", "In: --data nofolder"),
        ("board nofolder", "'nofolder' is not a run folder: there is no such file or folder."),
    ],
)
def test_what_is_not_there_is_missed_before_keras_is_loaded(cli, monkeypatch, words, said):
    def load_keras():
        raise AssertionError("Keras is loaded for seconds before the error is found")

    for command in ("evaluate", "export", "predict", "report"):
        monkeypatch.setattr(f"marsseg_core.cli.{command}.load_keras", load_keras)
    answer = cli(*words.replace("RUN", str(FROZEN / "finished")).split())
    assert (answer.code, answer.out) == (2, "")
    assert said in " ".join(answer.err.split())
