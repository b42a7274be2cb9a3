"""Load the commands that plugins add, by the hook `marsseg_register_commands` in the group `marsseg.commands`.

The modules of this group are imported only if the requested command is not built in, or to list all commands (for help
and for the completion of the first word). Each plugin fills a separate Typer, so that an error in one does not affect
the others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from typing import Any, Final

import typer

from ..errors import MarssegError
from ..printable import printable
from ..registry.catalog import installed
from ..registry.entries import OK, Entry
from ..registry.loading import plugin_errors_named
from ..registry.source_code import docstring_of
from .output import warn
from .standard_output import give_back_standard_output

BUILT_IN: Final = "marsseg itself"


def added_commands(built_in: Iterable[str], *, quiet: bool) -> dict[str, Any]:
    """Return the Click commands that plugins add, by name, in the order of their distributions.

    A plugin that fails is left out, with a warning. With `quiet`, used for shell completion, nothing is printed.
    """
    from ..hooks import commands_of

    taken = dict.fromkeys(built_in, BUILT_IN)
    added: dict[str, Any] = {}
    with redirect_stderr(StringIO()) if quiet else nullcontext():
        for entry in _usable_entries():
            try:
                commands = commands_of(entry)
            except MarssegError as error:
                warn(str(error))
                continue
            for line in claim_names(entry, commands, taken):
                warn(line)
            for name, command in commands.items():
                if taken[name] == entry.label:
                    _guard(entry, command)
                    command.rich_help_panel = command.rich_help_panel or f"Commands of {entry.provider}"
                    added[name] = command
    return added


def claim_names(entry: Entry, names: Iterable[str], taken: dict[str, str]) -> Iterator[str]:
    """Reserve names of commands for a plugin, and yield a message for each name that is taken already.

    `taken` holds the owner of each name; free names are added to it.
    """
    for name in names:
        if (owner := taken.setdefault(name, entry.label)) != entry.label:
            yield f"The {entry.label} adds a command '{name}', but {owner} has one already. It is left out."


def _usable_entries() -> list[Entry]:
    """Return the usable plugins that add commands; none, with a warning, if the catalog cannot be read."""
    try:
        entries = installed().commands
    except MarssegError as error:  # for example in marsseg.toml; commands that do not read it still work
        warn(str(error))
        return []
    return sorted((e for e in entries if e.status == OK), key=lambda entry: (entry.distribution, entry.name))


def _guard(entry: Entry, command: Any) -> None:
    """Wrap a command and its subcommands, and make sure of their help.

    They may print to standard output, and their errors name the plugin.
    Errors of marsseg and Typer are raised unchanged.
    """
    for inner in getattr(command, "commands", {}).values():
        _guard(entry, inner)
    if command.callback is not None:
        command.help = printable(command.help or docstring_of(command.callback))
        command.callback = _guarded(entry, command.callback)


def _guarded(entry: Entry, callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def call(*args: Any, **values: Any) -> Any:
        give_back_standard_output()
        try:
            return callback(*args, **values)
        except (typer.Abort, MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as cause:
            if hasattr(cause, "exit_code"):
                raise
            with plugin_errors_named(entry, "failed"):
                raise

    return call
