"""Commands that plugins add: the hook `marsseg_register_commands`, of the modules in the group `marsseg.commands`.

These modules are imported where a command is asked for that is not built in, or where all are listed: help, and
completion of the first word. Each plugin fills a Typer of its own, so that what is wrong with one harms no other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from typing import Any, Final

import typer

from ..errors import MarssegError
from ..registry.catalog import installed
from ..registry.entries import OK, Entry
from ..registry.loading import plugin_errors_named
from .output import warn

BUILT_IN: Final = "marsseg itself"


def added_commands(built_in: Iterable[str], *, quiet: bool) -> dict[str, Any]:
    """Click's commands that plugins add, by name, in the order of distributions. What is wrong with one is told.

    With `quiet`, as while a shell completes a word, nothing is said.
    """
    from ..hooks import commands_of

    taken = dict.fromkeys(built_in, BUILT_IN)
    found: dict[str, Any] = {}
    with redirect_stderr(StringIO()) if quiet else nullcontext():
        for entry in _usable():
            try:
                commands = commands_of(entry)
            except MarssegError as error:
                warn(str(error))
                continue
            for line in claim(entry, commands, taken):
                warn(line)
            for name, command in commands.items():
                if taken[name] == entry.label:
                    _guard(entry, command)
                    command.rich_help_panel = command.rich_help_panel or f"Commands of {entry.provider}"
                    found[name] = command
    return found


def claim(entry: Entry, names: Iterable[str], taken: dict[str, str]) -> Iterator[str]:
    """Take the names that are free; a line for each that is another's. `taken` says whose each name is."""
    for name in names:
        if (owner := taken.setdefault(name, entry.label)) != entry.label:
            yield f"The {entry.label} adds '{name}', which {owner} has: it is left out."


def _usable() -> list[Entry]:
    """The plugins that add commands; none, and a line, where the catalog cannot be had."""
    try:
        entries = installed().commands
    except MarssegError as error:  # of marsseg.toml, say: commands that read it say so too, and the others go on
        warn(str(error))
        return []
    return sorted((e for e in entries if e.status == OK), key=lambda entry: (entry.distribution, entry.name))


def _guard(entry: Entry, command: Any) -> None:
    """Have what a command raises name its plugin; what is marsseg's or Typer's goes on as it is."""
    for inner in getattr(command, "commands", {}).values():
        _guard(entry, inner)
    if command.callback is not None:
        command.callback = _guarded(entry, command.callback)


def _guarded(entry: Entry, callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def call(*args: Any, **values: Any) -> Any:
        try:
            return callback(*args, **values)
        except (typer.Abort, MemoryError):
            raise
        except Exception as cause:
            if hasattr(cause, "exit_code"):
                raise
            with plugin_errors_named(entry, "failed"):
                raise

    return call
