"""Print a help on a narrow terminal: each option stands above its text, where Typer's columns would cut words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

from .help_text import option_words

COLUMNS: Final = 80
"""The number of columns from which on Typer's tables cut no word."""


def print_narrow_help(command: Any, context: Any, console: Console) -> None:
    """Print the usage, the text and the panels of a command."""
    console.print(Padding(Text(command.get_usage(context)), (1, 1)), style="bold")
    console.print(Padding(Markdown(inspect.cleandoc(command.help or "")), (0, 1, 1, 1)))
    for panel, params in _panels(command.get_params(context)).items():
        console.rule(Text(panel), style="dim", align="left")
        for param in params:
            console.print(Padding(Text(" ".join(_words(param))), (0, 1)), style="bold")
            console.print(Padding(Markdown(param.help or ""), (0, 1, 0, 5)))
        console.print()


def _panels(params: list[Any]) -> dict[str, list[Any]]:
    """Return the arguments and options of each panel: of those without one first, as Typer does."""
    panels: dict[str, list[Any]] = {"Arguments": [], "Options": []}
    for param in params:
        if not getattr(param, "hidden", False):
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            panels.setdefault(param.rich_help_panel or default, []).append(param)
    return {panel: several for panel, several in panels.items() if several}


def _words(param: Any) -> Iterator[str]:
    """Yield how an argument or option is written, the range of its numbers, and whether it is required."""
    yield option_words(param)
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None or high is not None:
        yield f"[x>={low}]" if high is None else f"[x<={high}]" if low is None else f"[{low}<=x<={high}]"
    if param.required:
        yield "[required]"
