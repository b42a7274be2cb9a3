"""Write the table of the known plugins into their page. MkDocs calls `on_page_markdown` for each page."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LIST: Final = Path(__file__).with_name("known-plugins.toml")
PAGE: Final = "known-plugins.md"
MARK: Final = "<!-- the table of known-plugins.toml -->"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the text of a page; that of the known plugins with their table."""
    return markdown.replace(MARK, table(read())) if page.file.src_uri == PAGE else markdown


def read() -> list[dict[str, Any]]:
    """Return the known plugins, as the list has them."""
    plugins: list[dict[str, Any]] = tomllib.loads(LIST.read_text(encoding="utf-8"))["plugin"]
    return plugins


def table(plugins: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a row for each plugin."""
    return "\n".join(["| plugin | adds | kinds | licence |", "|---|---|---|---|", *map(_row, plugins)])


def _row(plugin: Mapping[str, Any]) -> str:
    source = plugin["source"]
    name = f"[{plugin['name']}]({source})" if source.startswith("https:") else f"{plugin['name']}<br>`{source}`"
    return f"| {name} | {plugin['summary']} | {', '.join(plugin['kinds'])} | {plugin['licence']} |"
