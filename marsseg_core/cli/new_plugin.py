"""`marsseg new-plugin`: create a project for a new component or observer."""

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
        str, typer.Argument(help="The name of the plugin, as in `marsseg run --loss NAME`.", metavar="NAME")
    ],
    kind: Annotated[
        str,
        typer.Option(
            help="The kind of the plugin: loss, architecture, bottleneck, …, observer.",
            metavar="KIND",
            autocompletion=fixed(*(kind.name for kind in ALL_KINDS if kind.template)),
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The new folder of the project. Default: marsseg-NAME.", metavar="DIR")
    ] = None,
) -> None:
    """Create a small project for a plugin: it can be installed, has an example component, and its tests pass.

    Nothing is installed or overwritten. The next steps are printed.
    """
    from ..scaffold import Project

    chosen = find_kind(kind)
    if chosen is None or not chosen.template:
        known = [each.name for each in ALL_KINDS if each.template]
        message = f"There is no template for the kind '{chosen}'." if chosen else f"There is no kind '{kind}'."
        raise RequestError(message, where="--kind", hint=nearest(kind, known, listing="Kinds"))
    project = Project(name, chosen)
    project.check_free(installed())
    folder = out or Path(project.distribution)
    project.write(folder)
    say(f"Created {folder} with {project.package}/{chosen}.py. Next steps:")
    for step in (f"cd {shlex.quote(str(folder))}", *project.steps):
        print_text(step)
