"""Configuration files: defaults of options, what is stronger than them, and what a wrong file says."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY
from helpers.printed import table

from marsseg_core.cli import env
from marsseg_core.files import configuration


@pytest.fixture
def project(tmp_path):
    """`project("[run]…")`: the configuration file of the working directory."""

    def write(text: str, folder: str = ".") -> Path:
        path = tmp_path / folder / "marsseg.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def user(tmp_path_factory, monkeypatch):
    """`user("[run]…")`: the configuration file of the user."""

    def write(text: str) -> Path:
        path = tmp_path_factory.mktemp("user") / "mine.toml"
        path.write_text(text)
        monkeypatch.setenv("MARSSEG_CONFIG", str(path))
        return path

    return write


@pytest.fixture
def planned(cli):
    """`planned("--epochs", "3")` → (value, origin) of each setting of a plan."""

    def call(*words: str) -> dict[str, tuple[str, str]]:
        answer = cli("run", "--dry-run", *words)
        assert answer.code == 0, answer.err
        return {row[0]: (row[1], row[2]) for row in table(answer.out) if len(row) == 3}

    return call


def refused(answer) -> str:
    """The message of a request that is wrong, as one line."""
    assert (answer.code, answer.out) == (2, "")
    return " ".join(answer.err.split())


class TestWhatCounts:
    def test_the_command_line_then_the_project_then_the_user_then_the_defaults(self, planned, project, user):
        mine = user('[run]\nepochs = 2\nbatch = 3\nlearning_rate = 1e-4\nloss = "dice"')
        project("[run]\nepochs = 4\nbatch = 5\n")
        plan = planned("--epochs", "6")
        assert plan["training.epochs"] == ("6", "command line")
        assert plan["training.batch"] == ("5", "marsseg.toml")
        assert plan["training.learning_rate"] == ("0.0001", str(mine))
        assert plan["loss"] == ("dice", str(mine))
        assert plan["training.seed"] == ("0", "default")

    def test_the_nearest_parent_with_a_file_is_the_project(self, planned, project, tmp_path, monkeypatch):
        project("[run]\nepochs = 2")
        nearer = project("[run]\nepochs = 3", "a")
        (tmp_path / "a" / "b").mkdir()
        monkeypatch.chdir(tmp_path / "a" / "b")
        assert planned()["training.epochs"] == ("3", str(nearer))

    def test_an_option_of_the_command_line_replaces_that_of_a_file_as_a_whole(self, planned, project):
        project('[run]\narch = "dense:width=0.5"\nset = ["training.tta=true"]')
        plan = planned("--arch", "dense", "--set", "training.seed=3")
        assert plan["arch.dense.width"] == ("1.0", "default")
        assert plan["training.tta"] == ("false", "default")
        assert plan["training.seed"] == ("3", "--set")

    def test_a_plan_keeps_what_it_says(self, planned, project, tmp_path):
        project('[run]\narch = "dense:width=0.5"\nloss = "dice"\nepochs = 3\nset = ["training.tta=true"]')
        (tmp_path / "mine.toml").write_text('arch = "dense"\n[training]\nepochs = 9\ntta = false')
        plan = planned("--plan", "mine.toml")
        assert plan["arch.dense.width"] == ("1.0", "default")
        assert plan["training.epochs"] == ("9", "file mine.toml")
        assert plan["training.tta"] == ("false", "file mine.toml")
        assert plan["loss"] == ("dice", "marsseg.toml"), "the plan does not say it"

    def test_the_plan_of_a_run_says_everything(self, cli, planned, project, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "split.json").write_text("{}")
        assert cli("run", "--dry-run").code == 0
        from marsseg_core import plan

        (tmp_path / "run" / "plan.toml").write_text(plan().to_toml())
        project('[run]\nloss = "dice"\nepochs = 3\nset = ["training.tta=true"]')
        assert "marsseg.toml" not in {origin for _, origin in planned("--plan", "run").values()}

    def test_a_file_can_name_a_plan_and_change_it(self, planned, project, user):
        user('[run]\nplan = "small"\nbatch = 3')
        project("[run]\nepochs = 2")
        plan = planned()
        assert plan["training.oversample"] == ("3.0", "recipe small")
        assert plan["training.epochs"][0] == "2"
        assert plan["training.batch"][0] == "3"
        assert planned("--plan", "default")["training.oversample"] == ("1.0", "default")

    def test_an_override_of_a_file_is_weaker_than_an_option_of_the_command_line(self, planned, project):
        project('[run]\nset = ["training.epochs=3", "arch.unet.width=0.5", "training.seed=4"]\narch = "unet"')
        plan = planned("--epochs", "5", "--arch", "dense")
        assert plan["training.epochs"] == ("5", "command line")
        assert plan["training.seed"] == ("4", "marsseg.toml")
        assert plan["arch"] == ("dense", "command line")

    def test_options_outside_of_the_plan_have_an_origin_too(self, cli, project):
        project('[run]\nseeds = 2\n[sweep]\ntrials = 3\nloss = "dice"')
        assert ["--seeds", "2", "marsseg.toml"] in table(cli("run", "--dry-run").out)
        rows = table(cli("sweep", "--vary", "training.seed=1,2", "--sampler", "grid", "--dry-run").out)
        assert ["--trials", "3", "marsseg.toml"] in rows
        assert ["--loss", "dice", "marsseg.toml"] in rows

    def test_workers_of_a_series_are_not_meant_for_a_single_run(self, cli, project):
        project("[run]\njobs = 2")
        assert cli("run", "--dry-run").code == 0
        assert "for several runs" in refused(cli("run", "--jobs", "2", "--dry-run"))

    def test_every_command_takes_defaults(self, cli, project):
        project("[list]\njson = true\n[data.cache]\njson = true")
        assert json.loads(cli("list", "loss").out)["components"]
        assert "entries" in json.loads(cli("data", "cache").out)

    def test_a_flag_that_a_file_sets_can_be_switched_off(self, cli, project):
        project("[list]\njson = true")
        assert cli("list", "loss", "--no-json").out.startswith("kind\t")

    def test_no_file_is_read_on_request(self, cli, project):
        project("[list]\njson = true")
        assert cli("--no-config", "list", "loss").out.startswith("kind\t")

    def test_paths_are_relative_to_the_file(self, cli, project, tmp_path, monkeypatch, tiny_file):
        project('[run]\ndata = "tiles/tiny.npz"\nsplit = "given"\nout = "here"\nseeds = 2')
        (tmp_path / "tiles").mkdir()
        (tmp_path / "tiles" / "tiny.npz").hardlink_to(tiny_file)
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        rows = {row[0]: row[1] for row in table(cli("run", "--dry-run").out) if len(row) > 1}
        assert rows["data.npz.path"] == str(tmp_path / "tiles" / "tiny.npz")
        assert rows["split.subsets"] == "given"
        assert rows["--out"] == str(tmp_path / "here")

    def test_help_shows_them(self, cli, project):
        project("[run]\nepochs = 4")
        text = cli("run", "--help", COLUMNS="500").out
        assert "Passes over the training subset. Default: 4, set in marsseg.toml." in text
        assert "set in" not in cli("sweep", "--help").out


@pytest.mark.parametrize("words", [("run", "--resume", "old"), ("run", "--extend=old", "--epochs", "9")])
def test_a_run_that_goes_on_is_not_changed(cli, project, words):
    """Not even by a request for other data: the next error is that there is no such run."""
    project('[run]\nepochs = 4\nloss = "dice"\ndata = "synthetic"\nset = ["training.seed=3"]\njobs = 2')
    assert "'old'" in refused(cli(*words))


@pytest.mark.parametrize("option", ["--resume", "--join"])
@pytest.mark.parametrize("command", ["sweep", "ablate"])
def test_a_sweep_that_goes_on_is_not_changed(cli, project, command, option):
    project(f'[{command}]\nepochs = 4\nloss = ["dice"]\nvary = ["training.seed=3,4"]\nout = "x"')
    assert "cannot be used" not in refused(cli(command, option, "old"))


def test_the_example_of_the_docs_is_understood(cli, project):
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    project(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    for words in (("run",), ("sweep",), ("predict",), ("data", "inspect")):
        assert "marsseg.toml" not in refused(cli(*words, "--nothing"))


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("epochs = 3", "There is no setting 'epochs'. In: marsseg.toml Options are in the table of their command"),
            ("[runn]", "There is no command 'runn'. In: marsseg.toml [runn] Did you mean 'run'?"),
            ("[run]\nepoch = 3", "There is no option 'epoch'. In: marsseg.toml [run] Did you mean 'epochs'?"),
            ("run = 3", "There is no setting 'run'."),
            ("[run]\nlearning-rate = 1\nlearning_rate = 2", "'learning_rate' is given twice."),
            ("[run]\nepochs = 'x'", "epochs=x is not valid: expected a whole number. In: training, marsseg.toml [run]"),
            ("[run]\nloss = 'dice:smooth=x'", "expected a number. In: loss dice, marsseg.toml [run]"),
            ("[run]\nloss = 'dcie'", "no loss 'dcie'. In: --loss dcie, marsseg.toml [run] Did you mean 'dice'?"),
            ("[run]\njobs = 'x'", "'jobs' is not valid: "),
            ("[run]\nseeds = 1.5", "In: marsseg.toml [run]"),
            ("[run]\ndry-run = 'yes'", "'dry-run' must be true or false, not 'yes'. In: marsseg.toml [run]"),
            ("[run.arch]\nwidth = 1", "'arch' must be a string, a number, true or false, or a list of them."),
            ("[run", "The configuration is not valid TOML"),
            ("[run]\ntrust = true", "'trust' executes code, and is read from your own file only."),
            ("[run]\nplugin = ['x.py']", "'plugin' executes code"),
        ],
    )
    def test_are_one_error_that_names_the_file(self, cli, project, text, said):
        project(text)
        message = refused(cli("run", "--dry-run"))
        assert said in message
        assert "marsseg.toml" in message

    def test_the_tables_of_other_commands_are_not_read(self, cli, project):
        project("[predict]\nnothing = 3")
        assert cli("list", "loss").code == 0

    def test_an_inner_command_has_a_table_of_its_own(self, cli, project):
        project("[data]\ninspect = 3")
        assert "'inspect' must be a table. In: marsseg.toml [data.inspect]" in refused(cli("data", "inspect", "x"))

    def test_the_file_of_the_variable_must_exist(self, cli):
        assert "nowhere.toml" in refused(cli("list", MARSSEG_CONFIG="nowhere.toml"))

    @pytest.mark.parametrize("words", [("run", "--help"), ("help", "run"), ("--help",)], ids=" ".join)
    def test_leave_the_help(self, cli, project, words):
        project("[run")
        assert cli(*words).code == 0

    @pytest.mark.parametrize("text", ["[run", "[runn]\nepochs = 2", "disable = 3", 'disable = ["nothing"]'])
    def test_are_shown_by_env_which_goes_on(self, cli, project, monkeypatch, text):
        monkeypatch.setattr(env, "load_keras", lambda: None)
        project(text)
        rows = dict(table(cli("env").out))
        assert "marsseg.toml" in rows["problem 1"]
        assert "problem 2" not in rows
        assert rows["devices"]
        assert json.loads(cli("env", "--json").out)["environment"]["problem 1"] == rows["problem 1"]

    def test_are_gone_round_on_request(self, cli, project):
        project("[list]\n[run\nepochs = 2")
        said = refused(cli("list", "loss"))
        assert "(at line 2, column 5)" in said
        assert said.endswith("marsseg.toml Correct the file, or leave out all of them: marsseg --no-config …")
        assert cli("--no-config", "list", "loss").code == 0
        assert cli("list", "loss").code == 2

    def test_leave_completion(self, python, project):
        project("[run")
        asked = {"_MARSSEG_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "marsseg run --dry"}
        code = "import sys; sys.argv[0] = 'marsseg'; from marsseg_core.cli.main import main; main()"
        answer = python(code, **asked)
        assert "--dry-run" in answer.out
        assert answer.err == ""


def test_the_own_file_may_execute_code(cli, user, tmp_path):
    user('[list]\nplugin = ["one.py"]')
    assert "one.py" in refused(cli("list"))  # it is looked for beside the file


def test_env_names_the_files(cli, project, user):
    mine, theirs = user("[run]\nepochs = 2"), project("")
    facts = json.loads(cli("env", "--json").out)["environment"]
    assert facts["user configuration"] == str(mine)
    assert facts["project configuration"] == str(theirs)


def test_the_file_of_the_user_is_where_the_system_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.setenv("MARSSEG_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = configuration.user_file()
    assert found is not None
    assert found.parts[-2:] == ("marsseg", "marsseg.toml")
    assert configuration.configurations() == ()
    monkeypatch.setenv("MARSSEG_CONFIG", os.devnull)
    assert configuration.user_file() is None
