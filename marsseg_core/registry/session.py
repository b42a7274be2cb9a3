"""The settings that a command or a Python call passes to everything it does: catalog, trust and disabled names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .catalog import Catalog, installed
from .disabled import DisabledName, disabled_names
from .entries import Entry


@dataclass(frozen=True)
class Session:
    """Hold the catalog, and whether plugin files are trusted.

    Attributes:
        catalog: everything that is installed or defined in plugin files, with disabled entries marked
        trust: whether the plugin files that a plan or run folder names may be executed
        disabled: the names that the user disabled
    """

    catalog: Catalog
    trust: bool = False
    disabled: tuple[DisabledName, ...] = ()


def open_session(
    *, plugins: Iterable[str | Path] | None = None, disable: Iterable[str] | None = None, trust: bool = False
) -> Session:
    """Open a session.

    Args:
        plugins: plugin files, which are executed
        disable: names to disable; each text may contain several, separated by commas
        trust: whether the plugin files that a plan or run folder names may be executed

    Raises:
        RequestError: if a disabled name matches no entry
        PluginError: if a plugin file cannot be loaded
    """
    disabled = disabled_names(disable or ())
    entries: list[Entry] = []
    if plugins:
        from .plugin_files import load_plugin_files

        entries = [entry for plugin in load_plugin_files(plugins) for entry in plugin.entries]
    return Session(installed(disabled).with_more(entries), trust, disabled)
