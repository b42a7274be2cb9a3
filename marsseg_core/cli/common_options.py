"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .completion import fixed, names_or_distributions

Decoding = Annotated[
    str,
    typer.Option(
        help="How values become classes: run (as each run has chosen) or argmax (without offsets).",
        metavar="run|argmax",
        autocompletion=fixed("run", "argmax"),
    ),
]

Disable = Annotated[
    list[str] | None,
    typer.Option(
        "--disable",
        help="Disable a component, observer or plugin of commands, or all plugins of a distribution.",
        metavar="NAME,…",
        autocompletion=names_or_distributions,
    ),
]

Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Also use the components and hooks that a Python file defines.", metavar="FILE.py"),
]

Trust = Annotated[bool, typer.Option("--trust", help="Execute the plugin files that are stored with a plan or a run.")]

Tta = Annotated[
    bool, typer.Option("--tta", help="Test-time augmentation: average over each image and its flipped copies.")
]
