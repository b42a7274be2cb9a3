"""Write a table of texts as Markdown or LaTeX."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

_LATEX: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "–": "--",
    }
)


# A hyphen that is the sign of a number, unlike those of "seed-0" and "1e-4".
_MINUS: Final = re.compile(r"(?<![\w.])-(?=\d)")


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """Return a table in Markdown. The columns in `right` are aligned to the right."""
    rules = ["--:" if header in right else "---" for header in headers]
    escaped = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in (headers, *rows)]
    lines = [escaped[0], rules, *escaped[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    caption: str = "",
    label: str = "",
) -> str:
    """Return a table in LaTeX, which needs the package booktabs. The columns in `right` are aligned to the right.

    A hyphen before a number in these columns is a minus. With a `caption`, the table is a float with this `label`.
    """
    columns = "".join("r" if header in right else "l" for header in headers)
    numbers = [
        [_MINUS.sub("−", cell) if each in right else cell for cell, each in zip(row, headers, strict=True)]
        for row in rows
    ]
    head, *body = (" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in (headers, *numbers))
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if caption:
        text = rf"\caption{{{caption.translate(_LATEX)}}}"
        lines = [r"\begin{table}", r"\centering", text, rf"\label{{{label}}}", *lines, r"\end{table}"]
    return "\n".join([*lines, ""])
