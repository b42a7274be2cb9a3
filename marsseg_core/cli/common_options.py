"""Options that several commands have. `disable` holds for the whole of a command; `main` sees to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .completion import names_or_distributions

Disable = Annotated[
    list[str] | None,
    typer.Option(
        "--disable",
        help="Do without a component, observer or commands, or a distribution and all of its.",
        metavar="NAME,…",
        autocompletion=names_or_distributions,
    ),
]

Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Take the components and hooks that a Python file defines, too.", metavar="FILE.py"),
]

Trust = Annotated[bool, typer.Option("--trust", help="Execute the Python files that a plan or a run keeps a copy of.")]

Tta = Annotated[bool, typer.Option("--tta", help="Mean over each image as it is and flipped.")]
