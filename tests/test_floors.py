"""The floors of the house: a room uses only the rooms below it, and no files import each other in a circle.

Imports inside functions and those for the type checker count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import FunctionType

import pytest
from helpers.paths import REPOSITORY

from marsseg_core import plugin_api

CORE = "marsseg_core"

# From the top down. Rooms on one floor know nothing of each other.
FLOORS = """
    __main__
    cli
    api doctor scaffold
    plugin_api
    sweeps packs
    inference
    export
    figures
    testing
    experiments
    training
    hooks
    runs
    evaluation
    networks
    planning
    components
    data
    registry
    files
    failures
    conventions errors messages shown
    printable tracebacks
"""
FLOOR_OF = {room: -number for number, floor in enumerate(FLOORS.strip().splitlines()) for room in floor.split()}


def sources(folder: Path) -> dict[str, str]:
    """The text of each module of a package, by its name; a package's own is "package.__init__"."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


def imports(module: str, text: str, known: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """(line, module) for each module of `known` that a text imports, wherever in the text."""

    def found(name: str) -> str | None:
        return next((each for each in (name, f"{name}.__init__") if each in known), None)

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, target) for alias in node.names if (target := found(alias.name)))
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*package, *([node.module] if node.module else [])])
            for alias in node.names:
                if target := found(f"{origin}.{alias.name}") or found(origin):
                    yield node.lineno, target


def room_of(module: str) -> str:
    return module.split(".")[1]


def upward(known: Mapping[str, str]) -> list[str]:
    """A line for each import of the core that does not go down: "room/file.py:3 imports upper.file, ..."."""
    lines = []
    for module, text in known.items():
        here = room_of(module)
        if here == "__init__":  # the package itself hands names of all floors on
            continue
        for line, target in imports(module, text, known):
            there = room_of(target)
            if there != here and FLOOR_OF.get(there, 1) >= FLOOR_OF[here]:
                what = f"{module.replace('.', '/')}.py:{line} imports {target}"
                lines.append(f"{what}: {here} may not use {there}, which is not below it")
    return lines


def circle(known: Mapping[str, str]) -> list[str]:
    """Files that import each other in a circle, in order; empty where there are none."""
    graph = {
        module: {target for _, target in imports(module, text, known) if target != module}
        for module, text in known.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def core() -> dict[str, str]:
    return sources(REPOSITORY / CORE)


@pytest.fixture(scope="module")
def plugins() -> dict[str, str]:
    return sources(REPOSITORY / "plugins" / "marsseg_plugins")


def test_every_import_goes_down(core):
    assert not upward(core)


def test_no_files_import_each_other_in_a_circle(core, plugins):
    assert circle(core) == circle(plugins) == []


def test_every_room_is_on_a_floor_and_says_what_belongs_there(core):
    rooms = {room_of(module) for module in core} - {"__init__"}
    assert rooms == set(FLOOR_OF)
    for module in core:
        if module.endswith(".__init__"):
            summary = (ast.get_docstring(ast.parse(core[module])) or "").partition("\n")[0]
            assert summary.endswith("."), f"{module} does not say what belongs there"


def test_the_core_imports_no_plugin(core, plugins):
    both = core | plugins
    assert not [
        target for module, text in core.items() for _, target in imports(module, text, both) if target in plugins
    ]


def test_the_built_in_plugins_import_what_every_plugin_may(core, plugins):
    used = {target for module, text in plugins.items() for _, target in imports(module, text, core | plugins)}
    assert used & set(core) == {f"{CORE}.plugin_api"}


class TestTheCheckItself:
    """What it says of one wrong import."""

    def test_an_import_upwards(self, core):
        wrong = core | {f"{CORE}.files.wrong": "import json\n\nfrom ..planning.plan import Plan\n"}
        assert upward(wrong) == [
            "marsseg_core/files/wrong.py:3 imports marsseg_core.planning.plan: "
            "files may not use planning, which is not below it"
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "from ..cli import main",
            "from marsseg_core.cli.main import app",
            "import marsseg_core.cli.main",
            "def late():\n    from ..cli.main import app",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..cli.main import app",
        ],
    )
    def test_an_import_upwards_in_every_form(self, core, text):
        (line,) = upward(core | {f"{CORE}.training.wrong": text})
        assert "training may not use cli" in line

    def test_an_import_of_a_room_on_the_same_floor(self, core):
        (line,) = upward(core | {f"{CORE}.doctor.wrong": "from ..scaffold import Project"})
        assert "doctor may not use scaffold" in line

    def test_an_import_of_the_package_that_holds_all_floors(self, core):
        (line,) = upward(core | {f"{CORE}.cli.wrong": "from .. import run"})
        assert "imports marsseg_core.__init__" in line

    def test_a_circle(self):
        files = {"p.a": "from . import b", "p.b": "def late():\n    from .c import x", "p.c": "import p.a"}
        assert set(circle(files)) == {"p.a", "p.b", "p.c"}
        assert not circle(files | {"p.c": ""})


class TestThePluginApi:
    def test_its_names_are_those_that_a_type_checker_sees(self, core):
        tree = ast.parse(core[f"{CORE}.plugin_api"])
        (block,) = [node for node in tree.body if isinstance(node, ast.If)]
        seen = {alias.name: node.module for node in block.body for alias in node.names}
        assert {name: module for module, names in plugin_api._NAMES.items() for name in names} == seen
        assert sorted(seen) == plugin_api.__all__ == dir(plugin_api)

    def test_gives_each_of_them(self):
        for name in plugin_api.__all__:
            value = getattr(plugin_api, name)
            if isinstance(value, type | FunctionType):
                assert value.__doc__, f"{name} has no docstring"

    def test_says_what_it_has_not(self):
        with pytest.raises(AttributeError, match="no attribute 'Losss'"):
            plugin_api.Losss  # noqa: B018

    def test_is_light(self, python):
        answer = python("import sys, marsseg_core.plugin_api as p; p.param, p.Loss; print(*sys.modules, sep='\\n')")
        assert answer.code == 0, answer.err
        assert not set(answer.out.split()) & {"keras", "tensorflow", "jax", "scipy", "matplotlib", "rich", "typer"}
