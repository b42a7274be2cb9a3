"""`marsseg predict`: masks of images, by one run or several together."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import RequestError, RunError
from ..networks.startup import check_backend
from ..registry.session import open_session
from .common_options import Plugins, Trust, Tta
from .completion import fixed
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..inference.prediction import Summary


def predict(
    paths: Annotated[
        list[str], typer.Argument(help="Run folders, then what to predict.", metavar="RUN… SOURCE", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(help="A new folder for masks.", metavar="FOLDER")] = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Write the classes in colours over the images.")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probabilities, .npy (H, W, classes) float32.")
    ] = False,
    submission: Annotated[
        Path | None, typer.Option(help="Write the course's submission, checked.", metavar="FILE.csv")
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            help="Labelled images of a data set: train, validation, test or all.",
            metavar="PART",
            autocompletion=fixed("train", "validation", "test", "all"),
        ),
    ] = None,
    tta: Tta = False,
    with_ignored: Annotated[
        bool, typer.Option("--with-ignored", help="Let pixels take ignored classes too (background).")
    ] = False,
    tile_overlap: Annotated[
        float, typer.Option(help="What neighbouring tiles of a large image share.", min=0, max=0.9, metavar="SHARE")
    ] = 0.5,
    batch: Annotated[int, typer.Option(help="Tiles predicted at once.", min=1, metavar="N")] = 16,
    range: Annotated[
        str | None,
        typer.Option(
            help="Which values of image files are black and white: auto, bits, 0..4095, 1%..99%; "
            "by default as the run saw such numbers, and others by auto.",
            metavar="RANGE",
        ),
    ] = None,
    pixel_limit: Annotated[
        int | None, typer.Option(help="Refuse images with more pixels than this.", min=1, metavar="PIXELS")
    ] = None,
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Predict the masks of an image, of a folder of images, or of a data set; several runs give their mean.

    SOURCE is a file, a folder, or a data set as `--data` takes it, whose images without labels are meant unless
    `--subset` picks labelled ones. Images of any size: larger ones are covered with tiles that overlap.
    """
    *runs, source = paths
    if not runs:
        raise RequestError(
            "A run and what it is to predict are needed.", where="predict", hint="marsseg predict RUN IMAGES --out NEW"
        )
    if out is None and submission is None:
        raise RequestError("Nothing would be written.", where="predict", hint="Give --out or --submission.")
    if out is None and (overlay or probabilities):
        raise RequestError("Overlays and probabilities are written to --out.", where="predict", hint="Give --out too.")
    from ..files.atomic import refuse_existing

    for target, option in ((out, "--out"), (submission, "--submission")):
        if target is not None:
            refuse_existing(target, option)
    from ..data.limits import PIXEL_LIMIT
    from ..data.ranges import asked_range
    from ..inference.ensemble import load_networks, open_runs
    from ..inference.image_sources import check_subset, find_source

    check_backend()
    check_subset(subset)
    wanted = None if range is None else asked_range(range, "--range")
    opened, classes = open_runs(runs)
    limit = pixel_limit or PIXEL_LIMIT
    session = open_session(plugins=plugin, trust=trust)
    found = find_source(source, session, opened, subset=subset, pixel_limit=limit, wanted=wanted)
    for line in found.remarks:
        say(line)
    load_keras()
    from ..files.progress import ProgressBar
    from ..inference.outputs import Outputs
    from ..inference.prediction import Summary, predict_source
    from ..inference.predictor import Predictor
    from ..inference.submission import new_submission

    predictor = Predictor(load_networks(opened, session), tta=tta, overlap=tile_overlap, batch=batch)
    outputs = None if out is None else Outputs(out, classes, overlays=overlay, probabilities=probabilities)
    summary = Summary.empty(len(classes.names))
    try:
        with (
            ProgressBar("Predicting", found.title) as progress,
            nullcontext() if submission is None else new_submission(submission) as rows,
        ):
            predict_source(
                found,
                predictor,
                ignore_classes=() if with_ignored else classes.ignore_classes,
                outputs=outputs,
                submission=rows,
                summary=summary,
                progress=lambda done: progress(done, len(found)),
            )
    except KeyboardInterrupt:
        say(f"Interrupted: {summary.count} of {len(found)} images were predicted; what is written is whole.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for line in found.afterwards():
        warn(line)
    _print_summary(summary, classes.names)
    for target in filter(None, (out, submission)):
        print_text(f"{target}: {summary.count} images of {found.title}")
    if submission is not None and rows is not None and rows.zeros:
        warn(f"{rows.zeros:,} pixels of the submission are labelled 0 ({classes.names[0]}).")
    if summary.unreadable:
        raise RunError(
            f"{len(summary.unreadable)} of {len(found)} images could not be read.",
            where=found.title,
            hint="They are named above; all others are predicted.",
        )


def _print_summary(summary: Summary, names: tuple[str, ...]) -> None:
    shares = summary.pixels / max(summary.pixels.sum(), 1)
    rows = [
        (name, f"{100 * share:.2f} %", str(images))
        for name, share, images in zip(names, shares, summary.images, strict=True)
    ]
    print_table(("class", "pixels", "images"), rows, right=("pixels", "images"))
    print_text()
