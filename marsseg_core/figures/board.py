"""Draw the board: one page over all runs of a folder."""

from __future__ import annotations

from ..conventions import HEADLINE
from ..experiments.board import Board
from .page import HERE, render_template


def board_page(board: Board) -> str:
    """Return the page: a table to sort and filter, curves over each other, differences of plans, tiles side by side."""
    return render_template(
        HERE,
        "board.html",
        title=f"Runs in {board.folder.resolve().name}",
        data={
            "runs": board.runs,
            "columns": board.columns,
            "shared": not board.scored_on,
            "headline": HEADLINE,
        },
        scored_on=board.scored_on,
        note=board.note,
        unreadable=[(path.relative_to(board.folder).as_posix(), reason) for path, reason in board.unreadable],
    )
