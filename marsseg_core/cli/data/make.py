"""`marsseg data make`: write synthetic scenes into a file like the course's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..output import print_text

# The data set that makes the scenes.
_DATASET: Final = "synthetic"

# The share of the labelled images that show an alien by default, as in the course's file.
_ALIENS: Final = 110 / 2615


def make(
    out: Annotated[Path, typer.Argument(help="The new file.", metavar="OUT.npz")],
    count: Annotated[
        int, typer.Option(help="Number of labelled images, including those with aliens.", metavar="N", min=1)
    ] = 2615,
    test: Annotated[int, typer.Option(help="Number of images without labels.", metavar="N", min=0)] = 10022,
    aliens: Annotated[
        int | None,
        typer.Option(help="Number of labelled images with an alien; by default 110 of 2,615.", metavar="N", min=0),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.", metavar="N", min=0)] = 0,
    height: Annotated[int, typer.Option(help="Height of an image, in pixels.", metavar="N")] = 64,
    width: Annotated[int, typer.Option(help="Width of an image, in pixels.", metavar="N")] = 128,
    shares: Annotated[
        str,
        typer.Option(help="Share of the pixels of each class: course, default, or five numbers.", metavar="NAME|LIST"),
    ] = "course",
    label_noise: Annotated[
        str | None, typer.Option(help="Standard deviation of the errors of label edges.", metavar="PIXELS")
    ] = None,
) -> None:
    """Write Mars-like scenes in the layout and dtypes of the course's file: `training_set` and `test_set`, float64.

    The images without labels are further scenes made with the same parameters.
    """
    from ...data.export import write_course_file
    from ...files.atomic import refuse_existing, require_parent
    from ...files.progress import ProgressBar
    from ...registry.catalog import installed
    from ...registry.kinds import DATASET
    from ...registry.loading import load
    from ...registry.parameters import configure
    from .convert import check_npz

    if aliens is None:
        aliens = round(count * _ALIENS)
    check_npz(out)
    refuse_existing(out, "OUT")
    require_parent(out, "OUT")
    synthetic = load(installed().find(DATASET, _DATASET, where="marsseg data make"))
    parameters: dict[str, Any] = {"seed": seed, "height": height, "width": width, "shares": shares}
    if label_noise is not None:
        parameters["label_noise"] = label_noise
    labelled = configure(synthetic, parameters | {"count": count, "aliens": aliens}, where="marsseg data make")
    unlabelled = configure(synthetic, parameters | {"count": max(test, 1), "first": count}, where="marsseg data make")
    with ProgressBar("Writing", out.name) as progress:
        write_course_file(out, labelled.items(), count, unlabelled.items(), test, (height, width), progress)
    print_text(f"{out}: {count:,} labelled images, {aliens:,} of them with aliens, and {test:,} without labels")
