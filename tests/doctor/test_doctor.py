"""`marsseg doctor`: what it loads and how, what it tells, and its exit code; test_bad_plugins.py has the faults."""

from __future__ import annotations

import inspect
import json
import os
import signal

import pytest
from helpers.bad_plugins import LOSS, write_metadata

from marsseg_core.doctor import diagnosis
from marsseg_core.registry.catalog import installed, rescan
from marsseg_core.registry.kinds import COMPONENT_KINDS
from marsseg_core.registry.loading import referred
from marsseg_plugins.losses.ssce import SSCE

HEADERS = ["kind", "name", "provider", "seconds", "imports early", "status"]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`install("acme", source)` → installs a distribution with a loss of its name, in a module of its name."""
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
    """What doctor finds of the one that the words mean, and its exit code."""
    answer = cli("doctor", *words, "--json")
    (found,) = json.loads(answer.out)["findings"]
    return found, answer.code


def test_a_sound_component_is_ok(cli):
    answer = cli("doctor", "ssce")
    assert answer.code == 0
    headers, row = (line.split("\t") for line in answer.out.splitlines())
    assert headers == HEADERS
    assert row[:2] == ["loss", "ssce"]
    assert float(row[3]) >= 0
    assert row[4:] == ["", "ok"]
    assert "Nothing is broken." in answer.err


def test_the_json_has_a_schema_number_and_all_there_is_to_tell(cli):
    answer = json.loads(cli("doctor", "ssce", "--json").out)
    assert answer["schema"] == 2
    assert answer["problems"] == []
    (found,) = answer["findings"]
    assert (found["kind"], found["name"], found["distribution"], found["status"]) == ("loss", "ssce", "marsseg", "ok")
    assert (found["early"], found["problem"], found["checks"], found["failures"]) == ([], "", None, {})


@pytest.mark.parametrize("word", ["ssce", "marsseg/ssce", "resunet++", "report"])
def test_it_takes_names_aliases_and_qualified_names(word):
    found = diagnosis.select(installed(), [word])
    assert found == [entry for entry in installed().everything if entry.is_called(word)]
    assert found


def test_it_takes_distributions_and_without_a_name_everything():
    assert diagnosis.select(installed(), []) == [*installed().everything]
    assert diagnosis.select(installed(), ["MarsSeg"]) == [*installed().everything]


def test_a_wrong_name_gets_the_nearest_right_one(cli):
    answer = cli("doctor", "sscee")
    assert answer.code == 2
    assert "Did you mean 'ssce'?" in answer.err


@pytest.mark.slow
def test_everything_that_marsseg_brings_is_light_and_sound(cli):
    findings = json.loads(cli("doctor", "--json").out)["findings"]
    assert [found["name"] for found in findings] == [entry.name for entry in installed().everything]
    assert {found["status"] for found in findings} == {"ok"}


@pytest.mark.slow
def test_what_imports_keras_too_early_is_told_and_is_not_broken(cli, install):
    install("heavy", f"import keras\n{LOSS}")
    found, code = finding(cli, "heavy")
    assert found["status"] == "early"
    assert "keras" in found["early"]
    assert found["hint"] == "Import it inside the methods that build, not at the top of a module."
    assert code == 0


def test_what_ends_its_process_harms_no_other(cli, install):
    install("crash", "import os\nos._exit(7)")
    answer = cli("doctor", "crash", "ssce", "--json")
    assert answer.code == 3
    crash, ssce = json.loads(answer.out)["findings"]
    assert crash["status"] == "broken"
    assert "exit code 7" in crash["problem"]
    assert ssce["status"] == "ok"


def test_what_never_ends_is_broken_after_a_while(cli, install, monkeypatch):
    install("endless", "import time\ntime.sleep(600)")
    monkeypatch.setattr(diagnosis, "_LOADING_LIMIT", 3.0)
    found, code = finding(cli, "endless")
    assert (found["status"], code) == ("broken", 3)
    assert "not done after 3 s" in found["problem"]


def test_what_leaves_a_process_behind_is_done_when_its_own_ends(cli, install, monkeypatch, tmp_path):
    endless = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    leaving = f"import subprocess, sys\nchild = subprocess.Popen({endless})\n"
    leaving += f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
    install("leaving", leaving + LOSS)
    monkeypatch.setattr(diagnosis, "_LOADING_LIMIT", 20.0)
    try:
        found, code = finding(cli, "leaving")
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGTERM)
    assert (found["status"], code) == ("ok", 0)


def test_what_ends_its_process_is_told_with_its_last_words(cli, install):
    install("last", "import os, sys\nprint('first\\nno driver', file=sys.stderr, flush=True)\nos._exit(7)")
    found, _ = finding(cli, "last")
    assert found["problem"].endswith("It ended its process (exit code 7): no driver.")


def test_what_a_plugin_prints_does_not_come_between(cli, install):
    install("chatty", f"print('hello')\nimport sys; print('hello', file=sys.stderr)\n{LOSS}")
    answer = cli("doctor", "chatty")
    assert answer.code == 0
    assert "hello" not in answer.out + answer.err


def test_metadata_that_cannot_be_read_is_broken(cli, install, tmp_path):
    install("unreadable", LOSS)
    points = tmp_path / "site" / "unreadable-1.0.dist-info" / "entry_points.txt"
    points.write_text("[marsseg.losses]\nno equals sign\n")
    rescan()
    answer = cli("doctor", "ssce", "--json")
    assert answer.code == 3
    assert len(json.loads(answer.out)["problems"]) == 1


def test_what_is_disabled_is_not_loaded(cli, install):
    install("crash", "import os\nos._exit(7)")
    found, code = finding(cli, "crash", "--disable", "crash")
    assert (found["status"], found["seconds"], code) == ("disabled", None, 0)


def test_a_recipe_that_names_what_is_not_there_is_broken(cli, install, tmp_path):
    install("odd", "", "marsseg.recipes", ".mine")
    (tmp_path / "site" / "odd_module.py").unlink()
    (tmp_path / "site" / "odd_module").mkdir()
    (tmp_path / "site" / "odd_module" / "mine.toml").write_text('loss = "nowhere"')
    found, code = finding(cli, "odd")
    assert (found["kind"], found["status"], code) == ("recipe", "broken", 3)
    assert "There is no loss 'nowhere'" in found["problem"]


# --- checks


def test_the_contracts_that_are_run_and_what_is_left_out_exist():
    for kind in COMPONENT_KINDS:
        contract = referred(kind.contract)
        for name in (*kind.unpromised, diagnosis.FOUND_ALREADY):
            assert inspect.isfunction(getattr(contract, name))


@pytest.mark.slow
def test_checks_that_pass_are_counted(cli):
    found, code = finding(cli, "hflip", "--checks")
    assert (found["status"], code) == ("ok", 0)
    assert found["checks"]["passed"] > 10
    assert found["checks"]["failed"] == 0


@pytest.mark.slow
def test_a_check_that_fails_is_named_and_breaks(cli, install):
    install("moody", LOSS.replace("frozen=True)", "frozen=True, repr=False)"))
    found, code = finding(cli, "moody", "--checks")
    assert (found["status"], code) == ("broken", 3)
    assert "test_equal_parameters_make_equal_components" in found["failures"]
    assert found["checks"]["failed"] == len(found["failures"])
    assert "checks fail" in found["problem"]


def test_checks_without_pytest_are_refused(cli, monkeypatch):
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None)
    answer = cli("doctor", "ssce", "--checks")
    assert (answer.code, answer.out) == (2, "")
    assert "pip install pytest" in answer.err


@pytest.mark.slow
def test_one_that_needs_parameters_is_left_unchecked(cli):
    found, code = finding(cli, "npz", "--checks")
    assert (found["status"], found["checks"], code) == ("ok", None, 0)
    assert found["unchecked"] == "path must be given"


def test_an_architecture_is_checked_narrow():
    assert diagnosis.component_to_check("architecture", "marsseg/unet", []).width == 0.125
    assert diagnosis.component_to_check("loss", "marsseg/ssce", []) == SSCE()
