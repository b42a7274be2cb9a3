"""Who imports whom, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY

CORE = REPOSITORY / "marsseg_core"
PLUGINS = REPOSITORY / "plugins" / "marsseg_plugins"


def modules(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert found
    return found


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports anywhere in it, for types only too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            # import_module("tensorflow") is an import too
            yield from (
                str(argument.value).partition(".")[0] for argument in node.args if isinstance(argument, ast.Constant)
            )


def those_that_import(names: set[str], paths: list[Path]) -> list[str]:
    return [str(path.relative_to(REPOSITORY)) for path in paths if names & set(imports(path))]


def test_the_reader_of_imports_sees_them_all(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(
        "import a.b, c\nfrom d.e import f\nfrom . import near\nfrom .near import x\n"
        "def later():\n    import g\n    importlib.import_module('h.i')\n"
    )
    assert sorted(imports(path)) == ["a", "c", "d", "g", "h"]


def test_the_core_knows_no_plugin():
    assert those_that_import({"marsseg_plugins"}, modules(CORE)) == []


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_only_one_module_knows_the_backends(backend):
    others = [path for path in modules(CORE, PLUGINS) if path != CORE / "backend.py"]
    assert those_that_import({backend}, others) == []


def test_what_is_private_to_a_module_stays_in_it():
    for path in modules(CORE, PLUGINS):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        taken = [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
        assert [name for name in taken if name.startswith("_") and not name.startswith("__")] == [], path
