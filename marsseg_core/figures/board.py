"""Draw the board: one page over all runs of a folder."""

from __future__ import annotations

from ..conventions import HEADLINE
from ..experiments.board import Board
from ..registry.kinds import PLAN_KINDS
from .page import HERE, render_template


def board_page(board: Board) -> str:
    """Return the page: a table to sort and filter, curves over each other, differences of plans, tiles side by side."""
    options = [kind.option for kind in PLAN_KINDS]
    return render_template(
        HERE,
        "board.html",
        title=f"Runs in {board.folder.resolve().name}",
        data={
            "runs": board.runs,
            "columns": [name for name in options if any(name in run["settings"] for run in board.runs)],
            "headline": HEADLINE,
        },
        unreadable=[(path.relative_to(board.folder).as_posix(), reason) for path, reason in board.unreadable],
    )
