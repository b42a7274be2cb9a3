"""The source of a class or function that stands in no file of its own, such as one from a notebook's cell.

What is written is a module that defines the same: the definition, what else it uses of its module (functions, classes,
plain values), and imports of what it uses of others.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import inspect
import linecache
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

# A plain value that is longer than this, written out, is data.
_LONGEST_VALUE: Final = 1000


@dataclass(frozen=True)
class SourceRecord:
    """A module's text that defines a class or function again; what it defines now; and the names that it lacks."""

    text: str
    defined: dict[str, Any]
    missing: tuple[str, ...]


def record_source(target: type | FunctionType) -> SourceRecord:
    """Write down what a class or function is, as far as it can be read."""
    recorder = _Recorder(target.__module__)
    recorder.define(target.__name__, target)
    lines = [*recorder.imports]
    if recorder.postponed:
        lines.insert(0, "from __future__ import annotations\n")
    text = "\n\n\n".join(filter(None, ["\n".join(lines), *recorder.definitions]))
    return SourceRecord(f"{text}\n", recorder.defined, tuple(dict.fromkeys(recorder.missing)))


class _Recorder:
    """Collects what a definition needs, each after what it needs itself."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._names = vars(sys.modules[module]) if module in sys.modules else {}
        self._seen: set[str] = set()
        # Annotations are not evaluated where the module says so.
        self.postponed = self._names.get("annotations") is __future__.annotations
        self.imports: list[str] = []
        self.definitions: list[str] = []
        self.defined: dict[str, Any] = {}
        self.missing: list[str] = []

    def define(self, name: str, value: type | FunctionType) -> None:
        """Add a definition of the module, and before it all that it uses."""
        self._seen.add(name)
        source = definition_of(value)
        if source is None:
            self.missing.append(name)
            return
        needed, optional = _names_used(source)
        for other in sorted(needed | optional):
            self._add(other, optional=self.postponed and other not in needed)
        self.definitions.append(source)
        self.defined[name] = value

    def _add(self, name: str, *, optional: bool) -> None:
        if name in self._seen or (name not in self._names and hasattr(builtins, name)):
            return
        self._seen.add(name)
        if name not in self._names:
            if not optional:  # a type checker's name is nothing at run time
                self.missing.append(name)
            return
        value = self._names[name]
        if isinstance(value, ModuleType):
            self._import(f"import {value.__name__}" + (f" as {name}" if value.__name__ != name else ""), value)
        elif getattr(value, "__module__", None) == self._module and isinstance(value, type | FunctionType):
            if value.__name__ == name:
                self.define(name, value)
            else:
                self.missing.append(name)
        elif (origin := _origin(name, value)) is not None:
            module, own = origin
            line = f"from {module} import {own}" + (f" as {name}" if own != name else "")
            self._import(line, sys.modules[module])
        elif (text := _written(value)) is not None:
            self.definitions.append(f"{name} = {text}")
        else:
            self.missing.append(name)

    def _import(self, line: str, module: ModuleType) -> None:
        self.imports.append(line)
        if not _is_installed(module):
            self.missing.append(f"the file {module.__file__}")


def definition_of(value: type | FunctionType) -> str | None:
    """Read the text of a class or function of a module's top level, decorators included; None where there is none.

    `inspect.getsource` finds no class of a notebook's cell before Python 3.13: the cell is found by its methods.
    """
    if "<locals>" in value.__qualname__:  # what it closes over would be lost
        return None
    for code in _codes(value):
        lines = linecache.getlines(code.co_filename)
        try:
            nodes = ast.parse("".join(lines)).body
        except (SyntaxError, ValueError):
            continue
        for node in nodes:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == value.__name__:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first <= code.co_firstlineno <= (node.end_lineno or first):
                    return "".join(lines[first - 1 : node.end_lineno]).rstrip()
    try:
        source = dedent(inspect.getsource(value)).rstrip()
        ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return None
    return source


def _codes(value: type | FunctionType) -> Iterator[CodeType]:
    """The compiled code of a function, or of a class's own methods."""
    if isinstance(value, FunctionType):
        yield inspect.unwrap(value).__code__
        return
    for each in vars(value).values():
        function = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
        if isinstance(function, FunctionType) and function.__qualname__.startswith(f"{value.__qualname__}."):
            yield inspect.unwrap(function).__code__


def _names_used(source: str) -> tuple[set[str], set[str]]:
    """The global names that a definition uses: those that it cannot do without, and those of annotations alone."""
    tree = ast.parse(source)
    needed = _globals(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    without = _globals(ast.unparse(ast.fix_missing_locations(tree)))
    return without, needed - without


def _globals(source: str) -> set[str]:
    """The names that a text takes from its module, or from Python itself."""
    table = symtable.symtable(source, "definition", "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
    found, tables = set(), [table]
    while tables:
        each = tables.pop()
        tables += each.get_children()
        top = each.get_type() == "module"
        found |= {s.get_name() for s in each.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found - own


def _origin(name: str, value: Any) -> tuple[str, str] | None:
    """The module and the name from which a value can be imported: of one that lists it, or else the shortest."""
    home = getattr(value, "__module__", None)
    if not isinstance(home, str):
        return None
    top = home.partition(".")[0]
    names = dict.fromkeys(str(getattr(value, key)) for key in ("__qualname__", "__name__") if hasattr(value, key))
    found = [
        (module_name, own, own not in (getattr(module, "__dict__", {}).get("__all__") or ()))
        for module_name, module in list(sys.modules.items())
        if module_name.partition(".")[0] == top and module_name != "__main__"
        for own in dict.fromkeys([*names, name])
        if _gives(module, own, value)
    ]
    if not found:
        return None
    module_name, own, _ = min(found, key=lambda each: (each[2], len(each[0]), each))
    return module_name, own


def _gives(module: Any, name: str, value: Any) -> bool:
    names = getattr(module, "__dict__", {})
    if names.get(name) is value:
        return True
    # Some modules load what they list when it is asked for; others are left alone.
    listed = names.get("__all__")
    return isinstance(listed, list | tuple) and name in listed and getattr(module, name, None) is value


def _written(value: Any) -> str | None:
    """A plain value as Python writes it; None for any other."""
    if not isinstance(value, bool | int | float | str | bytes | tuple | list | dict | set | None):
        return None
    text = repr(value)
    try:
        same = len(text) <= _LONGEST_VALUE and bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError):
        return None
    return text if same else None


def _is_installed(module: ModuleType) -> bool:
    """Whether a module is Python's or an installed distribution's, rather than a file that lies about."""
    top = module.__name__.partition(".")[0]
    file = getattr(sys.modules.get(top, module), "__file__", None)
    if top in sys.stdlib_module_names or file is None or "site-packages" in file:
        return True
    from importlib.metadata import packages_distributions

    return top in packages_distributions() or top in _OWN


# Editable installs are not known to list their packages.
_OWN: Final = ("marsseg", "marsseg_core", "marsseg_plugins")
