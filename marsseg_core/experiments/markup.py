"""Write a table of texts as Markdown or LaTeX."""

from __future__ import annotations

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


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """Return a table in Markdown. The columns in `right` are aligned to the right."""
    rules = ["--:" if header in right else "---" for header in headers]
    escaped = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in (headers, *rows)]
    lines = [escaped[0], rules, *escaped[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """Return a table in LaTeX, which needs the package booktabs. The columns in `right` are aligned to the right."""
    columns = "".join("r" if header in right else "l" for header in headers)
    head, *body = (" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in (headers, *rows))
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", ""])
