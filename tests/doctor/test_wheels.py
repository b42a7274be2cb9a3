"""`marsseg doctor WHEEL`: what is not installed is examined as if it were, and nothing of it runs in this process."""

from __future__ import annotations

import json
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.bad_plugins import LOSS, write_metadata

from marsseg_core.registry.catalog import rescan

METADATA = """\
Metadata-Version: 2.4
Name: marsseg-acme
Version: 1.0
License-Expression: MIT
Requires-Dist: marsseg>=0.1
"""
POINTS = "[marsseg.losses]\nacme = marsseg_acme.loss:Bad\n"
NAME = "marsseg_acme-1.0-py3-none-any.whl"

# A loss that says in which process it was loaded.
TRACED = "import os, pathlib\npathlib.Path({file!r}).write_text(str(os.getpid()))\n" + LOSS


def write_wheel(path: Path, files: dict[str, str], metadata: str = METADATA, points: str = POINTS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr("marsseg_acme-1.0.dist-info/METADATA", metadata)
        archive.writestr("marsseg_acme-1.0.dist-info/entry_points.txt", points)
    return path


PACKAGE = {"marsseg_acme/__init__.py": "", "marsseg_acme/loss.py": LOSS}


def test_a_sound_wheel_is_loaded_in_another_process(cli, tmp_path):
    trace = tmp_path / "trace"
    files = PACKAGE | {"marsseg_acme/loss.py": TRACED.format(file=str(trace))}
    write_wheel(tmp_path / NAME, files)
    answer = cli("doctor", NAME)
    assert answer.code == 0, answer.err
    rows = [line.split("\t") for line in answer.out.splitlines()[1:]]
    assert [(row[:3], row[-1]) for row in rows] == [(["loss", "acme", "marsseg-acme 1.0"], "ok")]
    assert int(trace.read_text()) != os.getpid()
    assert "marsseg_acme" not in sys.modules


@pytest.mark.parametrize(
    ("metadata", "points", "said"),
    [
        (METADATA.replace("License-Expression: MIT\n", ""), POINTS, "it names no licence"),
        (METADATA.replace("Requires-Dist: marsseg>=0.1\n", ""), POINTS, "it does not require marsseg"),
        (METADATA.replace(">=0.1", "; extra == 'test'"), POINTS, "it does not require marsseg"),
        (METADATA.replace("Version: 1.0", "Version: 1.1"), POINTS, "its metadata is of marsseg-acme 1.1"),
        (METADATA.replace("MIT", "Mine"), POINTS, "the field license-expression of its metadata is wrong"),
        (METADATA, "[console_scripts]\nacme = marsseg_acme:main\n", "it has no entry point of marsseg"),
        (METADATA, POINTS.replace("losses", "loss"), "which marsseg does not know. Did you mean 'marsseg.losses'"),
    ],
)
def test_faults_of_its_metadata_are_named(cli, tmp_path, metadata, points, said):
    write_wheel(tmp_path / NAME, PACKAGE, metadata, points)
    answer = cli("doctor", NAME)
    assert answer.code == 3
    assert "Warning" not in answer.err
    (heading, *lines) = answer.err[answer.err.index("Error: ") :].splitlines()
    assert heading == "Error: Faults in metadata: 1."
    assert f"{NAME}: " in lines[0]
    assert said in lines[0]


def test_broken_components_and_faults_of_the_metadata_are_told_apart(cli, tmp_path):
    nameless = METADATA.replace("License-Expression: MIT\n", "")
    write_wheel(tmp_path / NAME, PACKAGE | {"marsseg_acme/loss.py": "raise RuntimeError('no driver')"}, nameless)
    lines = cli("doctor", NAME).err.splitlines()
    start = lines.index("Error: Broken plugins: 1. Faults in metadata: 1.")
    assert "The table above says which plugins are broken" in lines[start + 1]
    assert "it names no licence" in lines[start + 2]


def test_it_may_be_for_another_machine(cli, tmp_path):
    name = NAME.replace("none-any", "none-win_arm64").replace("py3", "cp39")
    write_wheel(tmp_path / name, PACKAGE)
    assert "it is for another Python or another machine: cp39-none-win_arm64" in cli("doctor", name).err


def test_a_licence_may_be_a_classifier(cli, tmp_path):
    older = METADATA.replace("License-Expression: MIT", "Classifier: License :: OSI Approved :: MIT License")
    write_wheel(tmp_path / NAME, PACKAGE, older)
    assert cli("doctor", NAME).code == 0


def test_a_module_that_only_the_authors_environment_has_is_missing(cli, tmp_path, monkeypatch):
    """An author has installed the project in editable mode: it must not be mistaken for the content of the wheel."""
    (tmp_path / "src" / "marsseg_acme").mkdir(parents=True)
    (tmp_path / "src" / "marsseg_acme" / "loss.py").write_text(LOSS)
    monkeypatch.syspath_prepend(tmp_path / "src")
    write_wheel(tmp_path / NAME, {"tests/test_loss.py": ""})
    answer = cli("doctor", NAME, "--json")
    (record,) = json.loads(answer.out)["findings"]
    assert (record["status"], answer.code) == ("invalid", 3)
    assert record["problem"] == "the wheel does not contain marsseg_acme.loss"


def test_it_is_examined_instead_of_what_is_installed(cli, tmp_path, monkeypatch):
    write_metadata(tmp_path / "site", "marsseg-acme", "acme = marsseg_acme.loss:Bad")
    (tmp_path / "site" / "marsseg_acme").mkdir()
    (tmp_path / "site" / "marsseg_acme" / "loss.py").write_text("raise RuntimeError('the old one')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    rescan()
    try:
        write_wheel(tmp_path / NAME, PACKAGE)
        assert cli("doctor", NAME).code == 0
        answer = cli("doctor", NAME, "marsseg-acme", "--json")
        assert [record["status"] for record in json.loads(answer.out)["findings"]] == ["ok", "broken"]
    finally:
        monkeypatch.undo()
        rescan()


def test_a_name_of_marsseg_itself_is_a_conflict(cli, tmp_path):
    write_wheel(tmp_path / NAME, PACKAGE, points=POINTS.replace("acme =", "ssce ="))
    answer = cli("doctor", NAME)
    assert "conflict: also provided by marsseg; use marsseg-acme/ssce" in answer.out


def test_code_in_its_data_folder_is_found(cli, tmp_path):
    write_wheel(tmp_path / NAME, {f"marsseg_acme-1.0.data/purelib/{name}": text for name, text in PACKAGE.items()})
    assert cli("doctor", NAME).code == 0


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "marsseg_acme/../../evil.py", "a\\..\\evil.py", "C:/evil.py", "a//b.py"]
)
def test_a_file_that_would_leave_the_folder_is_refused(cli, tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    write_wheel(inside / NAME, PACKAGE | {name: "raise SystemExit"})
    answer = cli("doctor", str(inside / NAME))
    assert (answer.code, answer.out) == (2, "")
    assert "would leave the folder" in answer.err.replace("\n", " ")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", NAME]


def test_a_link_is_refused(cli, tmp_path):
    write_wheel(tmp_path / NAME, PACKAGE)
    link = zipfile.ZipInfo("marsseg_acme/link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / NAME, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    answer = cli("doctor", NAME)
    assert answer.code == 2
    assert "is a link" in answer.err


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_wheel_is_refused(cli, tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    answer = cli("doctor", NAME)
    assert (answer.code, answer.out) == (2, "")
    assert "This file is not a wheel" in answer.err
    assert "python -m build" in answer.err


def test_a_missing_wheel_is_missing(cli, tmp_path):
    write_wheel(tmp_path / NAME, PACKAGE)
    answer = cli("doctor", NAME.replace("acme", "acne"))
    assert (answer.code, answer.out) == (2, "")
    assert "There is no such file." in answer.err
    assert f"Did you mean '{NAME}'?" in answer.err


def test_a_wheel_has_one_folder_of_metadata(cli, tmp_path):
    write_wheel(tmp_path / NAME, PACKAGE | {"other-1.0.dist-info/METADATA": METADATA})
    answer = cli("doctor", NAME)
    assert answer.code == 2
    assert "it has 2 .dist-info folders" in answer.err


AUGMENTATION = '''
from dataclasses import dataclass

from marsseg_core.plugin_api import Augmentation, param


@dataclass(frozen=True)
class Bad(Augmentation):
    """Dim: less light."""

    leaves_masks = True

    darkest: float = param(0.5, help="smallest factor of the brightness", above=0, maximum=1)

    def apply(self, images, masks, generators):
        for image, generator in zip(images, generators, strict=True):
            image *= generator.uniform(self.darkest, 1)
        return images, masks
'''


@pytest.mark.slow
def test_its_contracts_are_checked(cli, tmp_path):
    points = POINTS.replace("losses", "augmentations")
    write_wheel(tmp_path / NAME, PACKAGE | {"marsseg_acme/loss.py": AUGMENTATION}, points=points)
    answer = cli("doctor", NAME, "--checks", "--json")
    (record,) = json.loads(answer.out)["findings"]
    assert (record["status"], answer.code) == ("ok", 0), record["problem"]
    assert record["checks"]["passed"] > 10
