"""Where a plugin's source is and what it says of itself, without importing it.

`importlib.util.find_spec` of a submodule imports its parents; only the top-level package is asked for here, the
rest is looked up in its folders.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..files.text import read_text
from .entries import Entry
from .kinds import HOOKED_KINDS, RECIPE


@dataclass(frozen=True)
class SourceLocation:
    """A definition in a source file."""

    path: Path
    line: int
    summary: str


def find_source(entry: Entry) -> SourceLocation | None:
    """The file, line and summary of a component's class, a recipe or an observer; None where it is not readable."""
    if entry.kind == RECIPE:
        path = recipe_path(entry)
        return SourceLocation(path, 1, _recipe_summary(path)) if path else None
    try:
        if entry.kind in HOOKED_KINDS:
            return _find_module(entry.module)
        return _find_class(entry.module, entry.attribute)
    except (OSError, SyntaxError, ValueError):
        return None


def module_file(module: str) -> Path | None:
    """The source file of a module; None where there is none."""
    return _locate(module, (".py", "/__init__.py"))


def own_code(module: str) -> Path | None:
    """The folder of the package that a module is in, or the file of one that is in none; None if neither is found."""
    top = module_file(module.partition(".")[0])
    return top.parent if top and top.name == "__init__.py" else module_file(module)


def imported_files(module: str, within: tuple[str, ...]) -> dict[str, Path]:
    """The source files of a module and of what it imports of these packages, directly or not, by module.

    Imports inside functions count; what Python finds in another way than by an import statement is not seen.
    """
    found: dict[str, Path] = {}
    prefixes = tuple(f"{package}." for package in within)
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or (path := module_file(name)) is None or path.suffix != ".py":
            continue
        found[name] = path
        waiting += [other for other in _imports(name, path) if f"{other}.".startswith(prefixes)]
    return found


def _imports(module: str, path: Path) -> Iterator[str]:
    """What the import statements of a module may mean: `from a import b` is a, or the module a.b."""
    try:
        tree = _parsed(path)
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module, path)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def recipe_path(entry: Entry) -> Path | None:
    """The TOML file of a recipe: `package.folder.name` is `package/folder/name.toml`."""
    return _locate(entry.module, (".toml",))


def docstring(path: Path) -> str:
    """What the source file of a module says of it."""
    return ast.get_docstring(_parsed(path)) or ""


def _parsed(path: Path) -> ast.Module:
    # Of bytes, Python finds the encoding itself: by a BOM, by a cookie, or UTF-8.
    content = path.read_bytes()
    while True:
        try:
            return ast.parse(content)
        except SystemError:  # CPython 3.11 and 3.12: another thread, such as TensorFlow's tracing, parses just now
            continue


def _recipe_summary(path: Path) -> str:
    try:
        return str(tomllib.loads(read_text(path)).get("summary", ""))
    except (OSError, ValueError):
        return ""


def _find_module(module: str) -> SourceLocation | None:
    path = module_file(module)
    if path is None:
        return None
    return SourceLocation(path, 1, docstring(path).partition("\n")[0].strip())


def _find_class(module: str, name: str) -> SourceLocation | None:
    # A class that a package re-exports is followed to where it is defined; the bound ends circular imports.
    for _ in range(5):
        path = module_file(module)
        if path is None:
            return None
        tree = _parsed(path)
        origin = None
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                summary = (ast.get_docstring(node) or "").partition("\n")[0].strip()
                return SourceLocation(path, node.lineno, summary)
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        origin = (_absolute(node, module, path), alias.name)
        if origin is None:
            return None
        module, name = origin
    return None


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _locate(module: str, suffixes: tuple[str, ...]) -> Path | None:
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):  # no module's name, or a module without a spec
        return None
    if spec is None:
        return None
    if not rest and spec.origin and ".py" in suffixes:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        for suffix in suffixes:
            path = Path(folder, *rest[:-1], rest[-1] + suffix) if rest else Path(folder + suffix)
            if path.is_file():
                return path
    return None
