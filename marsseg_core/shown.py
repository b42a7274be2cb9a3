"""Show objects as HTML in notebooks. The function that draws them is in a higher layer and registers itself here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_draw: Callable[[Any], str] | None = None


class HtmlRepr:
    """Show objects of subclasses as HTML in notebooks; as their `repr` until the Python interface is imported."""

    def _repr_html_(self) -> str | None:
        return None if _draw is None else _draw(self)


def set_html_renderer(draw: Callable[[Any], str]) -> None:
    """Register the function that returns the HTML of any `HtmlRepr` object."""
    global _draw
    _draw = draw
