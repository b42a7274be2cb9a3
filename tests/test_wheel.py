"""What is built is whole: wheel, source archive and editable install give the same marsseg."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers.environments import Environment, done
from helpers.paths import REPOSITORY

import marsseg

pytestmark = pytest.mark.slow

PACKAGES = {
    "marsseg": REPOSITORY / "marsseg",
    "marsseg_core": REPOSITORY / "marsseg_core",
    "marsseg_plugins": REPOSITORY / "plugins" / "marsseg_plugins",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The wheel and the source archive; the wheel is built from the archive."""
    folder = tmp_path_factory.mktemp("dist")
    done(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY), cwd=folder)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": archive, "editable": REPOSITORY}


@pytest.fixture(scope="module")
def environments(built, tmp_path_factory) -> dict[str, Environment]:
    found = {}
    for name, what in built.items():
        found[name] = Environment(tmp_path_factory.mktemp(name))
        found[name].install(*(["--editable"] if name == "editable" else []), str(what))
    return found


def test_wheel_sdist_and_editable_install_list_the_same_components(environments):
    listed = {name: json.loads(environment.marsseg("list", "--json")) for name, environment in environments.items()}
    assert listed["wheel"]["components"]
    assert listed["wheel"] == listed["sdist"] == listed["editable"]
    assert {component["status"] for component in listed["wheel"]["components"]} == {"ok"}


@pytest.mark.parametrize("name", ["wheel", "sdist", "editable"])
def test_what_is_installed_is_what_runs(environments, name):
    environment = environments[name]
    for component in ("dense", "default"):
        (record,) = json.loads(environment.marsseg("show", component, "--json"))["components"]
        inside = REPOSITORY if name == "editable" else environment.folder / "venv"
        assert Path(record["file"]).is_relative_to(inside)
    assert "arch.dense.width" in environment.marsseg("run", "--plan", "report", "--dry-run")


def package_files() -> set[str]:
    """Every file of the packages, as it should stand in the wheel."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert {"marsseg/py.typed", "marsseg_core/py.typed", "marsseg_plugins/recipes/report.toml"} <= names


def test_the_source_archive_holds_what_the_tests_need(built):
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "tests/conftest.py", "tests/test_wheel.py"} <= names


@pytest.mark.parametrize("name", ["wheel", "sdist", "editable"])
def test_python_imports_what_is_installed(environments, name):
    environment = environments[name]
    code = "import marsseg; print(marsseg.__file__); print(marsseg.plan(arch='unet').name, marsseg.__version__)"
    file, answer = done(str(environment.python), "-c", code, cwd=environment.folder).out.splitlines()
    assert Path(file).is_relative_to(REPOSITORY if name == "editable" else environment.folder / "venv")
    assert answer == f"unet {marsseg.__version__}"
