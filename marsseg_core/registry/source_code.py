"""Find the source files of plugins and read their docstrings and imports, without importing the plugins.

`importlib.util.find_spec` imports the parent packages of a submodule. Therefore it is called only for the top-level
package here, and submodules are looked up in the folders of the package.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError
from ..files.documents import decoding, read_limited, read_toml
from ..files.pack import read_description
from .compiled import compiled_docstring
from .entries import Entry
from .kinds import HOOKED_KINDS, RECIPE

# `sys.flags.optimize` of `python -OO`, which has no docstrings.
_STRIPPED: Final = 2

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

# Larger files, in bytes, are data rather than code.
_SOURCE_LIMIT: Final = 2**22

_ATTEMPTS: Final = 100


@dataclass(frozen=True)
class SourceLocation:
    """The file and line of a definition, and the first line of its docstring."""

    path: Path
    line: int
    summary: str


def find_source(entry: Entry) -> SourceLocation | None:
    """Find the source of a component's class, a recipe, a model or an observer; None if it cannot be read.

    A recipe or model that cannot be read has its file as location, and no summary.
    """
    try:
        return read_source(entry)
    except RequestError:
        path = package_file(entry) if entry.kind.file else None
        return SourceLocation(path, 1, "") if path else None


def read_source(entry: Entry) -> SourceLocation | None:
    """Find the source of a component's class, a recipe, a model or an observer; None if there is none.

    Raises RequestError if the source cannot be read, or the file of a recipe or model is missing.
    """
    if entry.kind.file:
        path = package_file(entry)
        if path is None:
            raise RequestError("its file is missing", where=entry.target)
        return SourceLocation(path, 1, _file_summary(entry, path))
    if entry.kind in HOOKED_KINDS:
        return _find_module(entry.module)
    return _find_class(entry.module, entry.attribute)


def read_summary(entry: Entry) -> str:
    """Return the first line of an entry's docstring, or the summary of its file; empty if its source is not found.

    Raises RequestError if the source cannot be read, or the file of a recipe or model is missing.
    """
    if entry.attribute and (path := module_file(entry.module)):
        text = compiled_docstring(path, entry.attribute)
        if text is not None:
            return text.partition("\n")[0].strip()
    source = read_source(entry)
    return source.summary if source else ""


def module_file(module: str) -> Path | None:
    """Return the source file of a module; None if there is none."""
    return _locate(module, (".py", "/__init__.py"))


def source_root(module: str) -> Path | None:
    """Return the folder of a module's top-level package, or the file of a module without one; None if not found."""
    top = module_file(module.partition(".")[0])
    return top.parent if top and top.name == "__init__.py" else module_file(module)


def imported_files(modules: Iterable[str], within: tuple[str, ...]) -> dict[str, Path]:
    """Return the source files, by module, of some modules and of everything they import from the packages `within`.

    This includes indirect imports and imports inside functions, but only import statements are recognised.
    """
    files: dict[str, Path] = {}
    prefixes = tuple(f"{package}." for package in within)
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name in files or (path := module_file(name)) is None or path.suffix != ".py":
            continue
        files[name] = path
        waiting += [other for other in _imports(name, path) if f"{other}.".startswith(prefixes)]
    return files


def _imports(module: str, path: Path) -> tuple[str, ...]:
    """Return the names of modules that a module may import. `from a import b` may import `a` and `a.b`."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return _imports_of_version(module, path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2048)
def _imports_of_version(module: str, path: Path, size: int, modified: int) -> tuple[str, ...]:
    """Return the imports of a file of this size and modification time, which is parsed once."""
    try:
        return tuple(_named_imports(module, path, _parsed(path)))
    except RequestError:
        return ()


def _named_imports(module: str, path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module, path)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def package_file(entry: Entry) -> Path | None:
    """Return the file of a recipe or model: for `package.folder.name`, `package/folder/name.toml` or `.zip`."""
    return _locate(entry.module, (entry.kind.file,))


def _file_summary(entry: Entry, path: Path) -> str:
    if entry.kind == RECIPE:
        return str(read_toml(path).get("summary", ""))
    description = read_description(path)
    networks = ", ".join(run["name"] for run in description["runs"])
    return f"{networks} for {', '.join(each['name'] for each in description['classes'] if not each['ignored'])}"


def docstring_of(target: Callable[..., Any] | type[Any]) -> str:
    """Return the docstring of a function or class, also where Python has stripped docstrings (`python -OO`)."""
    if sys.flags.optimize < _STRIPPED:
        return inspect.getdoc(target) or ""
    # For a class, a base class may have the docstring, as for `inspect.getdoc`.
    bases = target.__mro__[:-1] if isinstance(target, type) else (inspect.unwrap(target),)
    return next(filter(None, map(_docstring_in_source, bases)), "")


def _docstring_in_source(target: Any) -> str:
    """Return the docstring of a function or class from the source text of its module; empty if there is none."""
    try:
        body = _parsed(Path(inspect.getsourcefile(target) or "")).body
    except (OSError, TypeError, RequestError):
        return ""
    node: ast.AST | None = None
    for name in target.__qualname__.split("."):
        if name == "<locals>":  # what follows is defined inside a function
            continue
        node = next((each for each in body if isinstance(each, _DEFINITIONS) and each.name == name), None)
        if node is None:
            return ""
        body = node.body
    return ast.get_docstring(node) or "" if isinstance(node, _DEFINITIONS) else ""


def docstring(path: Path) -> str:
    """Return the docstring of a module's source file; empty if it has none."""
    return ast.get_docstring(_parsed(path)) or ""


def _parsed(path: Path) -> ast.Module:
    """Parse a source file. Raises RequestError if that is impossible: it is no Python, too large, nested too deeply."""
    with decoding(f"{path.name} cannot be parsed", path):
        # Python detects the encoding of bytes itself.
        content = read_limited(path, _SOURCE_LIMIT)
        for _ in range(_ATTEMPTS):
            # In CPython 3.11 and 3.12 it fails if another thread parses at the same time, as TensorFlow does.
            with suppress(SystemError):
                return ast.parse(content, path.name)
        return ast.parse(content, path.name)


def _find_module(module: str) -> SourceLocation | None:
    path = module_file(module)
    if path is None:
        return None
    return SourceLocation(path, 1, docstring(path).partition("\n")[0].strip())


def _find_class(module: str, name: str) -> SourceLocation | None:
    # If a package re-exports a class, follow the imports to its definition. The limit stops circular imports.
    for _ in range(5):
        path = module_file(module)
        if path is None:
            return None
        with decoding(f"{path.name} cannot be parsed", path):
            status = path.stat()
        names = _classes_and_imports(module, path, status.st_size, status.st_mtime_ns)
        place = names.get(name)
        if place is None or isinstance(place, SourceLocation):
            return place
        module, name = place
    return None


@lru_cache(maxsize=2048)
def _classes_and_imports(
    module: str, path: Path, size: int, modified: int
) -> Mapping[str, SourceLocation | tuple[str, str]]:
    """Return the names at the top level of a file of this size and modification time, which is parsed once.

    A class has its location, a name that is imported from a module has the module and its name there.
    """
    imports: dict[str, SourceLocation | tuple[str, str]] = {}
    classes: dict[str, SourceLocation] = {}
    for node in _parsed(path).body:
        if isinstance(node, ast.ClassDef):
            summary = (ast.get_docstring(node) or "").partition("\n")[0].strip()
            classes.setdefault(node.name, SourceLocation(path, node.lineno, summary))
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module, path)
            imports |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
    return imports | classes


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
    except (ImportError, ValueError):  # the name is not valid, or the module has no spec
        return None
    if spec is None:
        return None
    if not rest and spec.origin and ".py" in suffixes:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        for suffix in suffixes:
            path = Path(folder, *rest[:-1], rest[-1] + suffix) if rest else Path(folder + suffix)
            if os.path.isfile(path):  # Path.is_file raises for a name that no file can have
                return path
    return None
