"""Record the source of a class or function that was passed in Python, for example from the cell of a notebook.

The result is the text of a module that defines the class or function again. It contains the definition, the functions,
classes and plain values of the same module that it uses, and imports for everything it uses from other modules.
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
from itertools import accumulate
from textwrap import dedent
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

# Plain values are copied into the source up to this number of characters. Longer values are data, not code.
_LONGEST_VALUE: Final = 1000

_FUNCTION: Final = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceRecord:
    """The source of a module that defines a class or function again.

    Attributes:
        text: the source
        defined: the existing classes and functions that the source defines, by name
        missing: the names that the definitions use and whose source could not be found
    """

    text: str
    defined: dict[str, Any]
    missing: tuple[str, ...]


def record_source(target: type | FunctionType) -> SourceRecord:
    """Record the source of a class or function with everything it uses, as far as it can be found."""
    recorder = _Recorder(target.__module__)
    recorder.define(target.__name__, target)
    lines = [*recorder.imports]
    if recorder.postponed:
        lines.insert(0, "from __future__ import annotations\n")
    text = "\n\n\n".join(filter(None, ["\n".join(lines), *recorder.definitions]))
    return SourceRecord(f"{text}\n", recorder.defined, tuple(dict.fromkeys(recorder.missing)))


class _Recorder:
    """Collect definitions, each one after the definitions that it uses itself."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._names = vars(sys.modules[module]) if module in sys.modules else {}
        self._seen: set[str] = set()
        # With `from __future__ import annotations` in the module, annotations are not evaluated.
        self.postponed = self._names.get("annotations") is __future__.annotations
        self.imports: list[str] = []
        self.definitions: list[str] = []
        self.defined: dict[str, Any] = {}
        self.missing: list[str] = []

    def define(self, name: str, value: type | FunctionType) -> None:
        """Add a definition of the module, and before it everything that it uses."""
        self._seen.add(name)
        source = definition_of(value)
        names = None if source is None else _names_used(source)
        if source is None or names is None:
            self.missing.append(name)
            return
        needed, optional = names
        for other in sorted(needed | optional):
            self._add(other, optional=self.postponed and other not in needed)
        self.definitions.append(source)
        self.defined[name] = value

    def _add(self, name: str, *, optional: bool) -> None:
        if name in self._seen or (name not in self._names and hasattr(builtins, name)):
            return
        self._seen.add(name)
        if name not in self._names:
            if not optional:  # an optional name may be imported for type checkers only
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
            module, imported = origin
            line = f"from {module} import {imported}" + (f" as {name}" if imported != name else "")
            self._import(line, sys.modules[module])
        elif (text := _literal(value)) is not None:
            self.definitions.append(f"{name} = {text}")
        else:
            self.missing.append(name)

    def _import(self, line: str, module: ModuleType) -> None:
        self.imports.append(line)
        if not _is_installed(module):
            self.missing.append(f"the file {module.__file__}")


def definition_of(value: type | FunctionType) -> str | None:
    """Return the source of a class or function with its decorators; None if it cannot be found.

    Only definitions at the top level of a module are found. Before Python 3.13, `inspect.getsource` does not find a
    class that is defined in a notebook. Therefore the cell of a class is found by the code of its methods.
    """
    if "<locals>" in value.__qualname__:  # its closure variables would be lost
        return None
    for code in _code_objects(value):
        text = "".join(linecache.getlines(code.co_filename))
        try:
            nodes = ast.parse(text).body
        except (SyntaxError, ValueError):
            continue
        for node in nodes:
            if isinstance(node, ast.ClassDef | _FUNCTION) and node.name == value.__name__:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first <= code.co_firstlineno <= (node.end_lineno or first):
                    # Bytes end a line where Python does. Texts also do at a form feed and other characters.
                    lines = text.encode().splitlines(keepends=True)
                    return b"".join(lines[first - 1 : node.end_lineno]).decode().rstrip()
    try:
        source = dedent(inspect.getsource(value)).rstrip()
        ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return None
    return source


def _code_objects(value: type | FunctionType) -> Iterator[CodeType]:
    """Yield the code object of a function, or those of the methods that a class defines itself."""
    if isinstance(value, FunctionType):
        yield inspect.unwrap(value).__code__
        return
    for each in vars(value).values():
        function = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
        if isinstance(function, FunctionType) and function.__qualname__.startswith(f"{value.__qualname__}."):
            yield inspect.unwrap(function).__code__


def _names_used(source: str) -> tuple[set[str], set[str]] | None:
    """Return the global names that a definition uses: those in its code, and those in annotations only.

    None if the text without its place cannot be analysed.
    """
    try:
        names_in_code = _globals(_without_annotations(source))
        return names_in_code, _globals(source) - names_in_code
    except SyntaxError:
        return None


def _without_annotations(source: str) -> str:
    """Return a source text with `None` in place of each annotation.

    Only the annotations are replaced, as `ast.unparse` cannot write every tree as a text.
    """
    text = source.encode()  # columns are counted in bytes
    starts = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    for node in sorted(_annotations(source), key=lambda each: (each.lineno, each.col_offset), reverse=True):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        text = text[:start] + b"None" + text[end:]
    return text.decode()


def _annotations(source: str) -> Iterator[ast.expr]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, _FUNCTION) and node.returns is not None:
            yield node.returns


def _globals(source: str) -> set[str]:
    """Return the names that a source text uses but does not define: globals of its module and built-in names."""
    module_table = symtable.symtable(source, "definition", "exec")
    defined = {symbol.get_name() for symbol in module_table.get_symbols() if symbol.is_assigned()}
    used, tables = set(), [module_table]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        used |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return used - defined


def _origin(name: str, value: Any) -> tuple[str, str] | None:
    """Return a module and a name from which a value can be imported; None if there is none.

    A module that has the name in `__all__` is preferred, then the module with the shortest name.
    """
    defining_module = getattr(value, "__module__", None)
    if not isinstance(defining_module, str):
        return None
    package = defining_module.partition(".")[0]
    names = dict.fromkeys(str(getattr(value, key)) for key in ("__qualname__", "__name__") if hasattr(value, key))
    candidates = [
        (module_name, candidate, candidate not in (getattr(module, "__dict__", {}).get("__all__") or ()))
        for module_name, module in list(sys.modules.items())
        if module_name.partition(".")[0] == package and module_name != "__main__"
        for candidate in dict.fromkeys([*names, name])
        if _provides(module, candidate, value)
    ]
    if not candidates:
        return None
    module_name, imported, _ = min(candidates, key=lambda each: (each[2], len(each[0]), each))
    return module_name, imported


def _provides(module: Any, name: str, value: Any) -> bool:
    names = getattr(module, "__dict__", {})
    if names.get(name) is value:
        return True
    # Some modules load the names in `__all__` on access. Other attributes are not accessed, as this may have effects.
    listed = names.get("__all__")
    return isinstance(listed, list | tuple) and name in listed and getattr(module, name, None) is value


def _literal(value: Any) -> str | None:
    """Return a plain value as a Python literal; None for any other value, and for a literal that is too long."""
    if not isinstance(value, bool | int | float | str | bytes | tuple | list | dict | set | None):
        return None
    text = repr(value)
    try:
        same = len(text) <= _LONGEST_VALUE and bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError):
        return None
    return text if same else None


def _is_installed(module: ModuleType) -> bool:
    """Return whether a module belongs to Python or an installed distribution, and is not a loose file."""
    top = module.__name__.partition(".")[0]
    file = getattr(sys.modules.get(top, module), "__file__", None)
    if top in sys.stdlib_module_names or file is None or "site-packages" in file:
        return True
    from importlib.metadata import packages_distributions

    return top in packages_distributions() or top in _MARSSEG_PACKAGES


# `packages_distributions` may not list the packages of an editable install.
_MARSSEG_PACKAGES: Final = ("marsseg", "marsseg_core", "marsseg_plugins")
