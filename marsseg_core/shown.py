"""Objects that notebooks show as HTML. What draws them stands on a higher floor and makes itself known here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_draw: Callable[[Any], str] | None = None


class Shown:
    """Show an object as HTML in notebooks, once the Python interface is imported; as its `repr` before."""

    def _repr_html_(self) -> str | None:
        return None if _draw is None else _draw(self)


def show_by(draw: Callable[[Any], str]) -> None:
    """Let a function draw everything that is `Shown`."""
    global _draw
    _draw = draw
