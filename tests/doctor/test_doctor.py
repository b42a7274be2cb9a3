"""`marsseg doctor`: what it loads, what it reports, and its exit code. test_bad_plugins.py has all kinds of faults."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from helpers.bad_plugins import HOOK, LOSS, write_metadata

from marsseg_core.doctor import diagnosis
from marsseg_core.doctor.subjects import select
from marsseg_core.registry.catalog import installed, rescan
from marsseg_core.registry.kinds import COMPONENT_KINDS, LOSS as LOSS_KIND
from marsseg_core.registry.loading import resolve_reference
from marsseg_plugins.losses.ssce import SSCE

pytestmark = pytest.mark.usefixtures("without_reports")

ADDS = """
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_register_commands(app):
    app.command("acme")(lambda: None)
"""

HEADERS = ["kind", "name", "provider", "seconds", "imports early", "status"]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give `install("acme", source)`, which installs a distribution with a loss and a module of its name."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def call(name: str, source: str, group: str = "marsseg.losses", target: str = ":Bad") -> None:
        (folder / f"{name}_module.py").write_text(source)
        write_metadata(folder, name, f"{name} = {name}_module{target}", group)
        rescan()

    yield call
    rescan()


def finding(cli, *words):
    """Return the only finding of doctor for these words, and its exit code."""
    answer = cli("doctor", *words, "--json")
    (record,) = json.loads(answer.out)["findings"]
    return record, answer.code


def test_a_sound_component_is_ok(cli):
    answer = cli("doctor", "ssce")
    assert answer.code == 0
    headers, row = (line.split("\t") for line in answer.out.splitlines())
    assert headers == HEADERS
    assert row[:2] == ["loss", "ssce"]
    assert float(row[3]) >= 0
    assert row[4:] == ["", "ok"]
    assert "Nothing is broken." in answer.err


def test_the_json_has_a_schema_number_and_all_findings(cli):
    answer = json.loads(cli("doctor", "ssce", "--json").out)
    assert answer["schema"] == 2
    assert answer["problems"] == []
    (record,) = answer["findings"]
    assert (record["kind"], record["name"], record["distribution"], record["status"]) == (
        "loss",
        "ssce",
        "marsseg",
        "ok",
    )
    assert (record["early"], record["problem"], record["checks"], record["failures"]) == ([], "", None, {})


@pytest.mark.parametrize("word", ["ssce", "marsseg/ssce", "resunet++", "report"])
def test_it_takes_names_aliases_and_qualified_names(word):
    entries = [subject.entry for subject in select(installed(), [word])]
    assert entries == [entry for entry in installed().everything if entry.is_called(word)]
    assert entries


def test_it_takes_distributions_and_no_name_means_all():
    for words in ([], ["MarsSeg"]):
        assert [subject.entry for subject in select(installed(), words)] == [*installed().everything]


def test_parameters_may_follow_a_name():
    (subject,) = select(installed(), ["marsseg/npz:path=a file.npz"])
    assert (subject.entry.name, subject.values) == ("npz", {"path": "a file.npz"})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("npz:path", "'path' in 'npz:path' is not of the form key=value"),
        ("npzz:path=a", "Nothing is called 'npzz'.*Did you mean 'npz'"),
        ("report:path=a", "The recipe 'report' of marsseg .* has no parameters"),
        ("marsseg:path=a", "The distribution marsseg has no parameters"),
        ("dice,focal", "Separate names by spaces"),
        ("npz:pth=a", "There is no parameter 'pth'.*Did you mean 'path'"),
        ("dice:smooth=much", "smooth=much is not valid: expected a number"),
    ],
)
def test_a_wrong_word_is_refused(cli, word, message):
    answer = cli("doctor", word)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(message, answer.err, re.DOTALL)


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("notes.txt", "'notes.txt' is a file, not a wheel.", "The name of a wheel ends in .whl."),
        ("mine.py", "'mine.py' is a Python file, not a wheel.", "marsseg doctor --plugin mine.py"),
        ("project", "'project' is a folder, not a wheel.", "`python -m build` makes dist/NAME.whl."),
    ],
)
def test_a_file_that_is_no_wheel_is_called_a_file(cli, tmp_path, name, what, hint):
    (tmp_path / name).write_text("") if "." in name else (tmp_path / name).mkdir()
    answer = cli("doctor", name)
    assert (answer.code, answer.out) == (2, "")
    assert what in answer.err
    assert hint in answer.err


@pytest.mark.parametrize("command", ["doctor", "show"])
def test_a_name_like_no_other_leads_to_the_list_of_all(cli, command):
    assert cli(command, "zzzz").err.endswith("`marsseg list` lists all names.\n")


def test_parameters_choose_the_component_that_has_them(cli):
    record, code = finding(cli, "dice:smooth=1")  # and not the metric of the same name
    assert (record["kind"], code) == ("loss", 0)


def test_a_wrong_name_gets_the_nearest_right_one(cli):
    answer = cli("doctor", "sscee")
    assert answer.code == 2
    assert "Did you mean 'ssce'?" in answer.err


@pytest.mark.slow
def test_all_plugins_of_marsseg_are_light_and_sound(cli):
    findings = json.loads(cli("doctor", "--json").out)["findings"]
    assert [record["name"] for record in findings] == [entry.name for entry in installed().everything]
    assert {record["status"] for record in findings} == {"ok"}


@pytest.mark.slow
def test_a_plugin_that_imports_keras_too_early_is_early_and_not_broken(cli, install):
    install("heavy", f"import keras\n{LOSS}")
    record, code = finding(cli, "heavy")
    assert record["status"] == "early"
    assert "keras" in record["early"]
    assert "Import it inside the functions that need it, not at the top of the module." in record["hint"]
    assert code == 0


class TestWhereKerasMayBeImported:
    """Inside functions in what is installed, since all who name it wait. At the top of a file that its user passes."""

    @pytest.fixture
    def heavy(self, tmp_path, monkeypatch):
        """A package that counts as heavy, and takes no time."""
        (tmp_path / "heavy").mkdir()
        (tmp_path / "heavy" / "torch.py").write_text("class Layer: pass")
        monkeypatch.syspath_prepend(tmp_path / "heavy")
        yield
        sys.modules.pop("torch", None)

    @pytest.mark.parametrize(("group", "source"), [("losses", LOSS), ("hooks", HOOK), ("commands", ADDS)])
    def test_what_is_installed_is_early(self, cli, install, heavy, group, source):
        install("acme", f"import torch\n{source}", f"marsseg.{group}", ":Bad" if group == "losses" else "")
        record, code = finding(cli, "acme")
        assert (record["status"], record["early"], code) == ("early", ["torch"], 0)

    @pytest.mark.parametrize("source", [LOSS, HOOK])
    @pytest.mark.parametrize("layer", ["", "class Own(torch.Layer): pass\n"])
    def test_a_file_that_its_user_passes_is_not(self, cli, heavy, tmp_path, source, layer):
        (tmp_path / "bad.py").write_text(f"import torch\n{layer}{source}")
        record, code = finding(cli, "bad", "--plugin", "bad.py")
        assert (record["status"], record["early"], code) == ("ok", [], 0)

    def test_a_file_says_nothing_of_others(self, cli, heavy, tmp_path):
        (tmp_path / "bad.py").write_text(f"import torch\n{LOSS}")
        record, _ = finding(cli, "ssce", "--plugin", "bad.py")
        assert (record["status"], record["early"]) == ("ok", [])

    def test_a_function_may_import_it_anywhere(self, cli, install, heavy):
        install("acme", LOSS.replace("def build(self, spec):", "def build(self, spec):\n        import torch;"))
        record, _ = finding(cli, "acme")
        assert record["status"] == "ok"


def test_a_plugin_that_ends_its_process_affects_no_other(cli, install):
    install("crash", "import os\nos._exit(7)")
    answer = cli("doctor", "crash", "ssce", "--json")
    assert answer.code == 3
    crash, ssce = json.loads(answer.out)["findings"]
    assert crash["status"] == "broken"
    assert "exit code 7" in crash["problem"]
    assert ssce["status"] == "ok"


def test_a_plugin_that_never_ends_is_broken_after_the_limit(cli, install, monkeypatch):
    install("endless", "import time\ntime.sleep(600)")
    monkeypatch.setattr(diagnosis, "_LOADING_LIMIT", 3.0)
    record, code = finding(cli, "endless")
    assert (record["status"], code) == ("broken", 3)
    assert "did not finish within 3 s" in record["problem"]


def test_a_child_process_that_still_runs_is_not_waited_for(cli, install, monkeypatch, tmp_path):
    endless = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    leaving = f"import subprocess, sys\nchild = subprocess.Popen({endless})\n"
    leaving += f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
    install("leaving", leaving + LOSS)
    monkeypatch.setattr(diagnosis, "_LOADING_LIMIT", 20.0)
    try:
        record, code = finding(cli, "leaving")
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGTERM)
    assert (record["status"], code) == ("ok", 0)


def test_a_plugin_that_ends_its_process_is_reported_with_its_last_line(cli, install):
    install("last", "import os, sys\nprint('first\\nno driver', file=sys.stderr, flush=True)\nos._exit(7)")
    record, _ = finding(cli, "last")
    assert record["problem"].endswith("It ended its process (exit code 7): no driver.")


def test_the_output_of_a_plugin_is_not_shown(cli, install):
    install("chatty", f"print('hello')\nimport sys; print('hello', file=sys.stderr)\n{LOSS}")
    answer = cli("doctor", "chatty")
    assert answer.code == 0
    assert "hello" not in answer.out + answer.err


def test_side_effects_of_loading_are_reported_but_not_broken(cli, install):
    acts = "import os, sys\nos.chdir('/')\nos.environ['ACME'] = '1'\nsys.setrecursionlimit(5000)\n"
    install("rude", f"{acts}os.write(1, b'hello')\n{LOSS}")
    record, code = finding(cli, "rude")
    assert (record["status"], code) == ("side effects", 0)
    expected = ["changes environment variables", "changes the recursion limit", "changes the working directory"]
    assert sorted(record["effects"]) == [*expected, "prints text"]
    assert record["problem"] == f"loading it {' and '.join(record['effects'])}"


def test_metadata_that_cannot_be_read_is_broken(cli, install, tmp_path):
    install("unreadable", LOSS)
    points = tmp_path / "site" / "unreadable-1.0.dist-info" / "entry_points.txt"
    points.write_text("[marsseg.losses]\nno equals sign\n")
    rescan()
    answer = cli("doctor", "ssce", "--json")
    assert answer.code == 3
    assert len(json.loads(answer.out)["problems"]) == 1


def test_a_disabled_plugin_is_not_loaded(cli, install):
    install("crash", "import os\nos._exit(7)")
    record, code = finding(cli, "crash", "--disable", "crash")
    assert (record["status"], record["seconds"], code) == ("disabled", None, 0)


def test_a_recipe_with_an_unknown_name_is_broken(cli, install, tmp_path):
    install("odd", "", "marsseg.recipes", ".mine")
    (tmp_path / "site" / "odd_module.py").unlink()
    (tmp_path / "site" / "odd_module").mkdir()
    (tmp_path / "site" / "odd_module" / "mine.toml").write_text('loss = "nowhere"')
    record, code = finding(cli, "odd")
    assert (record["kind"], record["status"], code) == ("recipe", "broken", 3)
    assert "There is no loss 'nowhere'" in record["problem"]


# --- checks


def test_the_contracts_and_the_checks_left_out_of_them_exist():
    for kind in COMPONENT_KINDS:
        contract = resolve_reference(kind.contract)
        for name in (*kind.optional_checks, diagnosis.CHECKED_BY_LOADING):
            assert inspect.isfunction(getattr(contract, name))


@pytest.mark.slow
def test_checks_that_pass_are_counted(cli):
    record, code = finding(cli, "hflip", "--checks")
    assert (record["status"], code) == ("ok", 0)
    assert record["checks"]["passed"] > 10
    assert record["checks"]["failed"] == 0


@pytest.mark.slow
def test_a_component_with_a_failed_check_is_broken(cli, install):
    install("moody", LOSS.replace("frozen=True)", "frozen=True, repr=False)"))
    record, code = finding(cli, "moody", "--checks")
    assert (record["status"], code) == ("broken", 3)
    assert "test_equal_parameters_make_equal_components" in record["failures"]
    assert record["checks"]["failed"] == len(record["failures"])
    assert "checks failed" in record["problem"]


def test_what_is_checked_is_named_before_its_tests_run(cli, monkeypatch):
    loaded = {"seconds": 0.1, "early": [], "heavy": False, "effects": [], "commands": []}
    checked = {"checks": {"passed": 3, "failed": 0, "skipped": 0}, "failures": {}, "unchecked": ""}
    monkeypatch.setattr(diagnosis, "_in_process", lambda task, *_: {**(loaded if task == "load" else checked)})
    assert "Checking the augmentation 'hflip' …\n" in cli("doctor", "hflip", "--checks").err
    assert "Checking" not in cli("doctor", "hflip").err


def test_checks_without_pytest_are_refused(cli, monkeypatch):
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None)
    answer = cli("doctor", "ssce", "--checks")
    assert (answer.code, answer.out) == (2, "")
    assert "pip install pytest" in answer.err


@pytest.mark.slow
def test_a_component_with_required_parameters_is_not_checked_and_not_called_ok(cli):
    answer = cli("doctor", "npz", "--checks")
    row = answer.out.splitlines()[1]
    expected = "requires path\tnot checked: requires path. To check it: marsseg doctor --checks npz:path=…"
    assert (row.split("\t", 5)[-1], answer.code) == (expected, 0)
    assert "1 not checked" in answer.err
    assert "Nothing is broken, but 1 is not checked." in answer.err


@pytest.mark.slow
def test_a_component_is_checked_with_the_parameters_that_are_given(cli, tiny_file):
    record, code = finding(cli, f"npz:path={tiny_file}", "--checks")
    assert (record["status"], code) == ("ok", 0)
    assert record["checks"]["passed"] > 10
    assert record["checks"]["failed"] == 0


@pytest.mark.slow
def test_a_wrong_path_is_no_fault_of_the_component(cli):
    answer = cli("doctor", "npz:path=nowhere.npz", "--checks")
    assert (answer.code, answer.out) == (2, "")
    assert "nowhere.npz" in answer.err


def test_checks_that_were_all_skipped_are_no_checks():
    loaded = diagnosis.Diagnosis(installed().find(LOSS_KIND, "ssce"), diagnosis.OK)
    counts = {"passed": 0, "failed": 0, "skipped": 3}
    answer = {"checks": counts, "failures": {}, "unchecked": "all 3 checks were skipped"}
    assert diagnosis._with_checks(loaded, answer).status == diagnosis.NOT_CHECKED


def test_an_architecture_is_checked_narrow():
    assert diagnosis.component_to_check("architecture", "marsseg/unet", []).width == 0.125
    assert diagnosis.component_to_check("loss", "marsseg/ssce", []) == SSCE()


def test_an_entry_is_described_completely():
    for entry in installed().everything:
        assert diagnosis._entry(diagnosis._described(entry)) == entry


def test_the_process_that_loads_a_component_does_not_search_for_it(tmp_path):
    # Otherwise each of n processes would read the metadata of n distributions.
    entry = installed().find(LOSS_KIND, "ssce")
    answer = tmp_path / "answer.json"
    code = (
        "import sys; from importlib import metadata; del metadata.distributions, metadata.distribution;"
        "from marsseg_core.doctor import diagnosis; diagnosis.main(*sys.argv[1:])"
    )
    subprocess.run([sys.executable, "-c", code, "load", answer, diagnosis._described(entry)], check=True)
    result = json.loads(answer.read_text())
    assert (result["early"], result.get("problem")) == ([], None)
