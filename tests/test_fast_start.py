"""What a fresh process imports: instant commands load neither Keras nor a backend, nor more plugins than asked for."""

from __future__ import annotations

import json
import platform

import pytest
from helpers.imports import BACKENDS, PROBE
from helpers.paths import FROZEN

from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import RECIPE

COMMANDS = {
    "list": ["list"],
    "list --json": ["list", "--json"],
    "show": ["show", "dense"],
    "show recipe": ["show", "report"],
    "--help": ["--help"],
    "run --help": ["run", "--help"],
    "sweep --help": ["sweep", "--help"],
    "sweep --dry-run": ["sweep", "--vary", "training.learning_rate=1e-4..1e-2", "--dry-run"],
    "ablate --dry-run": ["ablate", "--loss", "wssce", "--loss", "dice", "--dry-run"],
    "data inspect --help": ["data", "inspect", "--help"],
    "--version": ["--version"],
    "--dry-run": ["run", "--plan", "report", "--precision", "auto", "--dry-run"],
    "wrong parameter": ["run", "--set", "arch.unet.width=x"],
    "wrong split": ["run", "--split", "split.csv"],
    "wrong number of epochs": ["run", "--extend", str(FROZEN / "finished"), "--epochs", "2"],
}


@pytest.fixture
def probe(python, tmp_path):
    """`probe("list")` → (answer, names of the modules that were imported)."""

    def call(*words: str, **environment: str):
        answer = python(PROBE, *words, **environment)
        return answer, set(json.loads((tmp_path / "modules.json").read_text()))

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_instant_commands_import_neither_keras_nor_a_backend(probe, tmp_path, command):
    (tmp_path / "split.csv").write_text("item,subset\na,trian\n")
    answer, modules = probe(*COMMANDS[command])
    assert answer.code == (2 if command.startswith("wrong") else 0)
    assert answer.out or answer.code
    assert ("has 2 epochs already" in answer.err) == (command == "wrong number of epochs")
    assert not modules & {*BACKENDS, "keras", "scipy", "cv2", "matplotlib", "jinja2", "filelock", "optuna"}
    if command not in ("show", "--dry-run", "sweep --dry-run", "ablate --dry-run") and not command.startswith("wrong"):
        assert not {name for name in modules if name.startswith("marsseg_plugins")}
        assert "numpy" not in modules


def test_list_imports_no_other_command_and_not_pydantic(python):
    """Typer imports pydantic to convert the values of options, but here none has a value."""
    code = "import sys; sys.argv[0] = 'marsseg'; from marsseg_core.cli.main import main\ntry:\n    main()\n"
    code += "finally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)"
    modules = set(python(code, "list").err.split())
    commands = {name for name in modules if name.startswith("marsseg_core.cli.")}
    assert "marsseg_core.cli.list" in commands
    assert not commands & {"marsseg_core.cli.run", "marsseg_core.cli.show", "marsseg_core.cli.data"}
    assert not modules & {"pydantic", "pydantic_core"}


def test_importing_keras_imports_no_matplotlib(python):
    code = "import sys; from marsseg_core.networks.startup import start_keras; start_keras()\n"
    code += "assert 'matplotlib' not in sys.modules\n"
    code += "from keras.src.visualization.plot_image_gallery import plt; print(callable(plt.subplots))"
    answer = python(code, KERAS_BACKEND="jax")
    assert answer.out == "True\n", answer.err


@pytest.mark.parametrize("library", ["sklearn", "jax"])
def test_a_command_loads_keras_without_libraries_that_only_parts_of_it_use(python, library):
    pytest.importorskip(library)
    code = "import sys; from marsseg_core.cli.loading import load_keras; load_keras(); before = {*sys.modules}\n"
    code += f"import {library}; print('{library}' in before, '{library}' in sys.modules, {library}.__version__ > '')"
    answer = python(code, KERAS_BACKEND="tensorflow")
    assert answer.out == "False True True\n", answer.err


def test_a_script_shows_nothing_of_what_tensorflow_says_about_itself(python):
    code = "import marsseg; print(marsseg.network('unet:width=0.125', height=16, width=32).output_shape)"
    answer = python(code, TF_CPP_MIN_LOG_LEVEL=None)
    assert (answer.out, answer.err) == ("(None, 16, 32, 5)\n", "")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="of other processors TensorFlow decides")
@pytest.mark.parametrize(("chosen", "used"), [(None, "1"), ("0", "0")])
def test_tensorflow_uses_its_fast_kernels_unless_the_environment_says_otherwise(python, chosen, used):
    answer = python("import os, marsseg; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])", TF_ENABLE_ONEDNN_OPTS=chosen)
    assert answer.out.strip() == used


def test_a_plan_imports_only_the_components_it_chose(probe):
    _, modules = probe("run", "--arch", "unet", "--bottleneck", "none", "--loss", "ssce", "--dry-run")
    assert "marsseg_plugins.architectures.unet" in modules
    assert "marsseg_plugins.architectures.dense" not in modules
    assert "marsseg_plugins.losses.wssce" not in modules


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        ("bash", {"COMP_WORDS": "marsseg run --dry", "COMP_CWORD": "2"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "marsseg run --dry"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "marsseg run --dry", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_shell_completion_imports_nothing_heavy(probe, shell, environment):
    answer, modules = probe(_MARSSEG_COMPLETE=f"complete_{shell}", **environment)
    assert "--dry-run" in answer.out
    assert not modules & {*BACKENDS, "keras", "numpy", "marsseg_plugins"}


def test_importing_the_package_is_light(python):
    answer = python("import sys, marsseg_core; print(marsseg_core.version()); print(*sys.modules, sep='\\n')")
    modules = set(answer.out.split())
    assert not modules & {*BACKENDS, "keras", "numpy", "typer", "rich", "pluggy", "marsseg_plugins"}


def test_the_api_is_light_until_it_builds(python):
    answer = python("import sys, marsseg_core; marsseg_core.network; print(*sys.modules, sep='\\n')")
    assert answer.code == 0
    assert not set(answer.out.split()) & {*BACKENDS, "keras", "numpy", "marsseg_plugins"}


def test_importing_any_component_imports_no_keras(python):
    """One process, one module after the other: the first that brings Keras in is named."""
    modules = sorted({entry.module for entry in installed().entries if entry.kind != RECIPE})
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    code += "    heavy = {'keras', 'tensorflow', 'jax', 'torch', 'scipy', 'cv2', 'matplotlib'} & {*sys.modules}\n"
    code += "    assert not heavy, (name, heavy)\nprint('all')\n"
    answer = python(code, *modules)
    assert (answer.out, answer.err) == ("all\n", "")
