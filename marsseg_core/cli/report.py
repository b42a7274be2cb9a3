"""`marsseg report`: write the figures and the page of a run that has ended."""

from __future__ import annotations

from typing import Annotated

import typer

from ..networks.startup import check_backend
from ..registry.kinds import DATASET
from ..registry.session import open_session
from .common_options import Trust
from .completion import composition
from .loading import load_keras
from .output import print_text


def report(
    run: Annotated[str, typer.Argument(help="A run folder.", metavar="RUN", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(
            help="Where the data of the run are now, if they were moved. The new place is recorded.",
            metavar="NAME|PATH",
            autocompletion=composition(DATASET, ".npz"),
        ),
    ] = None,
    trust: Trust = False,
) -> None:
    """Write the figures and the report page of a run that has ended.

    A run writes them at its end. Use this for a run that was killed before that, or whose disk was full. The
    network predicts the validation and test subsets again.
    """
    from ..files.run_folder import RunFolder
    from ..planning.request import Request
    from ..planning.resolver import resolve

    check_backend()
    folder = RunFolder.open(run)
    plan = resolve(Request(run, {} if data is None else {"data": data}), open_session(trust=trust))
    load_keras()
    from ..training.ended import write_report

    write_report(folder, plan, moved=data is not None)
    print_text(str(folder.report))
