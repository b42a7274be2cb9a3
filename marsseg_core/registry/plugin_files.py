"""Local plugins: components and hooks from a single file that is not installed, as in `--plugin my_loss.py`.

The name of a component comes from its class, in lower case: the class `RootError` is the component `root_error`. A file
with hooks is an observer named after the file: `watch.py` is the observer `watch`. A run stores a copy of the file.

A file may import Keras at its top, unlike an installed module: only who passes the file waits for it.

Files that the user passes are executed. Files that a plan names, such as the copy in a run folder, are executed only if
the user trusts them. A file is not executed again, and needs no trust, if this process has already loaded a file with
the same name and content.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any, Final

from ..errors import TRACEBACK_HINT, MarssegError, PluginError, RequestError
from ..failures import describe, memory_error
from ..files.documents import decoding, read_limited
from ..files.native_output import native_output_of_imports_hidden
from ..files.schema import FormError, Items, Table, Text
from ..shown import NotebookOutput
from .entries import NAME_PATTERN, Entry
from .kinds import COMPONENT_KINDS, OBSERVER, Kind
from .loading import failure_location, interface_of, load, plugin_stdout_to_stderr, warn_if_slow
from .process_state import keep_process_state
from .source_record import SourceRecord

# The key of the plugin tables in a plan file, and the keys of each table.
KEY: Final = "plugin"
_FILE, _HASH, _KINDS = "file", "sha256", "kinds"

_TABLE: Final = Table(required={_FILE: Text()}, optional={_HASH: Text(), _KINDS: Items(Text())})

SUFFIX: Final = ".py"

# Who passes a file or a component.
COMMAND_LINE: Final = "command line"
PYTHON: Final = "Python"

# The largest plugin file, in bytes.
_LIMIT: Final = 2**24

# The file name is part of the components' qualified names and of the module name, so its characters are restricted.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.py")

_MODULE_PREFIX: Final = "marsseg_plugin_"

# The attribute that pluggy sets on functions marked with @hookimpl.
_HOOK_MARK: Final = "marsseg_impl"

# The attribute with the entries of a module that `make_plugin` made. Its classes belong to other modules, so the
# entries cannot be found by looking at the classes.
_ENTRIES: Final = "__marsseg_entries__"

# The names and hashes of the files that this process has executed without an error.
_loaded: set[tuple[str, str]] = set()

# Lets one thread execute a file, so that no other thread sees an unfinished module.
_loading = RLock()


@dataclass(frozen=True)
class LocalPlugin:
    """A plugin file that was executed.

    Attributes:
        name: the file name
        source: the content of the file
        entries: the entries of its components and hooks
        origin: where the file was named: "command line", "Python" or a plan file
        remark: a warning if the source of a component passed in Python is incomplete, otherwise empty
    """

    name: str
    source: bytes = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False, compare=False)
    origin: str = field(default=COMMAND_LINE, compare=False)
    remark: str = field(default="", compare=False)

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the source."""
        return _hash(self.source)

    def to_toml(self, folder: str) -> dict[str, Any]:
        """Return the table for a plan file. `folder` is the folder with the copies, relative to the plan file."""
        kinds = [kind.option for kind in (*COMPONENT_KINDS, OBSERVER) if any(e.kind == kind for e in self.entries)]
        return {_FILE: f"{folder}/{self.name}", _HASH: self.hash, _KINDS: kinds}


def load_plugin_files(paths: Iterable[str | Path], origin: str = COMMAND_LINE) -> tuple[LocalPlugin, ...]:
    """Execute the plugin files that the user passes; RequestError if two different files have the same name.

    `origin` says where they are passed: "command line" or "Python".
    """
    plugins: dict[str, LocalPlugin] = {}
    for path in map(Path, paths):
        source = _read(path, where=f"--plugin {path}")
        if path.name in plugins and plugins[path.name].source != source:
            raise RequestError(
                f"Two plugins are called {path.name}.", where=f"--plugin {path}", hint="Rename one of them."
            )
        plugins[path.name] = _load_file(path, source, origin)
    return tuple(plugins.values())


def make_plugin(
    kind: Kind, name: str, cls: str, record: SourceRecord, defined: Mapping[str, Any], code: str = ""
) -> LocalPlugin:
    """Make the plugin of a class that was passed in Python, with the source of a file that would define the class.

    The file is not executed. Its module contains the existing objects, and what `code` defines.

    Args:
        kind: the kind of the component
        name: the name of the component
        cls: the name of the class
        record: the source of the file
        defined: existing objects to add to the module, by name
        code: code to execute in the module, if not empty

    Raises:
        RequestError: if the component cannot have this name
    """
    if not NAME_PATTERN.fullmatch(name) or cls.startswith("_"):
        raise RequestError(
            f"A component cannot be called '{name}', after {cls}.",
            where=kind.option,
            hint="Rename the class or function: ASCII letters, digits and _ only, beginning with a letter.",
        )
    file, source = f"{name}{SUFFIX}", record.text.encode()
    module_name = _module_name(file, source)
    module = ModuleType(module_name)
    vars(module).update({**record.defined, **defined})
    exec(code, vars(module))
    with _loading:
        load.cache_clear()  # it may hold an older class, from before a notebook cell was executed again
        sys.modules[module_name] = module
        _loaded.add((file, _hash(source)))
    place = "from this notebook" if NotebookOutput.is_possible() else "passed in Python"
    entry = Entry(kind, name, f"{module_name}:{cls}", file, _hash(source)[:12], place=place)
    vars(module)[_ENTRIES] = (entry,)
    remark = ""
    if record.missing:
        remark = (
            f"The run's copy of the {kind} '{name}' lacks {', '.join(record.missing)}: another process may not be able "
            "to resume the run or load its network."
        )
    return LocalPlugin(file, source, (entry,), PYTHON, remark)


def load_planned_plugins(
    document: Mapping[str, Any],
    folder: Path,
    where: str,
    earlier: Sequence[LocalPlugin] = (),
    kinds: Iterable[Kind] = (*COMPONENT_KINDS, OBSERVER),
    *,
    trust: bool,
) -> tuple[LocalPlugin, ...]:
    """Execute the plugin files that a plan file names, if they define components of certain kinds.

    Args:
        document: the content of the plan file
        folder: the folder of the plan file
        where: what error messages call the plan file
        earlier: plugins that are loaded already; a file of the plan with the same name is skipped
        kinds: the kinds that are needed
        trust: whether files may be executed that this process has not loaded already

    Raises:
        RequestError: if a file is not trusted, missing, or not the file that the plan was made with
        PluginError: if a file fails
    """
    options = {kind.option for kind in kinds}
    plugins = []
    for table in _tables(document.get(KEY, []), where):
        path = folder / table[_FILE]
        if any(plugin.name == path.name for plugin in earlier) or not options & set(table.get(_KINDS, options)):
            continue
        source = _read(path, where=where)
        _check_unchanged(path, source, table.get(_HASH), where)
        if not (trust or (path.name, _hash(source)) in _loaded):
            raise RequestError(
                f"The plan wants to execute {path} (SHA-256 {_hash(source)}).",
                where=where,
                hint="It is Python code, which can do anything. Read it, and add --trust if you trust it "
                "(in Python: trust=True).",
            )
        plugins.append(_load_file(path, source, where))
    return tuple(plugins)


def _tables(value: Any, where: str) -> list[Mapping[str, Any]]:
    """Return the plugin tables of a plan, which may be written as a file name, a table, or a list of them."""
    items = value if isinstance(value, list) else [value]
    tables = [{_FILE: item} if isinstance(item, str) else item for item in items]
    for table in tables:
        try:
            _TABLE.read(table, KEY)
        except FormError as error:
            raise RequestError(
                f"{table!r} is not a plugin: {error}.", where=f"{where}, {KEY}", hint=f'Write {KEY} = "my_loss.py".'
            ) from error
    return tables


def _read(path: Path, where: str) -> bytes:
    if not _FILE_NAME.fullmatch(path.name):
        raise RequestError(
            f"'{path}' cannot be a plugin: its name must have letters, digits, - and _ only, and end in {SUFFIX}.",
            where=where,
        )
    with decoding(f"The plugin {path} cannot be read", where):
        return read_limited(path, _LIMIT)


def _check_unchanged(path: Path, source: bytes, planned: str | None, where: str) -> None:
    if planned not in (None, _hash(source)):
        raise RequestError(
            f"{path} has changed since the plan was made: its SHA-256 is {_hash(source)}, the plan's {planned}.",
            where=where,
            hint=f"Restore the file, or use it as it is in a new run: marsseg run --plan … --plugin {path}",
        )


def _hash(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _module_name(file_name: str, source: bytes) -> str:
    stem = file_name.removesuffix(SUFFIX).replace("-", "_")
    return f"{_MODULE_PREFIX}{stem}_{_hash(source)[:12]}"


def is_plugin_file(module: str) -> bool:
    """Return whether a module is a plugin file, or was passed in Python, and is not installed."""
    return module.startswith(_MODULE_PREFIX)


def _load_file(path: Path, source: bytes, origin: str) -> LocalPlugin:
    """Execute a file, once in a process, and collect its components and hooks."""
    name = _module_name(path.name, source)
    with _loading:
        if name not in sys.modules:
            _execute(path, source, name)
            _loaded.add((path.name, _hash(source)))
    entries = list(vars(sys.modules[name]).get(_ENTRIES, ()))
    for value in dict.fromkeys(value for value in vars(sys.modules[name]).values() if isinstance(value, type)):
        if value.__module__ == name and not value.__name__.startswith("_"):
            entries += [
                Entry(kind, component_name(value), f"{name}:{value.__qualname__}", path.name, _hash(source)[:12])
                for kind in COMPONENT_KINDS
                if issubclass(value, interface_of(kind))
            ]
    if any(_is_hook(key, value) for key, value in vars(sys.modules[name]).items()):
        entries.append(Entry(OBSERVER, path.stem, name, path.name, _hash(source)[:12]))
    if not entries:
        raise RequestError(
            f"{path} defines no component and no hook.",
            where=origin,
            hint="A component is a subclass of Loss, Architecture, … of marsseg_core.plugin_api; a hook is "
            "a function marked with @hookimpl.",
        )
    return LocalPlugin(path.name, source, tuple(entries), origin)


def _is_hook(name: str, value: Any) -> bool:
    """Return whether a value is a function marked with @hookimpl, or named like a hook, where the mark is missing."""
    if isinstance(value, type) or not callable(value):
        return False
    return name.startswith("marsseg_") or isinstance(getattr(value, _HOOK_MARK, None), dict)


def _execute(path: Path, source: bytes, name: str) -> None:
    # exec and not an import: this executes exactly the content that was hashed, and writes no bytecode file.
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec is not None  # as the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up the module of their class there
    try:
        with (
            warn_if_slow(f"The plugin {path}", may_import_keras=True),
            plugin_stdout_to_stderr(),
            native_output_of_imports_hidden(),
            keep_process_state(),
        ):
            exec(compile(source, str(path.absolute()), "exec"), vars(module))
    except BaseException as cause:
        del sys.modules[name]
        if isinstance(cause, KeyboardInterrupt | MarssegError):
            raise
        if shortage := memory_error(cause, f"plugin {path}"):
            raise shortage from cause
        raise PluginError(
            f"The plugin {path} cannot be loaded: {describe(cause)}",
            where=failure_location(path.absolute(), cause) or str(path),
            hint="A local plugin is one file. For several files make a package with `marsseg new-plugin`."
            if isinstance(cause, ModuleNotFoundError)
            else TRACEBACK_HINT,
        ) from cause


def component_name(cls: type) -> str:
    """Return the component name of a class: RootError → root_error, WSSCE → wssce."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
