"""`marsseg predict`: predict the masks of images, with one or several runs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import RequestError, RunError
from ..networks.startup import check_backend
from ..registry.session import open_session
from .common_options import Decoding, Engine, Plugins, Trust, Tta
from .completion import fixed
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..inference.prediction import Summary


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="One or more run folders, then the images to predict.", metavar="RUN… SOURCE", show_default=False
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="A new folder for the predicted masks.", metavar="FOLDER")] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write the images with the classes as colours over them.")
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Also write the probabilities, as .npy files (H, W, classes) float32."),
    ] = False,
    submission: Annotated[
        Path | None, typer.Option(help="Write and check a submission file for the course.", metavar="FILE.csv")
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            help="Predict labelled images of a data set: train, validation, test or all.",
            metavar="SUBSET",
            autocompletion=fixed("train", "validation", "test", "all"),
        ),
    ] = None,
    tta: Tta = None,
    decoding: Decoding = "run",
    with_ignored: Annotated[
        bool, typer.Option("--with-ignored", help="Also predict ignored classes, such as the background.")
    ] = False,
    tile_overlap: Annotated[
        float | None,
        typer.Option(
            help="Cut large images into tiles of the network's size that overlap by this share. "
            "Default: larger tiles where the network allows it, else 0.5.",
            min=0,
            max=0.9,
            metavar="SHARE",
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            help="Images of the network's size predicted at the same time; of larger tiles, as many pixels. "
            "Default: what the memory allows.",
            min=1,
            max=65_536,
            metavar="N",
        ),
    ] = None,
    range: Annotated[
        str | None,
        typer.Option(
            help="The values of black and white in image files: auto, bits, 0..4095, 1%..99%. "
            "Default: as in the run if it had the same number type, else auto.",
            metavar="RANGE",
        ),
    ] = None,
    pixel_limit: Annotated[
        int | None, typer.Option(help="Refuse images with more pixels than this.", min=1, metavar="PIXELS")
    ] = None,
    engine: Engine = "keras",
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Predict the masks of an image, a folder of images, or a data set. Several runs are averaged.

    SOURCE is a file, a folder, or a data set as for `--data`. Of a data set, the images without labels are predicted,
    or the labelled ones that `--subset` selects. Images can have any size: large ones are cut into overlapping tiles.
    """
    *runs, source = paths
    if not runs:
        raise RequestError(
            "A run and images to predict are needed.", where="predict", hint="marsseg predict RUN IMAGES --out FOLDER"
        )
    if out is None and submission is None:
        raise RequestError("Nothing would be written.", where="predict", hint="Add --out or --submission.")
    if out is None and (overlay or probabilities):
        raise RequestError("--overlay and --probabilities need --out.", where="predict", hint="Add --out FOLDER.")
    from ..files.atomic import refuse_existing

    for target, option in ((out, "--out"), (submission, "--submission")):
        if target is not None:
            refuse_existing(target, option)
    from ..data.limits import PIXEL_LIMIT
    from ..data.ranges import parse_range
    from ..export.exporters import find_engine
    from ..inference.ensemble import load_networks, open_runs
    from ..inference.image_sources import check_subset, find_source

    check_backend()
    check_subset(subset)
    chosen_range = None if range is None else parse_range(range, "--range")
    folders, classes = open_runs(runs)
    limit = pixel_limit or PIXEL_LIMIT
    session = open_session(plugins=plugin, trust=trust)
    runtime = find_engine(engine, session.catalog)
    images = find_source(source, session, folders, subset=subset, pixel_limit=limit, wanted=chosen_range)
    for line in images.remarks:
        say(line)
    load_keras()
    from ..files.progress import ProgressBar
    from ..inference.outputs import Outputs
    from ..inference.prediction import Summary, predict_source
    from ..inference.submission import new_submission
    from ..networks.predictor import Predictor
    from ..runs.decoding import decoding_of, uses_tta

    decoded = decoding_of(folders, decoding)
    if decoded.offsets:
        say(f"Decoding: {decoded.describe(classes.names)}")
    labels_only = not probabilities and not decoded.offsets
    networks = load_networks(folders, session, runtime)
    tta = uses_tta(folders, tta)
    predictor = Predictor(networks, tta=tta, overlap=tile_overlap, batch=batch, labels_only=labels_only)
    outputs = None if out is None else Outputs(out, classes, overlays=overlay, probabilities=probabilities)
    summary = Summary.empty(len(classes.names))
    try:
        with (
            ProgressBar("Predicting", images.title) as progress,
            nullcontext() if submission is None else new_submission(submission) as rows,
        ):
            predict_source(
                images,
                predictor,
                ignore_classes=() if with_ignored else classes.ignore_classes,
                decoding=decoded,
                outputs=outputs,
                submission=rows,
                summary=summary,
                progress=lambda done: progress(done, len(images)),
            )
    except KeyboardInterrupt:
        say(f"Interrupted: {summary.count} of {len(images)} images were predicted; all files written are complete.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for line in images.afterwards():
        warn(line)
    _print_summary(summary, classes.names)
    for target in filter(None, (out, submission)):
        print_text(f"{target}: {summary.count} images of {images.title}")
    if submission is not None and rows is not None and rows.zeros:
        warn(f"{rows.zeros:,} pixels of the submission are labelled 0 ({classes.names[0]}).")
    if summary.unreadable:
        raise RunError(
            f"{len(summary.unreadable)} of {len(images)} images could not be read.",
            where=images.title,
            hint="The messages above name them; all others are predicted.",
        )


def _print_summary(summary: Summary, names: tuple[str, ...]) -> None:
    shares = summary.pixels / max(summary.pixels.sum(), 1)
    rows = [
        (name, f"{100 * share:.2f} %", str(images))
        for name, share, images in zip(names, shares, summary.images, strict=True)
    ]
    print_table(("class", "pixels", "images"), rows, right=("pixels", "images"))
    print_text()
