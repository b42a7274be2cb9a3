"""Import the targets of entries, so that error messages name the plugin that failed."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any, Final

from ..errors import TRACEBACK_HINT, MarssegError, PluginError, nearest
from ..failures import describe, memory_error, text_of
from ..messages import get_logger
from .entries import Entry
from .kinds import Kind
from .parameters import check_defaults, parameters_of
from .process_state import keep_process_state

_logger = get_logger(__name__)


# Importing a plugin should take a few hundredths of a second. Above this limit, a warning is logged.
SLOW_SECONDS: Final = 2.0


def resolve_reference(reference: str) -> Any:
    """Import the object that a kind refers to as "module:name"."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def interface_of(kind: Kind) -> type[Any]:
    """Return the base class of the components of a kind."""
    interface: type[Any] = resolve_reference(kind.interface)
    return interface


def import_target(entry: Entry) -> Any:
    """Import the target of an entry. Warn if that takes long.

    Raises PluginError that names the plugin, its distribution, the file and the cause, for any failure of the import.
    """
    # Output that the plugin prints must not be mixed with the results of a command.
    with plugin_errors_named(entry), warn_if_slow(f"The {entry.label}"), plugin_stdout_to_stderr():
        module = importlib.import_module(entry.module)
        try:
            return attrgetter(entry.attribute)(module) if entry.attribute else module
        except AttributeError as cause:
            defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == entry.module]
            raise PluginError(
                f"The {entry.label} cannot be loaded: {text_of(cause)}.",
                where=_place(entry),
                hint=f"{nearest(entry.attribute, defined, listing='It has')} {_REINSTALL}",
            ) from cause


_REINSTALL: Final = "Correct the entry point in its pyproject.toml, and install it again."


@contextmanager
def plugin_errors_named(entry: Entry, what: str = "cannot be loaded") -> Iterator[None]:
    """Turn every exception of a plugin, also SystemExit, into a PluginError that names the plugin.

    A shortage of memory becomes a RunError, as it is not the plugin's fault.
    """
    try:
        with keep_process_state():
            yield
    except (KeyboardInterrupt, MarssegError):
        raise
    except BaseException as cause:
        if shortage := memory_error(cause, entry.label):
            raise shortage from cause
        raise PluginError(
            f"The {entry.label} {what}: {describe(cause)}",
            where=_place(entry, cause),
            hint=f"Everything else still works. {TRACEBACK_HINT}",
        ) from cause


_redirection_lock = Lock()
_redirections = 0
_real_stdout: Any = None


@contextmanager
def plugin_stdout_to_stderr() -> Iterator[None]:
    """Redirect standard output to standard error while a plugin is imported, to keep a command's results clean.

    Several threads may be inside at the same time; the last one that leaves restores standard output.
    """
    global _redirections, _real_stdout
    with _redirection_lock:
        if not _redirections:
            _real_stdout, sys.stdout = sys.stdout, sys.stderr
        _redirections += 1
    try:
        yield
    finally:
        with _redirection_lock:
            _redirections -= 1
            if not _redirections:
                sys.stdout = _real_stdout


@contextmanager
def warn_if_slow(what: str, *, may_import_keras: bool = False) -> Iterator[None]:
    """Warn if the import inside takes longer than SLOW_SECONDS, unless it is the first import of Keras and may be."""
    had_keras = "keras" in sys.modules
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    _logger.debug("%s took %.3f s to import.", what, seconds)
    imported_keras = "keras" in sys.modules and not had_keras
    if seconds > SLOW_SECONDS and not (may_import_keras and imported_keras):
        _logger.warning(f"{what} took {seconds:.1f} s to import.")


def _place(entry: Entry, cause: BaseException | None = None) -> str:
    """Return the target, with the file and line where it failed or where its class is defined."""
    from .source_code import find_source, module_file, source_root

    place = failure_location(source_root(entry.module), cause)
    if place is None and (source := find_source(entry)):
        place = f"{source.path}:{source.line}"
    if place is None and (file := module_file(entry.module)):
        place = str(file)
    return f"{entry.target} ({place})" if place else entry.target


def failure_location(code: Path | None, cause: BaseException | None) -> str | None:
    """Return the place where a plugin failed, as file:line; None if the exception did not pass through its code.

    Args:
        code: the file or folder of the plugin's code
        cause: the exception. For a SyntaxError, the result is the line with the error, otherwise the last line of the
            traceback that is in the plugin's code.
    """
    if code is None or cause is None:
        return None
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(cause.__traceback__)]
    if isinstance(cause, SyntaxError) and cause.filename:
        places.append((cause.filename, cause.lineno))
    places = [(file, line) for file, line in places if code in (Path(file), *Path(file).parents)]
    return "{}:{}".format(*places[-1]) if places else None


@cache
def load(entry: Entry) -> type[Any]:
    """Import a component's module and return its class.

    Raises PluginError that names the plugin, its distribution, the file and the cause, if the import fails or the class
    is not a valid component.
    """
    target = import_target(entry)
    interface = interface_of(entry.kind)
    if not isinstance(target, type):
        problem = f"it is not a class, but of type {type(target).__name__}"
    elif not issubclass(target, interface):
        problem = f"it is not a subclass of {interface.__name__}"
    elif "__dataclass_fields__" not in vars(target):
        problem = "it is not a dataclass"
    elif not vars(target)["__dataclass_params__"].frozen:
        problem = "its dataclass is not frozen"
    elif missing := sorted(getattr(target, "__abstractmethods__", ())):
        problem = f"it does not define {', '.join(missing)}"
    else:
        try:
            with plugin_errors_named(entry, "cannot be used"):
                check_defaults(parameters_of(target))
        except PluginError as error:
            if error.what.startswith(f"The {entry.label}"):
                raise
            what = f"The {entry.label} cannot be used: {error.what}"
            raise PluginError(what, where=_place(entry), hint=error.hint) from error
        return target
    raise PluginError(
        f"The {entry.label} cannot be used: {problem}.",
        where=_place(entry),
        hint=f"A component is a frozen dataclass and a subclass of {interface.__name__}.",
    )
