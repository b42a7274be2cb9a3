"""`marsseg new-plugin`: its projects are complete, have a name that is free, and work without changes."""

from __future__ import annotations

import ast
import csv
import json
import keyword
import os
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.environments import Environment
from helpers.paths import REPOSITORY
from helpers.processes import run_process
from hypothesis import given, strategies as st
from packaging.specifiers import SpecifierSet
from packaging.utils import is_normalized_name
from PIL import Image

from marsseg_core import scaffold, version
from marsseg_core.errors import RunError
from marsseg_core.registry.entries import NAME_PATTERN
from marsseg_core.registry.kinds import ALL_KINDS, ENCODER, LOSS, OBSERVER
from marsseg_core.registry.parameters import NONE_WORD
from marsseg_core.scaffold import Project, bounds

NOISE_OF_TENSORFLOW = re.compile(r"^[IWEF]\d{4} |^\d{4}-\d\d-\d\d |absl|oneDNN|cuda", re.MULTILINE | re.IGNORECASE)

PLUGIN_KINDS = [kind for kind in ALL_KINDS if kind.template]
KINDS = [kind.name for kind in PLUGIN_KINDS]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", PLUGIN_KINDS, ids=str)
def test_a_project_is_complete(cli, tmp_path, kind):
    answer = cli("new-plugin", "mine", "--kind", kind.name)
    assert answer.code == 0
    project = tmp_path / "marsseg-mine"
    module, test = f"marsseg_mine/{kind.name}.py", f"tests/test_{kind.name}.py"
    common = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/test.yml", "marsseg_mine/__init__.py"}
    second = {"weighting": {"layer.py"}, "method": {"layer.py"}, "executor": {"workers.py"}}.get(kind.name, set())
    assert files_in(project) == {*common, module, test} | {f"marsseg_mine/{name}" for name in second}

    settings = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert settings["name"] == "marsseg-mine"
    target = "marsseg_mine.observer" if kind == OBSERVER else f"marsseg_mine.{kind.name}:Mine"
    assert settings["entry-points"] == {kind.group: {"mine": target}}
    (marsseg,) = settings["dependencies"]
    assert version() in SpecifierSet(marsseg.removeprefix("marsseg"))
    if kind != OBSERVER:
        assert f"{kind.name.capitalize()}Contract" in (project / test).read_text()
    assert f"called `mine`. Its code is an example: replace it in `{module}`" in (
        project / "README.md"
    ).read_text().replace("\n", " ")


def test_the_next_steps_are_printed_and_are_in_the_readme(cli, tmp_path):
    answer = cli("new-plugin", "mine", "--kind", "weighting", "--out", "a folder")
    first, *steps = answer.out.splitlines()
    assert first == "cd 'a folder'"
    assert "--loss ssce,dice --weighting mine" in steps[-1]
    readme = (tmp_path / "a folder" / "README.md").read_text()
    assert "\n".join(steps) in readme
    for step in ('license = "', "pip install build", "python -m build", "marsseg doctor --checks dist/*.whl"):
        assert step in readme.partition("## Publishing it")[2]


def test_the_kind_may_be_the_name_of_its_option(cli, tmp_path):
    assert cli("new-plugin", "mine", "--kind", "arch").code == 0
    assert (tmp_path / "marsseg-mine" / "marsseg_mine" / "architecture.py").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Mine", "--kind", "loss"], "'Mine' is not a valid name for a plugin"),
        (["a name", "--kind", "loss"], "lower-case letters, digits"),
        (["../mine", "--kind", "loss"], "not a valid name for a plugin"),
        (["none", "--kind", "loss"], "'none' is not a valid name for a plugin.*there is no component"),
        (["3", "--kind", "bottleneck"], "'3' is not a valid name for a plugin.*a whole number is a position"),
        (["007", "--kind", "observer"], "'007' is not a valid name for a plugin"),
        (["mine", "--kind", "lose"], "There is no kind 'lose'.*Did you mean 'loss'"),
        (["mine", "--kind", "recipe"], "There is no template for the kind 'recipe'"),
        (["dice", "--kind", "loss"], f"There is already a loss 'dice', provided by marsseg {version()}"),
        (["unet3+", "--kind", "architecture"], "There is already an architecture 'unet3.'"),
        (["report", "--kind", "observer"], "There is already an observer 'report'"),
        (["core", "--kind", "loss"], "There is already a Python package marsseg_core"),
    ],
)
def test_a_wrong_request_is_refused_and_leaves_no_file(cli, tmp_path, words, message):
    answer = cli("new-plugin", *words)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(message, answer.err, re.DOTALL)
    assert not [*tmp_path.iterdir()]


def test_another_kind_may_have_the_same_name(cli):
    assert cli("new-plugin", "dice", "--kind", "augmentation").code == 0


def test_an_existing_folder_is_refused_and_left_as_it_is(cli, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("there", "link"):
        answer = cli("new-plugin", "mine", "--kind", "loss", "--out", name)
        assert answer.code == 2
        assert f"'{name}' exists" in answer.err
    assert not [*(tmp_path / "there").iterdir()]


def test_a_project_is_written_completely_or_not_at_all(tmp_path, monkeypatch):
    write, written = Path.write_text, []

    def write_some(path, *arguments, **options):
        written.append(path)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", write_some)
    with pytest.raises(RunError, match="No space left"):
        Project("mine", LOSS).write(tmp_path / "mine")
    assert len(written) == 4
    assert not [*tmp_path.iterdir()]


NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).filter(lambda name: name != NONE_WORD and not name.isdecimal())


@given(NAMES, st.sampled_from(PLUGIN_KINDS))
def test_any_name_gives_a_project_with_valid_python(name, kind):
    project = Project(name, kind)
    assert is_normalized_name(project.distribution)
    assert project.package.isidentifier()
    assert project.package == project.distribution.replace("-", "_")
    files = project.files()
    assert tomllib.loads(files["pyproject.toml"])["project"]["entry-points"][kind.group].keys() == {name}
    trees = {path: ast.parse(text) for path, text in files.items() if path.endswith(".py")}
    if kind == OBSERVER:
        return
    tree = trees[f"{project.package}/{kind.name}.py"]
    (component,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert component.name == project.class_name
    assert not keyword.iskeyword(component.name)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert component.name not in used | imported


@pytest.mark.parametrize(("name", "expected"), [("loss", "MyLoss"), ("true", "MyTrue"), ("2d", "My2d"), ("a-b+", "AB")])
def test_the_name_of_the_class_is_free(name, expected):
    assert Project(name, LOSS).class_name.startswith(expected)


@pytest.mark.parametrize(
    ("current", "excluded"),
    [
        ("0.1.0", "0.2"),
        ("0.10.3", "0.11.0"),
        ("1.4", "2.0"),
        ("2.0.0rc1", "3.0"),
        ("0.2.dev3", "0.3"),
        ("1.0.1.post1", "2"),
    ],
)
def test_the_bounds_include_the_current_version_and_exclude_the_next_incompatible_one(current, excluded):
    supported = SpecifierSet(bounds(current))
    assert supported.contains(current, prereleases=True)
    assert not supported.contains(excluded, prereleases=True)


def test_new_plugin_imports_neither_keras_nor_a_plugin(python):
    code = "import sys\nfrom marsseg_core.cli.main import app\n"
    code += "app(['new-plugin', 'mine', '--kind', 'loss'], standalone_mode=False)\nprint(*sys.modules)"
    modules = set(python(code).out.split())
    assert "marsseg_core.scaffold" in modules
    assert not modules & {"keras", "tensorflow", "numpy", "scipy", "marsseg_plugins"}


# --- continuous integration


def workflow(project: Path) -> dict:
    return yaml.safe_load((project / ".github/workflows/test.yml").read_text())


@pytest.mark.parametrize(
    ("origin", "installed"),
    [
        (None, "marsseg"),  # from a package index
        ({"url": "file:///home/me/marsseg", "dir_info": {"editable": True}}, "marsseg"),
        ({"url": "file:///home/me/marsseg", "vcs_info": {"vcs": "git", "commit_id": "a1"}}, "marsseg"),
        (
            {"url": "https://example.org/marsseg.git", "vcs_info": {"vcs": "git", "commit_id": "a1"}},
            "marsseg @ git+https://example.org/marsseg.git@a1",
        ),
    ],
)
def test_its_ci_installs_marsseg_from_where_its_author_has_it_or_from_a_variable(
    tmp_path, monkeypatch, origin, installed
):
    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return json.dumps(origin) if origin else None

    monkeypatch.setattr(scaffold.metadata, "distribution", lambda name: Installed())
    Project("mine", LOSS).write(tmp_path / "mine")
    assert workflow(tmp_path / "mine")["env"] == {"MARSSEG": f"${{{{ vars.MARSSEG || '{installed}' }}}}"}
    assert f"It installs `{installed}`." in (tmp_path / "mine" / "README.md").read_text()


@pytest.mark.slow
def test_the_steps_of_its_ci_work_before_marsseg_is_on_a_package_index(tmp_path):
    project = tmp_path / "mine"
    Project("mine", OBSERVER).write(project)
    environment = Environment(tmp_path)
    # The commands of a runner that has just been set up.
    for command, words in {
        "pip": f"{sys.executable} -m pip --python {environment.python}",
        "pytest": f"{environment.python} -m pytest",
    }.items():
        script = environment.python.with_name(command)
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o755)
    # The libraries are there: nothing is downloaded.
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_IGNORE_INSTALLED": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    path = os.pathsep.join([str(environment.python.parent), os.environ["PATH"]])
    steps = [step["run"] for step in workflow(project)["jobs"]["test"]["steps"] if "run" in step]
    assert steps == ['pip install "$MARSSEG" -e ".[test]"', "marsseg doctor marsseg-mine", "pytest"]
    for step in steps:
        source = f"marsseg @ {REPOSITORY.as_uri()}"
        step = step.replace("-e ", "")  # this needs a library that the runner downloads
        answer = run_process("bash", "-ec", step, cwd=project, PATH=path, MARSSEG=source, **pip)
        assert answer.code == 0, answer.out + answer.err


# --- projects of all kinds, installed


def install(folder: Path, *projects: Path) -> str:
    """Install only projects into a folder, and return the PYTHONPATH that includes it."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder))
    done = run_process(sys.executable, "-m", "pip", "install", *options, *map(str, projects), cwd=folder.parent)
    assert done.code == 0, done.err
    return os.pathsep.join([str(folder), *filter(None, sys.path)])


def write_pairs(folder: Path) -> None:
    """Write twelve images with masks in the layout that the template of a data set reads."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(12):
        mask = random.integers(0, 2, (16, 24), "uint8")
        Image.fromarray(100 * mask + 50).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"{i}_mask.png")


@pytest.mark.slow
def test_a_plugin_of_every_kind_is_made_installed_tested_and_used_in_a_run(cli, tmp_path):
    names = {kind: f"my-{kind}" for kind in KINDS} | {"loss": "gce+"}
    for kind, name in names.items():
        assert cli("new-plugin", name, "--kind", kind, "--out", f"projects/{kind}").code == 0
    projects = [tmp_path / "projects" / kind for kind in KINDS]
    path = install(tmp_path / "site", *projects)

    tests = ("-m", "pytest", "-q", "-c", str(projects[0] / "pyproject.toml"), "-p", "no:cacheprovider")
    tested = run_process(sys.executable, *tests, *map(str, projects), cwd=tmp_path, timeout=900, PYTHONPATH=path)
    assert tested.code == 0, tested.out
    assert "passed" in tested.out

    write_pairs(tmp_path / "pairs")
    words = ["--arch", f"{names['architecture']}:width=0.1", "--bottleneck", names["bottleneck"]]
    words += ["--loss", f"{names['loss']},ssce", "--weighting", names["weighting"], "--schedule", names["schedule"]]
    words += ["--optimizer", names["optimizer"], "--metrics", names["metric"]]
    words += ["--semi", names["method"], "--unlabelled", f"{names['dataset']}:path=pairs"]
    words += ["--augment", f"{names['augmentation']}:p=1", "--data", f"{names['dataset']}:path=pairs"]
    words += ["--set", "split.validation=0.25", "--set", "split.test=0.25", "--epochs", "2", "--batch", "2"]
    command = ("-m", "marsseg_core", "run", *words, "--out", "done")
    ran = run_process(sys.executable, *command, cwd=tmp_path, PYTHONPATH=path)
    assert ran.code == 0, ran.err
    assert "Warning" not in ran.err
    assert not NOISE_OF_TENSORFLOW.search(ran.err), ran.err
    plan = tomllib.loads((tmp_path / "done" / "plan.toml").read_text())
    # The architecture of the template takes no encoder.
    show = ("-m", "marsseg_core", "show", "unet:width=0.1", "--encoder", names["encoder"], "--build")
    built = run_process(sys.executable, *show, cwd=tmp_path, PYTHONPATH=path)
    assert built.code == 0, built.err
    for kind in PLUGIN_KINDS:
        if kind.in_plan and kind != ENCODER:
            chosen = plan[kind.option][0] if kind.many else plan[kind.option]
            assert (chosen["name"], chosen["distribution"]) == (
                names[kind.name],
                Project(names[kind.name], kind).distribution,
            )
    assert plan["training"]["metrics"] == names["metric"]
    with (tmp_path / f"{names['observer']}.csv").open(newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert (line["run"], line["plan"], line["status"]) == ("done", names["architecture"], "finished")
