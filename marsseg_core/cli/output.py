"""Print results to standard output, and messages and errors to standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Container, Sequence
from typing import Any, Final, Literal

from rich.console import Console
from rich.text import Text

from ..errors import MarssegError
from ..messages import get_logger
from ..printable import printable
from .standard_output import results

_logger = get_logger(__name__)

SCHEMA: Final = 2

EXIT_INTERRUPTED: Final = 130

# If fewer columns of the terminal remain beside the names of a table, each row is printed as a paragraph.
_MIN_WIDTH: Final = 30

# Text of plugins and users is passed to Rich as Text. In a str, Rich would interpret markup, and emoji such as ':x:'.


def say(text: str) -> None:
    """Print a message on standard error, unless `--quiet` is used."""
    _logger.info(text)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    _logger.warning(text)


def _console() -> Console:
    """Return a console for results.

    FORCE_COLOR asks for colours, not for tables drawn as on a terminal: in a pipe, there are tabs between the columns.
    """
    return Console(file=results(), _environ={key: value for key, value in os.environ.items() if key != "FORCE_COLOR"})


def print_text(text: str = "") -> None:
    """Print a line of the result on standard output."""
    console, text = _console(), printable(text)
    if console.is_terminal:
        console.print(Text(text))
    else:
        print(text, file=results(), flush=True)


def print_prose(text: str) -> None:
    """Print text in paragraphs, which a terminal fills to its width. Indented lines and code stay as they are."""
    if not _console().is_terminal:
        print_text(text)
        return
    code = False
    paragraphs = []
    for paragraph in text.split("\n\n"):
        fences = paragraph.count("```")
        paragraphs.append(paragraph if code or fences else _joined(paragraph))
        code ^= fences % 2 == 1
    print_text("\n\n".join(paragraphs))


def _joined(paragraph: str) -> str:
    """Return a paragraph, or each item of a list, in one line."""
    return re.sub(r"\n *(?![-*] |\d+\. | {4})", " ", paragraph)


def print_json(**values: Any) -> None:
    """Print the result as JSON for programs, with the number of the schema."""
    print(json.dumps({"schema": SCHEMA} | values, indent=2, allow_nan=False), file=results(), flush=True)


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    names: int = 1,
    faint: Container[int] = (),
) -> None:
    """Print a table: aligned on a terminal, with tabs between the columns elsewhere.

    On a terminal, empty columns are left out. The first `names` columns are never folded, and no word of the others is
    broken, such as the path of a file; if the terminal is too narrow for this, each row is printed as a paragraph,
    whose other cells share a line if they fit.
    Columns in `right` are aligned to the right, and the rows whose positions are in `faint` are less bright.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    console = _console()
    if not console.is_terminal:
        for row in [headers, *rows]:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row), file=results())
        results().flush()
        return
    not_empty = [i for i in range(len(headers)) if i < names or any(row[i] for row in rows)]
    headers, rows = [headers[i] for i in not_empty], [[row[i] for i in not_empty] for row in rows]
    from rich.padding import Padding
    from rich.table import Table

    columns = [*zip(headers, *rows, strict=True)]
    widths = [max(map(len, column)) + 2 for column in columns]
    least = widths[:names] + [2 + max(map(_longest_word, column)) for column in columns[names:]]
    narrow = sum(least) > console.width or console.width - sum(widths[:names]) < _MIN_WIDTH
    if sum(widths) > console.width and narrow:
        for position, row in enumerate(rows):
            console.print(Text(" ".join(row[:names]), style="dim" if position in faint else "bold"))
            cells = [*filter(None, row[names:])]
            line = " · ".join(cells)
            for cell in [line] if cells and len(line) + 2 <= console.width and "\n" not in line else cells:
                console.print(Padding(Text(cell), (0, 0, 0, 2)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        justify: Literal["left", "right"] = "right" if header in right else "left"
        width = _share(widths, least, position, console.width) - 2
        table.add_column(Text(header), justify=justify, overflow="fold", no_wrap=position < names, width=width)
    for position, row in enumerate(rows):
        table.add_row(*map(Text, row), style="dim" if position in faint else None)
    console.print(table)


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _share(widths: Sequence[int], least: Sequence[int], position: int, available: int) -> int:
    """Return the width of a column: its own, or its least and a share of what remains beside those of all columns."""
    wanted, spare = sum(widths) - sum(least), available - sum(least)
    more = widths[position] - least[position]
    return widths[position] if wanted <= spare else least[position] + more * spare // wanted


def _show_all_causes(error: BaseException | None) -> None:
    """Undo `raise … from None`, by which Keras hides the lines of a plugin from the traceback."""
    while error is not None:
        error.__suppress_context__ = error.__cause__ is not None
        error = error.__cause__ or error.__context__


def print_error(error: MarssegError, *, with_traceback: bool) -> None:
    """Print an error on standard error: what is wrong, where, and the next step."""
    if with_traceback:
        import traceback

        _show_all_causes(error)
        sys.stderr.write(printable("".join(traceback.format_exception(error))))
    lines = [printable(error.what)]
    if error.where:
        lines.append(printable(f"In: {error.where}"))
    if error.hint and not (with_traceback and "--traceback" in error.hint):
        lines.extend(map(printable, error.hint.split("\n")))
    console = Console(stderr=True)
    if console.is_terminal:
        from rich.panel import Panel

        console.print(Panel(Text("\n".join(lines)), title="Error", title_align="left", border_style="red"))
    else:
        print("Error: " + "\n       ".join(lines), file=sys.stderr)
