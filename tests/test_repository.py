"""What stands beside the code: what CI runs, the forms of issues, the citation, and that they say the same."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib

import pytest
import yaml
from helpers.paths import REPOSITORY
from helpers.processes import run_process

GITHUB = REPOSITORY / ".github"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")

in_a_checkout = pytest.mark.skipif(not GITHUB.is_dir(), reason="a source archive has no .github")


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def typed(tmp_path):
    """`typed(COVERAGE="yes")` → the commands of .ci/run, in a copy where each program tells how it was called."""
    for name in (".ci/run", "README.md"):
        copy = tmp_path / "checkout" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, copy)
    activate = tmp_path / "checkout" / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    # With the programs that only some tests need: the script would install those that are missing here.
    for name in ("python3", "pip", "pytest", "ruff", "mypy", "chromium", "gdalinfo", "zsh", "fish"):
        (programs / name).write_text('#!/bin/sh\necho "$(basename "$0") $*"\n')
        (programs / name).chmod(0o755)

    def call(**environment: str) -> list[str]:
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        answer = run_process("bash", ".ci/run", cwd=tmp_path / "checkout", PATH=path, **environment)
        assert answer.code == 0, answer.err
        return [line.rstrip() for line in answer.out.splitlines()]

    return call


@in_a_checkout
@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's script")
class TestWhatCiRuns:
    def test_is_the_block_of_the_readme_and_the_linters(self, typed):
        block = re.search(r"<!-- tests -->\n```sh\n(.*?)```", (REPOSITORY / "README.md").read_text("utf-8"), re.DOTALL)
        lines = [line.replace('"', "") for line in block[1].splitlines() if line != ". .venv/bin/activate"]
        assert typed(COVERAGE="") == [*lines, "ruff check .", "ruff format --check .", "mypy"]

    def test_measures_what_tests_cover_on_request(self, typed):
        plain, measured = typed(COVERAGE=""), typed(COVERAGE="yes")
        (changed,) = [pair for pair in zip(plain, measured, strict=True) if len(set(pair)) == 2]
        assert changed[1] == changed[0].replace("pytest ", "pytest --cov ")
        assert PROJECT["tool"]["coverage"]["report"]["fail_under"] >= 80


@in_a_checkout
def test_the_workflow_runs_it_on_every_python_that_is_supported():
    jobs = read_yaml(GITHUB / "workflows" / "ci.yml")["jobs"]
    pythons = [job["strategy"]["matrix"]["python"] for job in jobs.values()]
    assert pythons == [["3.11", "3.12", "3.13"]] * 2
    assert PROJECT["project"]["requires-python"] == f">={pythons[0][0]}"
    assert ".ci/run" in [step.get("run") for step in jobs["tests"]["steps"]]
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


@in_a_checkout
@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_what_is_needed(path):
    """As GitHub reads it: or it shows no form at all."""
    form = read_yaml(path)
    assert set(form) == {"name", "description", "labels", "body"}
    identifiers = [field["id"] for field in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    assert any(field.get("validations", {}).get("required") for field in form["body"])
    for field in form["body"]:
        assert field["type"] in ("textarea", "input", "dropdown")
        assert field["attributes"]["label"]


@in_a_checkout
def test_hooks_before_a_commit_are_programs_of_the_environment():
    """Not another version from elsewhere."""
    (local,) = read_yaml(REPOSITORY / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"].split()[:2] for hook in local["hooks"]] == [["ruff", "check"], ["ruff", "format"]]
    assert {hook["language"] for hook in local["hooks"]} == {"system"}


def test_the_citation_is_of_this_version():
    citation = read_yaml(REPOSITORY / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert str(citation["version"]) == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
