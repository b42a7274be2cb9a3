"""Import what an entry names; a failure names the plugin."""

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

from ..errors import MarssegError, PluginError, nearest
from ..messages import get_logger
from .entries import Entry
from .kinds import Kind
from .parameters import check_defaults, parameters_of

_logger = get_logger(__name__)


# An import that takes longer than this is named; what is light takes a few hundredths.
SLOW_SECONDS: Final = 2.0


def referred(reference: str) -> Any:
    """Import what a registration of a kind refers to as "module:name"."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def interface_of(kind: Kind) -> type[Any]:
    """The class that the components of a kind derive from."""
    interface: type[Any] = referred(kind.interface)
    return interface


def import_target(entry: Entry) -> Any:
    """Import what an entry names. An import that takes long is said.

    Raises PluginError naming the plugin, its distribution, the file and the cause, whatever its module does.
    """
    # What it prints must not get between the results of a command.
    with plugin_errors_named(entry), telling_slow(f"The {entry.label}"), plugin_stdout_to_stderr():
        module = importlib.import_module(entry.module)
        try:
            return attrgetter(entry.attribute)(module) if entry.attribute else module
        except AttributeError as cause:
            own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == entry.module]
            raise PluginError(
                f"The {entry.label} cannot be loaded: {cause}.",
                where=_place(entry),
                hint=f"{nearest(entry.attribute, own, listing='It has')} {_REINSTALL}",
            ) from cause


_REINSTALL: Final = "Entry points stand in its pyproject.toml; mend it there, and install it again."


@contextmanager
def plugin_errors_named(entry: Entry, what: str = "cannot be loaded") -> Iterator[None]:
    """Turn whatever a plugin raises, SystemExit too, into a PluginError that names it."""
    try:
        yield
    except (KeyboardInterrupt, MarssegError):
        raise
    except BaseException as cause:
        raise PluginError(
            f"The {entry.label} {what}: {type(cause).__name__}: {cause}",
            where=_place(entry, cause),
            hint="Everything else goes on working; `marsseg --traceback …` shows where it failed.",
        ) from cause


_aside = Lock()
_redirections = 0
_real_stdout: Any = None


@contextmanager
def plugin_stdout_to_stderr() -> Iterator[None]:
    """Send to standard error what a plugin prints while it is imported, so that it stays out of a command's results.

    Threads may leave in another order than they came: the last one puts standard output back.
    """
    global _redirections, _real_stdout
    with _aside:
        if not _redirections:
            _real_stdout, sys.stdout = sys.stdout, sys.stderr
        _redirections += 1
    try:
        yield
    finally:
        with _aside:
            _redirections -= 1
            if not _redirections:
                sys.stdout = _real_stdout


@contextmanager
def telling_slow(what: str) -> Iterator[None]:
    """Warn where what is done inside takes longer than an import should."""
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    _logger.debug("%s took %.3f s to import.", what, seconds)
    if seconds > SLOW_SECONDS:
        _logger.warning(f"{what} took {seconds:.1f} s to import.")


def _place(entry: Entry, cause: BaseException | None = None) -> str:
    """The target, and the file and line where it failed or where its class begins."""
    from .source_code import find_source, module_file, own_code

    place = failing_place(own_code(entry.module), cause)
    if place is None and (source := find_source(entry)):
        place = f"{source.path}:{source.line}"
    if place is None and (file := module_file(entry.module)):
        place = str(file)
    return f"{entry.target} ({place})" if place else entry.target


def failing_place(own: Path | None, cause: BaseException | None) -> str | None:
    """The last line of a plugin's `own` file, or folder, that an exception came through, as file:line.

    Of a SyntaxError, the line that is no Python.
    """
    if own is None or cause is None:
        return None
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(cause.__traceback__)]
    if isinstance(cause, SyntaxError) and cause.filename:
        places.append((cause.filename, cause.lineno))
    places = [(file, line) for file, line in places if own in (Path(file), *Path(file).parents)]
    return "{}:{}".format(*places[-1]) if places else None


@cache
def load(entry: Entry) -> type[Any]:
    """Import one component's module and give its class.

    Raises PluginError naming the plugin, its distribution, the file and the cause, whatever its module does.
    """
    found = import_target(entry)
    interface = interface_of(entry.kind)
    if not isinstance(found, type):
        problem = f"it is no class, but of type {type(found).__name__}"
    elif not issubclass(found, interface):
        problem = f"it is not a subclass of {interface.__name__}"
    elif "__dataclass_fields__" not in vars(found):
        problem = "it is not a dataclass"
    elif not vars(found)["__dataclass_params__"].frozen:
        problem = "its dataclass is not frozen"
    elif missing := sorted(getattr(found, "__abstractmethods__", ())):
        problem = f"it does not define {', '.join(missing)}"
    else:
        try:
            with plugin_errors_named(entry, "cannot be used"):
                check_defaults(parameters_of(found))
        except PluginError as error:
            if error.what.startswith(f"The {entry.label}"):
                raise
            what = f"The {entry.label} cannot be used: {error.what}"
            raise PluginError(what, where=_place(entry), hint=error.hint) from error
        return found
    raise PluginError(
        f"The {entry.label} cannot be used: {problem}.",
        where=_place(entry),
        hint=f"A component is a frozen dataclass that derives from {interface.__name__}.",
    )
