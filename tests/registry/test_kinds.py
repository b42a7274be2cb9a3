"""A new kind needs one registration: all commands know it, and older plans and run folders stay readable."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from helpers.paths import FROZEN, REPOSITORY
from helpers.processes import run_process

from marsseg_core.registry.kinds import ALL_KINDS, COMPONENT_KINDS, PLAN_KINDS
from marsseg_core.registry.loading import interface_of, resolve_reference

# A distribution with a new kind (one component in each plan), its interface, a component and its contract.
TOY = {
    "toy_kind.py": """
from marsseg_core.registry.kinds import Kind, register

SAMPLER = register(
    Kind(
        "sampler", "sampler", "marsseg.samplers", "toy:Sampler", in_plan="one", absent="even:share=1",
        help="How images are drawn.", contract="toy_contract:SamplerContract",
    )
)
""",
    "toy.py": '''
from abc import abstractmethod
from dataclasses import dataclass

from toy_kind import SAMPLER

from marsseg_core.plugin_api import Component, param


class Sampler(Component):
    """Draws images."""

    kind = SAMPLER

    @abstractmethod
    def draw(self, count):
        """So many places."""


@dataclass(frozen=True)
class Even(Sampler):
    """Draws every image as often."""

    share: float = param(0.5, help="share of the images that is drawn", above=0, maximum=1)

    def draw(self, count):
        return range(int(self.share * count))
''',
    "toy_contract.py": """
from marsseg_core.testing import ComponentContract


class SamplerContract(ComponentContract):
    def test_it_draws_a_share(self):
        assert len(self.component.draw(10)) == 5
""",
    # Python imports sitecustomize at start, so every process here knows the kind, also those that `doctor` starts.
    "sitecustomize.py": "import toy_kind\n",
    "toy_sampler-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy-sampler\nVersion: 1.0\n",
    "toy_sampler-1.0.dist-info/entry_points.txt": "[marsseg.samplers]\neven = toy:Even\n",
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    for name, text in TOY.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def marsseg(toy, tmp_path):
    """Call marsseg in an environment with the new kind."""

    def call(*words: str, **environment: str):
        path = os.pathsep.join(filter(None, [str(toy), os.environ.get("PYTHONPATH")]))
        start = "from marsseg_core.cli.main import main; main()"
        return run_process(sys.executable, "-c", start, *words, cwd=tmp_path, PYTHONPATH=path, **environment)

    return call


class TestNewKind:
    def test_is_listed_and_shown(self, marsseg):
        answer = marsseg("list", "sampler")
        assert "sampler\teven\t\tDraws every image as often.\ttoy-sampler 1.0\tok\n" in answer.out, answer.err
        shown = marsseg("show", "even", "--json")
        (component,) = json.loads(shown.out)["components"]
        assert (component["kind"], component["example"]) == ("sampler", "marsseg run --sampler even:share=0.5")
        assert [parameter["name"] for parameter in component["parameters"]] == ["share"]

    def test_has_an_option_whose_values_are_in_the_plan(self, marsseg):
        help = marsseg("run", "--help")
        assert "--sampler" in help.out
        assert "How images are drawn." in help.out
        answer = marsseg("run", "--sampler", "even:share=0.25", "--dry-run")
        assert "sampler\teven\tcommand line\n" in answer.out, answer.err
        assert "sampler.even.share\t0.25\tcommand line\n" in answer.out
        assert "sampler.even.share\t0.75\t--set" in marsseg("run", "--set", "sampler.even.share=0.75", "--dry-run").out

    def test_has_a_default_component(self, marsseg):
        answer = marsseg("run", "--dry-run")
        assert "sampler.even.share\t1.0\tdefault\n" in answer.out, answer.err

    def test_refuses_unknown_names(self, marsseg):
        answer = marsseg("run", "--sampler", "evn", "--dry-run")
        assert answer.code == 2
        assert "There is no sampler 'evn'." in answer.err
        assert "Did you mean 'even'?" in answer.err

    def test_is_completed(self, marsseg):
        def completed(line: str) -> str:
            words = {"_MARSSEG_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
            return marsseg(**words, _TYPER_COMPLETE_ARGS=line).out

        assert "even" in completed("marsseg run --sampler ")
        assert "even:share=" in completed("marsseg run --sampler even:")
        assert "sampler" in completed("marsseg list sam")

    def test_is_checked_by_its_contract(self, marsseg):
        answer = marsseg("doctor", "toy-sampler", "--checks")
        assert answer.code == 0, answer.out + answer.err
        assert "ok" in answer.out

    def test_leaves_older_run_folders_and_plans_readable(self, marsseg, tmp_path):
        """A run of 0.1.0 did not know the kind. It gets the value of `absent`, not the current default."""
        finished = FROZEN / "finished"
        answer = marsseg("run", "--plan", str(finished), "--dry-run")
        assert "sampler.even.share\t1.0\tolder plan file\n" in answer.out, answer.err
        assert marsseg("compare", str(finished)).code == 0
        assert marsseg("list").code == 0
        (tmp_path / "plan.toml").write_text('arch = "unet"\n')
        assert "sampler\teven\tdefault\n" in marsseg("run", "--plan", "plan.toml", "--dry-run").out


@pytest.mark.parametrize("kind", COMPONENT_KINDS, ids=str)
def test_everything_that_a_registration_refers_to_exists(kind):
    assert interface_of(kind).kind is kind
    contract = resolve_reference(kind.contract)
    for name in kind.optional_checks:
        assert hasattr(contract, name)
    assert (REPOSITORY / "marsseg_core" / "scaffold" / kind.template / "component.py.tmpl").is_file()
    if kind.core_parameters:
        resolve_reference(kind.core_parameters)()
    if kind.in_plan:
        assert kind.help.endswith(".")


def test_kinds_do_not_share_names():
    assert set(PLAN_KINDS) <= set(COMPONENT_KINDS) < set(ALL_KINDS)
    for what in ("name", "option", "group"):
        words = [getattr(kind, what) for kind in ALL_KINDS]
        assert len(set(words)) == len(words)
