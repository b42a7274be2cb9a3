"""`marsseg board`: one page over all runs of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..errors import RunError
from ..files.atomic import write_bytes
from .output import print_text, say, warn

if TYPE_CHECKING:
    from ..experiments.board import Board

FILE: Final = "board.html"


def board(
    folder: Annotated[Path, typer.Argument(help="A folder with runs, series or sweeps.", metavar="[FOLDER]")] = Path(
        "runs"
    ),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine; each reload reads the runs again.")
    ] = False,
    port: Annotated[int, typer.Option(help="The port for --serve; 0: any free port.", metavar="N")] = 0,
) -> None:
    """Write one page about all runs in a folder: a table to sort and filter, curves, settings, tiles.

    The page is FOLDER/board.html. It needs no other program and no internet; its pictures are those in the run folders.
    """
    from ..experiments.board import read_board
    from ..figures.board import board_page

    if serve:
        from ..figures.board_server import serve_board

        with serve_board(folder, port) as server:
            print_text(f"http://127.0.0.1:{server.server_port}/")
            say("Press Ctrl-C to end.")
            server.serve_forever()
        return
    found, path = read_board(folder), folder / FILE
    write_bytes(path, board_page(found).encode())
    print_text(str(path))
    _end(found)


def _end(found: Board) -> None:
    for path, reason in found.unreadable:
        warn(f"{path} could not be read: {reason}")
    if found.unreadable:
        raise typer.Exit(RunError.exit_code)
