"""What the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ..errors import MarssegError

SCHEMA: Final = 1

EXIT_INTERRUPTED: Final = 130


def say(text: str) -> None:
    """A line to the person at the keyboard."""
    Console(stderr=True).print(text, markup=False, highlight=False)


def warn(text: str) -> None:
    """A line about what went wrong without ending the command."""
    Console(stderr=True).print(f"Warning: {text}", style="yellow", markup=False, highlight=False)


def print_text(text: str = "") -> None:
    """A line of the result."""
    console = Console()
    if console.is_terminal:
        console.print(text, markup=False, highlight=False)
    else:
        print(text)


def print_json(**values: Any) -> None:
    """The result for programs, with the number of its schema."""
    print(json.dumps({"schema": SCHEMA} | values, indent=2, allow_nan=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table on a terminal; elsewhere one line a row, tabs between the columns and nothing cut."""
    console = Console()
    if not console.is_terminal:
        for row in [headers, *rows]:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        # The first columns are names: they are what a narrow terminal must not cut.
        table.add_column(header, justify="right" if header in right else "left", overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def print_error(error: MarssegError, *, with_traceback: bool) -> None:
    """One panel that says what is wrong, where, and what to do."""
    if with_traceback:
        traceback.print_exception(error)
    lines = [error.what]
    if error.where:
        lines.append(f"In: {error.where}")
    if error.hint:
        lines.append(error.hint)
    console = Console(stderr=True)
    if console.is_terminal:
        console.print(Panel(escape("\n".join(lines)), title="Error", title_align="left", border_style="red"))
    else:
        print("Error: " + "\n       ".join(lines), file=sys.stderr)
