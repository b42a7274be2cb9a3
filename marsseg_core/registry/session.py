"""What a command, or a call in Python, was told besides what it is asked for: handed down to all that it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .catalog import Catalog, installed
from .disabled import DisabledName, disabled_names
from .plugin_files import given_plugins


@dataclass(frozen=True)
class Session:
    """Hold what there is to choose from, and whom to trust.

    Attributes:
        catalog: what is installed and given in files, without what is disabled
        trust: whether the files that a plan or a run keeps a copy of are executed
        disabled: what there is to be done without
    """

    catalog: Catalog
    trust: bool = False
    disabled: tuple[DisabledName, ...] = ()


def open_session(
    *, plugins: Iterable[str | Path] | None = None, disable: Iterable[str] | None = None, trust: bool = False
) -> Session:
    """Begin a session. The files of `plugins` are executed; `disable` has names, or lists of them with commas.

    Raises RequestError where a name to be disabled means nothing, PluginError for a file that cannot be loaded.
    """
    disabled = disabled_names(disable or ())
    entries = [entry for plugin in given_plugins(plugins or ()) for entry in plugin.entries]
    return Session(installed(disabled).with_more(entries), trust, disabled)
