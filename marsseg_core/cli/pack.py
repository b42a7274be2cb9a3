"""`marsseg pack`: put finished runs into one file, to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import RequestError, counted
from ..networks.startup import check_backend
from ..registry.session import open_session
from .loading import load_keras
from .output import print_text


def pack(
    runs: Annotated[
        list[str],
        typer.Argument(help="A run folder, or several for an ensemble.", metavar="RUN…", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(help="The new file, which ends in .zip.", metavar="FILE.zip")] = None,
    licence: Annotated[
        str | None, typer.Option(help="The licence of the networks, such as cc-by-4.0.", metavar="NAME")
    ] = None,
    data_licence: Annotated[
        str | None, typer.Option(help="The licence of the data that they were trained on.", metavar="NAME")
    ] = None,
    data_source: Annotated[
        str | None, typer.Option(help="Who made the data, and where they are.", metavar="TEXT")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Print the model card, and write nothing.")] = False,
) -> None:
    """Put finished runs into one file to share: networks, plans, scores, a model card and a test image.

    The receiver needs marsseg and the plugins of the networks. `predict`, `evaluate` and `--init` take the file like a
    run. The file is checked before it gets its name.
    """
    if card == (out is not None):
        hint = "marsseg pack RUN --out FILE.zip; or marsseg pack RUN --card"
        raise RequestError("Either --out or --card is needed.", where="pack", hint=hint)
    if out is not None:
        from ..files.atomic import refuse_existing, require_parent

        if out.suffix.lower() != ".zip":
            raise RequestError(f"'{out}' does not end in .zip.", where="--out")
        require_parent(out)
        refuse_existing(out)
    from ..packs.description import Statement, open_for_pack

    check_backend()
    folders = open_for_pack(runs)
    session, statement = open_session(), Statement(licence, data_licence, data_source)
    load_keras()
    from ..packs.make import make_card, make_pack

    if out is None:
        name = Path(folders[0].title).name.removesuffix(".zip")
        print_text(make_card(folders, name, session, statement).rstrip("\n"))
        return
    made = make_pack(out, folders, session, statement)
    print_text(f"{out}: {counted(len(folders), 'run')}, {out.stat().st_size:,} bytes")
    print_text(f"SHA-256 {made.pack.sha256}")
