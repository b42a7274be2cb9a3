"""What the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal

from rich.console import Console
from rich.text import Text

from ..errors import MarssegError
from ..messages import get_logger

_logger = get_logger(__name__)

SCHEMA: Final = 2

EXIT_INTERRUPTED: Final = 130

# Below this, what stands beside the names of a table is no longer read across.
_LEAST_ROOM: Final = 30

# Text that plugins or users wrote reaches Rich as Text: in a str it would find markup, and emoji in ':x:'.


def say(text: str) -> None:
    """A line to the person at the keyboard."""
    _logger.info(text)


def warn(text: str) -> None:
    """A line about what went wrong without ending the command."""
    _logger.warning(text)


def print_text(text: str = "") -> None:
    """A line of the result."""
    console = Console()
    if console.is_terminal:
        console.print(Text(text))
    else:
        print(text)


def print_json(**values: Any) -> None:
    """The result for programs, with the number of its schema."""
    print(json.dumps({"schema": SCHEMA} | values, indent=2, allow_nan=False))


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), names: int = 1
) -> None:
    """A table on a terminal, without columns in which nothing is; elsewhere a line a row, all columns, tabs between.

    The first columns, as many as `names`, are never folded: a terminal too narrow for them shows a paragraph a row.
    """
    console = Console()
    if not console.is_terminal:
        for row in [headers, *rows]:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    filled = [i for i in range(len(headers)) if i < names or any(row[i] for row in rows)]
    headers, rows = [headers[i] for i in filled], [[row[i] for i in filled] for row in rows]
    from rich.padding import Padding
    from rich.table import Table

    widths = [max(map(len, column)) + 2 for column in zip(headers, *rows, strict=True)]
    if sum(widths) > console.width and console.width - sum(widths[:names]) < _LEAST_ROOM:
        for row in rows:
            console.print(Text(" ".join(row[:names]), style="bold"))
            for cell in filter(None, row[names:]):
                console.print(Padding(Text(cell), (0, 0, 0, 2)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        justify: Literal["left", "right"] = "right" if header in right else "left"
        table.add_column(Text(header), justify=justify, overflow="fold", no_wrap=position < names)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _show_all_causes(error: BaseException | None) -> None:
    """Keras raises what came through it anew, `from None`, and a plugin's own lines would be left out."""
    while error is not None:
        error.__suppress_context__ = error.__cause__ is not None
        error = error.__cause__ or error.__context__


def print_error(error: MarssegError, *, with_traceback: bool) -> None:
    """One panel that says what is wrong, where, and what to do."""
    if with_traceback:
        import traceback

        _show_all_causes(error)
        traceback.print_exception(error)
    lines = [error.what]
    if error.where:
        lines.append(f"In: {error.where}")
    if error.hint and not (with_traceback and "--traceback" in error.hint):
        lines.append(error.hint)
    console = Console(stderr=True)
    if console.is_terminal:
        from rich.panel import Panel

        console.print(Panel(Text("\n".join(lines)), title="Error", title_align="left", border_style="red"))
    else:
        print("Error: " + "\n       ".join(lines), file=sys.stderr)
