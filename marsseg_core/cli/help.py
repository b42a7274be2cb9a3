"""`marsseg help`: show the help of a command."""

from __future__ import annotations

from typing import Annotated

import typer

from .standard_output import give_back_standard_output


def help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(help="A command, such as run or data inspect.", metavar="[COMMAND]")
    ] = None,
) -> None:
    """Show the help of a command, or of marsseg.

    `marsseg help run` is the same as `marsseg run --help`.
    """
    give_back_standard_output()
    context.find_root().command.main([*(words or []), "--help"], prog_name="marsseg")
