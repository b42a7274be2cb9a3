"""Install the example plugin and marsseg in a new environment, and check that the commands of its README work."""

from __future__ import annotations

import json
import re
import shlex
import tomllib

import pytest
from helpers.environments import Environment
from helpers.paths import REPOSITORY
from helpers.processes import Answer, run_process

pytestmark = pytest.mark.slow

EXAMPLE = REPOSITORY / "docs" / "examples" / "marsseg-dunes"

NAMES = {"architecture": "dilated", "bottleneck": "context", "loss": "poly", "augmentation": "shade"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    """Return a new environment with marsseg and the example installed by pip."""
    environment = Environment(tmp_path_factory.mktemp("example"))
    environment.install(str(REPOSITORY), str(EXAMPLE))
    return environment


@pytest.fixture(scope="module")
def answers(environment) -> dict[str, Answer]:
    """Run the `marsseg` commands of the README in order, and return the answer of each."""
    (block,) = re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    marsseg = str(environment.python.with_name("marsseg"))
    lines = [shlex.split(line) for line in block.splitlines() if line.startswith("marsseg ")]
    return {words[1]: run_process(marsseg, *words[1:], cwd=environment.folder) for words in lines}


def test_every_command_of_the_readme_works(answers):
    assert set(answers) == {"list", "show", "run", "evaluate", "doctor"}
    for command, answer in answers.items():
        assert answer.code == 0, f"{command}: {answer.err}"
        assert "Warning" not in answer.err
    assert "Nothing is broken" in answers["doctor"].err
    assert "poly\t\tPoly-1: cross-entropy" in answers["list"].out
    assert "epsilon" in answers["show"].out


def test_list_has_the_distribution_of_each_component(environment):
    listed = json.loads(environment.marsseg("list", "--json"))["components"]
    mine = {each["kind"]: each["name"] for each in listed if each["distribution"] == "marsseg-dunes"}
    assert mine == NAMES
    assert {each["status"] for each in listed} == {"ok"}


def test_doctor_accepts_its_four_components(answers):
    rows = [line.split("\t") for line in answers["doctor"].out.splitlines()[1:]]
    assert {row[0]: row[1] for row in rows} == NAMES
    assert {row[-1] for row in rows} == {"ok"}


def test_the_run_used_them_and_can_be_evaluated_in_another_process(environment, answers):
    plan = tomllib.loads((environment.folder / "first" / "plan.toml").read_text())
    chosen = [plan["arch"], *plan["bottleneck"], plan["loss"][0], *plan["augment"]]
    assert [each["name"] for each in chosen] == list(NAMES.values())
    assert {each["distribution"] for each in chosen} == {"marsseg-dunes"}
    assert "miou" in answers["evaluate"].out.lower()


def test_its_own_tests_pass(environment):
    tests = ("-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", str(EXAMPLE))
    answer = run_process(
        str(environment.python), *tests, cwd=environment.folder, timeout=900, PYTHONDONTWRITEBYTECODE="1"
    )
    assert answer.code == 0, answer.out


def test_it_does_not_use_marssegs_own_plugins():
    for path in EXAMPLE.rglob("*.py"):
        assert "marsseg_plugins" not in path.read_text()
