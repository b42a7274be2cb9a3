"""Who imports whom, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from helpers.paths import REPOSITORY, TESTS

CORE = REPOSITORY / "marsseg_core"
PLUGINS = REPOSITORY / "plugins" / "marsseg_plugins"

# The standard library's modules that are not on every system.
OF_ONE_SYSTEM = {
    *("curses", "fcntl", "grp", "msvcrt", "pty", "pwd", "readline", "resource"),
    *("syslog", "termios", "tty", "winreg", "winsound"),
}


def modules(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert found
    return found


def imports(path: Path, inside: Callable[[ast.AST], Iterable[ast.AST]] = ast.walk) -> Iterator[str]:
    """The top-level packages that a module imports anywhere in it, for types only too."""
    for node in inside(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            # import_module("tensorflow") is an import too
            yield from (
                str(argument.value).partition(".")[0] for argument in node.args if isinstance(argument, ast.Constant)
            )


def outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """What is executed when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from outside_functions(node)


def those_that_import(names: set[str], paths: list[Path]) -> list[str]:
    return [str(path.relative_to(REPOSITORY)) for path in paths if names & set(imports(path))]


def test_the_reader_of_imports_sees_them_all(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(
        "import a.b, c\nfrom d.e import f\nfrom . import near\nfrom .near import x\n"
        "def later():\n    import g\n    importlib.import_module('h.i')\n"
    )
    assert sorted(imports(path)) == ["a", "c", "d", "g", "h"]
    assert sorted(imports(path, outside_functions)) == ["a", "c", "d"]


def test_the_core_knows_no_plugin():
    assert those_that_import({"marsseg_plugins"}, modules(CORE)) == []


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_only_one_package_knows_the_backends(backend):
    others = [path for path in modules(CORE, PLUGINS) if path.parent != CORE / "networks" / "keras_backend"]
    # Beside it, one module of the exporters writes TensorFlow's own formats.
    of_exporters = ["plugins/marsseg_plugins/exporters/graph.py"] if backend == "tensorflow" else []
    assert those_that_import({backend}, others) == of_exporters


def test_what_one_system_alone_has_is_imported_where_it_is_used():
    """Or the others could not import, or collect, the rest of the file."""
    for path in modules(CORE, PLUGINS, TESTS):
        assert not OF_ONE_SYSTEM & set(imports(path, outside_functions)), path


def test_what_is_private_to_a_module_stays_in_it():
    for path in modules(CORE, PLUGINS):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        taken = [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
        assert [name for name in taken if name.startswith("_") and not name.startswith("__")] == [], path
