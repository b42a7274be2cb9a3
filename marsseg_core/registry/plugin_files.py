"""Components and hooks from one file that nobody packaged: `--plugin my_loss.py`, to try an idea.

The components of the file are called as their classes are, in small letters: `RootError` is `root_error`. A file with
hooks is an observer of its name, `watch` of `watch.py`. A run keeps a copy of the file. What a plan names, such as that
copy, is executed only where it is trusted. A file of the same name and text that this process has loaded already is not
executed again, and needs no trust.
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

from ..errors import MarssegError, PluginError, RequestError
from .entries import NAME_PATTERN, Entry
from .kinds import COMPONENT_KINDS, OBSERVER, Kind
from .loading import failing_place, interface_of, load, plugin_stdout_to_stderr, telling_slow
from .source_record import SourceRecord

# In a plan file: the tables, and the keys of each.
KEY: Final = "plugin"
_FILE, _HASH, _KINDS = "file", "sha256", "kinds"

SUFFIX: Final = ".py"

# Its name stands before the slash of a qualified name, and in its module's.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.py")

# Where pluggy notes that a function is marked with @hookimpl.
_MARK: Final = "marsseg_impl"

# In a module that stands for a file, its classes being of other modules: the entries of its components.
_ENTRIES: Final = "__marsseg_entries__"

# The names and hashes of the files that this process has executed to their end.
_loaded: set[tuple[str, str]] = set()

# A file is executed once, and no other thread sees its module before that is done.
_loading = RLock()


@dataclass(frozen=True)
class LocalPlugin:
    """A file that was executed: its name, the text that was read, and the entries of its components and hooks.

    `remark` says what the text lacks of a component that was given in Python.
    """

    name: str
    source: bytes = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False, compare=False)
    origin: str = field(default="command line", compare=False)
    remark: str = field(default="", compare=False)

    @property
    def hash(self) -> str:
        return _hash(self.source)

    def to_toml(self, folder: str) -> dict[str, Any]:
        """How a plan names it whose copies are in `folder`."""
        kinds = [kind.option for kind in (*COMPONENT_KINDS, OBSERVER) if any(e.kind == kind for e in self.entries)]
        return {_FILE: f"{folder}/{self.name}", _HASH: self.hash, _KINDS: kinds}


def given_plugins(paths: Iterable[str | Path]) -> tuple[LocalPlugin, ...]:
    """The plugins that the user names; they are executed. Two of one name are refused."""
    found: dict[str, LocalPlugin] = {}
    for path in map(Path, paths):
        source = _read(path, where=f"--plugin {path}")
        if path.name in found and found[path.name].source != source:
            raise RequestError(
                f"Two plugins are called {path.name}.", where=f"--plugin {path}", hint="Rename one of them."
            )
        found[path.name] = _opened(path, source, "command line")
    return tuple(found.values())


def defined_plugin(
    kind: Kind, name: str, cls: str, record: SourceRecord, defined: Mapping[str, Any], code: str = ""
) -> LocalPlugin:
    """The plugin whose file would define the class `cls` that this process has already, as a component of this name.

    The module of the file has what is `defined` now, with what `code` makes of it; nothing else is executed.
    RequestError where the name could not be that of a component.
    """
    if not NAME_PATTERN.fullmatch(name) or cls.startswith("_"):
        raise RequestError(
            f"A component cannot be called '{name}', after {cls}.",
            where=kind.option,
            hint="Its class or function begins with a letter, and has letters of ASCII, digits and _ only.",
        )
    file, source = f"{name}{SUFFIX}", record.text.encode()
    module_name = _module_name(file, source)
    module = ModuleType(module_name)
    vars(module).update({**record.defined, **defined})
    exec(code, vars(module))
    with _loading:
        load.cache_clear()  # which may know the class as it was before its cell was executed again
        sys.modules[module_name] = module
        _loaded.add((file, _hash(source)))
    entry = Entry(kind, name, f"{module_name}:{cls}", file, _hash(source)[:12])
    vars(module)[_ENTRIES] = (entry,)
    remark = ""
    if record.missing:
        remark = (
            f"The run's copy of the {kind} '{name}' lacks {', '.join(record.missing)}: another process may not be able "
            "to go on with the run, or to load its network."
        )
    return LocalPlugin(file, source, (entry,), "Python", remark)


def planned_plugins(
    document: Mapping[str, Any],
    folder: Path,
    where: str,
    given: Sequence[LocalPlugin] = (),
    kinds: Iterable[Kind] = (*COMPONENT_KINDS, OBSERVER),
    *,
    trust: bool,
) -> tuple[LocalPlugin, ...]:
    """The plugins that a plan file in `folder` names and that have something of these kinds.

    They are executed where `trust` is true; RequestError for one that would have to be and is not trusted. One of the
    same file name that is `given` takes the place of the plan's.
    """
    options = {kind.option for kind in kinds}
    found = []
    for table in _tables(document.get(KEY, []), where):
        path = folder / table[_FILE]
        if any(plugin.name == path.name for plugin in given) or not options & set(table.get(_KINDS, options)):
            continue
        source = _read(path, where=where)
        _check_unchanged(path, source, table.get(_HASH), where)
        if not (trust or (path.name, _hash(source)) in _loaded):
            raise RequestError(
                f"The plan wants to execute {path} (SHA-256 {_hash(source)}).",
                where=where,
                hint="It is Python, which can do anything. Read it, and give --trust if you trust it "
                "(in Python: trust=True).",
            )
        found.append(_opened(path, source, where))
    return tuple(found)


def _tables(value: Any, where: str) -> list[Mapping[str, Any]]:
    """A plan's plugins: a file, a table, or a list of them."""
    items = value if isinstance(value, list) else [value]
    tables = [{_FILE: item} if isinstance(item, str) else item for item in items]
    for table in tables:
        if not (isinstance(table, Mapping) and isinstance(table.get(_FILE), str) and _are_texts(table.get(_KINDS, []))):
            raise RequestError(
                f"{table!r} names no plugin.", where=f"{where}, {KEY}", hint=f'Write {KEY} = "my_loss.py".'
            )
    return tables


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read(path: Path, where: str) -> bytes:
    if not _FILE_NAME.fullmatch(path.name):
        raise RequestError(
            f"'{path}' is no plugin: its name is letters, digits, - and _, and ends in {SUFFIX}.", where=where
        )
    try:
        return path.read_bytes()
    except OSError as cause:
        raise RequestError(f"The plugin {path} cannot be read: {cause.strerror}.", where=where) from cause


def _check_unchanged(path: Path, source: bytes, planned: str | None, where: str) -> None:
    if planned not in (None, _hash(source)):
        raise RequestError(
            f"{path} is not what the plan was made with: its SHA-256 is {_hash(source)}, the plan's {planned}.",
            where=where,
            hint=f"Put it back as it was; a new run takes it as it is now: marsseg run --plan … --plugin {path}",
        )


def _hash(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _module_name(file_name: str, source: bytes) -> str:
    stem = file_name.removesuffix(SUFFIX).replace("-", "_")
    return f"marsseg_plugin_{stem}_{_hash(source)[:12]}"


def _opened(path: Path, source: bytes, origin: str) -> LocalPlugin:
    """Execute a file's text, once in a process, and find its components and hooks."""
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
            hint="A component is a class that derives from Loss, Architecture, … of marsseg_core.plugin_api; a hook is "
            "a function marked with @hookimpl.",
        )
    return LocalPlugin(path.name, source, tuple(entries), origin)


def _is_hook(name: str, value: Any) -> bool:
    """Whether a value is marked with @hookimpl, or called as if it should be."""
    if isinstance(value, type) or not callable(value):
        return False
    return name.startswith("marsseg_") or isinstance(getattr(value, _MARK, None), dict)


def _execute(path: Path, source: bytes, name: str) -> None:
    # Not by the machinery of imports: what runs is the text that was hashed, and nothing is written beside it.
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec is not None  # as the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its own module up
    try:
        with telling_slow(f"The plugin {path}"), plugin_stdout_to_stderr():
            exec(compile(source, str(path.absolute()), "exec"), vars(module))
    except BaseException as cause:
        del sys.modules[name]
        if isinstance(cause, KeyboardInterrupt | MarssegError):
            raise
        raise PluginError(
            f"The plugin {path} cannot be loaded: {type(cause).__name__}: {cause}",
            where=failing_place(path.absolute(), cause) or str(path),
            hint="It is one file: several make a package, `marsseg new-plugin`."
            if isinstance(cause, ModuleNotFoundError)
            else "`marsseg --traceback …` shows where it failed.",
        ) from cause


def component_name(cls: type) -> str:
    """What a class of a file is called: RootError → root_error, WSSCE → wssce."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
