"""`marsseg data convert`: write a data set as a file, or as a folder of images and masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import RequestError, counted
from ..common_options import Plugins
from ..output import print_text
from .data_argument import DataSource, Overrides, source_plan

if TYPE_CHECKING:
    import numpy as np

    from ...data.arrays import SegmentationData
    from ...data.export import Layout


def convert(
    source: DataSource,
    out: Annotated[Path, typer.Argument(help="The new file (if it ends in .npz) or folder.", metavar="OUT")],
    layout: Annotated[
        Literal["training_set", "images"] | None,
        typer.Option(
            help="Arrays of an .npz file: training_set, as in the course's file (grey images only); or images: "
            "images and masks.",
            metavar="LAYOUT",
        ),
    ] = None,
    set: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Write any data set as an .npz file (uint8), or as a folder with images/, masks/ and the classes.

    Names of items, the split that the data come with, groups, colours and ignored classes, the scaling of the values,
    and images without labels are written, too.
    """
    from ...files.atomic import refuse_existing, require_parent
    from ...runs.data import load_unlabelled, read_data

    if layout is not None and out.suffix.lower() != ".npz":
        raise RequestError("A folder has no layout.", where="--layout", hint="Only an .npz file has one.")
    refuse_existing(out, "OUT")
    require_parent(out, "OUT")
    plan = source_plan(source, set, plugin)
    data = read_data(plan)
    write_data(out, data, load_unlabelled(plan), layout)
    ignore_classes = ", ".join(data.class_names[index] for index in data.ignore_classes) or "none"
    if data.scaling is not None:
        print_text(f"{out}: {data.scaling}, and are written as such")
    print_text(f"{out}: {counted(len(data), 'image')}; classes {', '.join(data.class_names)}; ignored {ignore_classes}")


def check_npz(out: Path) -> None:
    """Raise RequestError if the name of OUT does not end in .npz."""
    if out.suffix.lower() != ".npz":
        raise RequestError(f"The file is an .npz archive, but '{out}' does not end in .npz.", where="OUT")


def write_data(out: Path, data: SegmentationData, unlabelled: np.ndarray | None, layout: Layout | None = None) -> None:
    """Write an .npz file if the name of OUT ends so, or else a folder.

    `layout` is that of a file; None means the course's layout, or for colour images the layout `images`.
    """
    from ...data.export import write_folder, write_npz
    from ...files.progress import ProgressBar

    with ProgressBar("Writing", out.name) as progress:
        if out.suffix.lower() != ".npz":
            write_folder(out, data, unlabelled, progress)
            return
        chosen: Layout = layout or ("training_set" if data.images.shape[-1] == 1 else "images")
        write_npz(out, data, unlabelled, chosen, progress)
