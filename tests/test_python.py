"""`import marsseg`: the public names, light to import, the same objects as in `marsseg_core`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import REPOSITORY

import marsseg
import marsseg_core


class TestThePackage:
    def test_hands_on_the_same_objects(self):
        for name in marsseg_core.__all__:
            assert getattr(marsseg, name) is getattr(marsseg_core, name)

    def test_knows_its_version(self):
        assert marsseg.__version__ == marsseg_core.version()

    def test_is_one_file(self):
        assert [path.name for path in (REPOSITORY / "marsseg").glob("*.py")] == ["__init__.py"]

    def test_lists_its_names(self):
        assert {*dir(marsseg)} == {*marsseg.__all__} == {*marsseg_core.__all__, "__version__"}

    @pytest.mark.parametrize("package", ["marsseg", "marsseg_core"])
    def test_says_what_it_has_not(self, package):
        with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'runn'"):
            sys.modules[package].runn  # noqa: B018

    def test_is_light(self, python):
        answer = python("import sys, marsseg; marsseg.run, marsseg.__version__; print(*sys.modules, sep='\\n')")
        assert answer.code == 0, answer.err
        assert not {*answer.out.split()} & {"keras", "tensorflow", "scipy", "matplotlib", "typer", "rich"}

    @pytest.mark.slow
    def test_a_type_checker_sees_the_names(self, tmp_path):
        names = [name for name in marsseg.__all__ if name != "__version__"]
        lines = ["import marsseg", "version: str = marsseg.__version__", "marsseg.runn"]
        (tmp_path / "use.py").write_text("\n".join([*lines, *(f"marsseg.{name}" for name in names)]))
        command = [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml"), "use.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        (problem,) = [line for line in done.stdout.splitlines() if line.startswith("use.py")]
        assert problem.startswith("use.py:3: error")
