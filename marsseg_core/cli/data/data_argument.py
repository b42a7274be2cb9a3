"""The data set argument that the data commands share, read as a run reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...registry.kinds import DATASET
from ...registry.session import open_session
from ..common_options import split_option
from ..completion import composition, settings

if TYPE_CHECKING:
    from ...planning.plan import Plan

DataSource = Annotated[
    str,
    typer.Argument(
        help="A data set, file or folder, as for `--data`.",
        metavar="NAME|PATH",
        autocompletion=composition(DATASET, ".npz"),
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Set one value of the data set, or of the split of a run. Can be repeated.",
        metavar="KIND.NAME.KEY=VALUE",
        autocompletion=settings,
    ),
]
Split = Annotated[str | None, split_option(None)]


def source_plan(
    source: str,
    overrides: Sequence[str] | None,
    plugins: Sequence[Path] | None,
    cleaning: Mapping[str, Any] | None = None,
    split: str | None = None,
) -> Plan:
    """Resolve the plan of a run on this data set, with default values for everything else.

    `split` is the option `--split` of a run; None if it was not passed.
    """
    from ...planning.recognition import given_as_source
    from ...planning.request import Request
    from ...planning.resolver import resolve

    sections = {"cleaning": cleaning or {}, "split": {} if split is None else {"subsets": split}}
    request = Request(compositions={"data": source}, sections=sections, overrides=overrides or ())
    with given_as_source(source):
        return resolve(request, open_session(plugins=plugins))
