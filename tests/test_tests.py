"""The tests keep order: their folders are the rooms of what they test, and no test file imports another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY, TESTS

# Beside the rooms: recorded outputs of published networks, with the test that compares.
OWN = {"published"}
FILES = sorted(TESTS.rglob("test_*.py"))


def rooms() -> set[str]:
    """Every folder that tests may stand in, as a path from `tests`."""
    homes = {"": REPOSITORY / "marsseg_core", "plugins": REPOSITORY / "plugins" / "marsseg_plugins"}
    inside = {
        Path(home, init.parent.relative_to(root)).as_posix()
        for home, root in homes.items()
        for init in root.rglob("__init__.py")
    }
    return inside | OWN


def imported_tests(text: str) -> Iterator[str]:
    """The test files and conftest modules that a text imports, in whatever form."""
    known = {path.stem for path in FILES} | {"conftest"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            words = [word for alias in node.names for word in alias.name.split(".")]
        elif isinstance(node, ast.ImportFrom):
            words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        else:
            continue
        yield from (word for word in words if word in known)


def test_each_file_stands_in_the_room_of_what_it_tests():
    """What is about the whole stands at the top."""
    folders = {path.parent.relative_to(TESTS).as_posix() for path in FILES}
    assert folders <= rooms(), "a folder of tests that is no room: see tests/test_tests.py"


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_file_imports_a_test_file(path):
    imported = list(imported_tests(path.read_text(encoding="utf-8")))
    assert not imported, "what several test files use belongs in tests/helpers, a fixture in conftest.py"


@pytest.mark.parametrize(
    "text",
    [
        "import test_floors",
        "import tests.test_floors",
        "from test_floors import circle",
        "from tests.test_floors import circle",
        "from . import test_floors",
        "def late():\n    from .test_floors import circle",
    ],
)
def test_the_check_sees_every_form(text):
    assert list(imported_tests(text)) == ["test_floors"]
