"""Show objects and progress in notebooks. The function that draws objects is in a higher layer, which registers it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .printable import printable

if TYPE_CHECKING:
    from jinja2 import Template

_draw: Callable[[Any], str] | None = None


class HtmlRepr:
    """Show objects of subclasses as HTML in notebooks; as their `repr` until the Python interface is imported."""

    def _repr_html_(self) -> str | None:
        return None if _draw is None else _draw(self)


def set_html_renderer(draw: Callable[[Any], str]) -> None:
    """Register the function that returns the HTML of any `HtmlRepr` object."""
    global _draw
    _draw = draw


@cache
def _progress() -> Template:
    """Return the template of a bar with some lines."""
    from jinja2 import Template

    source = Path(__file__).with_name("progress.html").read_text(encoding="utf-8")
    template: Template = Template(source, autoescape=True)
    return template


class NotebookOutput:
    """Show progress in a notebook: one output of the cell, which is replaced by its next state.

    Outside notebooks, use a bar in the terminal, or lines.

    Example:
        ```python
        output = NotebookOutput()
        output.show_progress(["Counting craters"], 3, 10)
        ```
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""

    @staticmethod
    def is_possible() -> bool:
        """Return whether this code runs in the kernel of a notebook."""
        # Only a process that has imported IPython can be a kernel.
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        return getattr(shell, "kernel", None) is not None

    def show_progress(self, lines: list[str], done: float, total: float) -> None:
        """Show a bar below a bold line, and more lines below the bar.

        Args:
            lines: The lines. The first one is bold.
            done: How much is done.
            total: How much there is to do.
        """
        words = [printable(line) for line in lines]
        html = _progress().render(lines=words, done=f"{done:g}", total=f"{total:g}")
        self.show(html, "\n".join(words))

    def show(self, html: str, text: str) -> None:
        """Show HTML, and text where HTML cannot be shown.

        Args:
            html: The markup, which is not escaped.
            text: The same as text.
        """
        if html == self._shown:
            return
        from IPython import display

        show: Any = display.display
        self._shown = html
        content = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = show(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def clear(self) -> None:
        """Show nothing any more."""
        if self._handle is not None:
            self.show("", "")
