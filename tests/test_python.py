"""`import marsseg`: the public names, which are those of `marsseg_core`, without a slow import."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REPOSITORY

import marsseg
import marsseg_core
from marsseg_core.errors import RequestError
from marsseg_core.planning.options import SECTIONS
from marsseg_core.planning.run_arguments import AS_PLANNED
from marsseg_core.registry.kinds import BOTTLENECK, PLAN_KINDS


class TestThePackage:
    def test_has_the_same_objects(self):
        for name in marsseg_core.__all__:
            assert getattr(marsseg, name) is getattr(marsseg_core, name)

    def test_knows_its_version(self):
        assert marsseg.__version__ == marsseg_core.version()

    def test_is_one_file(self):
        assert [path.name for path in (REPOSITORY / "marsseg").glob("*.py")] == ["__init__.py"]

    def test_lists_its_names(self):
        assert {*dir(marsseg)} == {*marsseg.__all__} == {*marsseg_core.__all__, "__version__"}

    @pytest.mark.parametrize("package", ["marsseg", "marsseg_core"])
    def test_names_an_attribute_that_does_not_exist(self, package):
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


class TestTheSignature:
    OWN = {  # noqa: RUF012
        "run": {"base", "out", "overrides", "plugins", "disable", "trust", "callbacks", "hooks"},
        "plan": {"base", "overrides", "plugins", "disable", "trust"},
        "sweep": {
            *("base", "vary", "trials", "sampler", "pruner", "sampler_seed", "wall", "cpu", "best"),
            *("on", "jobs", "resume", "out", "overrides", "plugins", "disable", "trust"),
        },
        "series": {"base", "out", "overrides", "plugins", "disable", "trust", "seeds", "folds", "on", "jobs"},
    }

    @pytest.mark.parametrize("name", OWN)
    def test_has_every_option_of_a_plan(self, name):
        words = {kind.option for kind in PLAN_KINDS}
        words |= {field.name for options in SECTIONS.values() for field in dataclasses.fields(options)}
        assert {*inspect.signature(getattr(marsseg, name)).parameters} == words | self.OWN[name]

    @pytest.mark.parametrize("name", OWN)
    def test_has_the_type_of_each_argument_and_no_default(self, name):
        for parameter in inspect.signature(getattr(marsseg, name)).parameters.values():
            assert parameter.annotation is not parameter.empty
            if parameter.name not in self.OWN[name]:
                assert repr(parameter.default) == "as planned"

    def test_has_the_types_of_the_options(self):
        # These arguments accept more types than the options: paths, any sequence of numbers, and classes of metrics.
        wider = {"init", "head_weights", "subsets", "crop", "unlabelled", "metrics"}
        shown = inspect.signature(marsseg.run).parameters
        for options in SECTIONS.values():
            for field in dataclasses.fields(options):
                if field.name not in wider:
                    assert shown[field.name].annotation == field.type

    def test_an_argument_that_is_left_out_keeps_its_value_in_the_plan(self, tmp_path):
        file = tmp_path / "plan.toml"
        file.write_text("[training]\nepochs = 3\n")
        assert marsseg.plan(file, batch=2, epochs=AS_PLANNED).training.epochs == 3

    @pytest.mark.slow
    def test_a_type_checker_refuses_a_wrong_argument_and_a_wrong_value(self, tmp_path):
        lines = [
            "import marsseg",
            "marsseg.plan(arch='unet', epochs=3)",
            "marsseg.plan(epoch=3)",
            "marsseg.run(epochs='x')",
        ]
        (tmp_path / "use.py").write_text("\n".join(lines))
        command = [sys.executable, "-m", "mypy", "--config-file", str(REPOSITORY / "pyproject.toml"), "use.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        problems = [line.partition(": error")[0] for line in done.stdout.splitlines() if ": error" in line]
        assert problems == ["use.py:3", "use.py:4"]


class TestPlan:
    def test_needs_no_keras(self, python):
        code = "import sys, marsseg; print(marsseg.plan('report', epochs=2).training.epochs, 'keras' in sys.modules)"
        assert python(code).out == "2 False\n"

    def test_an_unknown_argument_is_refused_with_the_nearest_one(self):
        with pytest.raises(RequestError, match=r"A run has no argument 'epoch'. .*'epochs'"):
            marsseg.plan(epoch=2)

    def test_an_argument_with_the_name_of_an_option_is_refused_with_the_name_in_python(self):
        with pytest.raises(RequestError, match=r"A run has no argument 'split'. .*Did you mean 'subsets'\?"):
            marsseg.plan(split="split.csv")

    def test_none_means_no_bottleneck(self):
        assert marsseg.plan(bottleneck="aspp").resolved[BOTTLENECK]
        assert not marsseg.plan(bottleneck=None, augment=[]).resolved[BOTTLENECK]

    def test_takes_numbers_of_numpy_and_paths(self, tmp_path, tiny_file):
        plan = marsseg.plan(
            data=Path(tiny_file), epochs=np.int64(3), learning_rate=np.float32(0.5), head_weights=np.array([1.0])
        )
        assert (plan.training.epochs, plan.training.learning_rate, plan.training.head_weights) == (3, 0.5, (1.0,))

    def test_a_plan_takes_no_further_arguments(self):
        with pytest.raises(RequestError, match="A Plan is complete: 'epochs' cannot be passed with it"):
            marsseg.run(marsseg.plan(), epochs=1)


class TestListComponents:
    def test_lists_what_the_command_lists(self, cli):
        lines = cli("list", "loss").out.splitlines()[1:]
        infos = marsseg.list_components("loss")
        assert [line.split("\t")[1] for line in lines] == [each.name for each in infos]
        dice = next(each for each in infos if each.name == "dice")
        assert (dice.kind, dice.status, dice.aliases) == ("loss", "ok", ())
        assert dice.provider == f"marsseg {marsseg.__version__}"
        assert dice.summary in cli("show", "dice").out

    def test_takes_the_plural_and_lists_all_kinds_without_one(self):
        assert marsseg.list_components("losses") == marsseg.list_components("loss")
        assert {each.kind for each in marsseg.list_components()} > {"loss", "recipe", "observer"}

    def test_refuses_an_unknown_kind(self):
        with pytest.raises(RequestError, match=r"There is no kind 'los'.*Did you mean 'loss'"):
            marsseg.list_components("los")

    def test_imports_no_plugin(self, python):
        code = "import sys, marsseg; marsseg.list_components(); print([m for m in sys.modules if 'plugins.' in m])"
        assert python(code).out == "[]\n"
