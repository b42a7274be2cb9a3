"""The formulas of components, from LaTeX in formulas.toml to MathML, which browsers show without any script."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from latex2mathml.converter import convert

from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import Kind

TABLES: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("formulas.toml").read_text(encoding="utf-8"))


def notation(kind: Kind) -> str:
    """Return Markdown that says what the letters in the formulas of a kind mean; empty for a kind without formulas."""
    return TABLES["notation"].get(kind.name, "")


def formulas(entry: Entry) -> str:
    """Return the formulas of a component as HTML; empty if it has none.

    Long formulas scroll, so they can be reached with the keyboard.
    """
    lines = TABLES.get(entry.kind.name, {}).get(entry.name, [])
    blocks = "".join(f"<div>{convert(line, display='block')}</div>" for line in lines)
    return f'<div class="formula" role="group" aria-label="Formula" tabindex="0">{blocks}</div>' if blocks else ""
