"""`marsseg new-plugin`: a project for a component or an observer of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..errors import RequestError, nearest
from ..registry.catalog import installed
from ..registry.kinds import ALL_KINDS
from ..registry.listing import find_kind
from .completion import fixed
from .output import print_text, say


def new_plugin(
    name: Annotated[
        str, typer.Argument(help="What it is to be called, as in `marsseg run --loss NAME`.", metavar="NAME")
    ],
    kind: Annotated[
        str,
        typer.Option(
            help="What it is: loss, architecture, bottleneck, …, observer.",
            metavar="KIND",
            autocompletion=fixed(*(kind.name for kind in ALL_KINDS if kind.template)),
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The project's folder, a new one: marsseg-NAME by default.", metavar="DIR")
    ] = None,
) -> None:
    """Begin a plugin: a small project that can be installed, with a formula as an example, and tests that pass.

    Nothing is installed, and nothing overwritten. What is printed are the next steps.
    """
    from ..scaffold import Project

    found = find_kind(kind)
    if found is None or not found.template:
        known = [known.name for known in ALL_KINDS if known.template]
        what = f"A {kind} is no plugin of its own." if found else f"There is no kind '{kind}'."
        raise RequestError(what, where="--kind", hint=nearest(kind, known, listing="There are"))
    project = Project(name, found)
    project.check_free(installed())
    folder = out or Path(project.distribution)
    project.write(folder)
    say(f"Made {folder} with {project.package}/{found}.py. Next:")
    for step in (f"cd {shlex.quote(str(folder))}", *project.steps):
        print_text(step)
