"""`marsseg predict`: predict the masks of images, with one or several runs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import RequestError, RunError, counted
from ..networks.startup import check_backend
from ..registry.session import open_session
from .common_options import Decoding, Engine, Jobs, On, Plugins, Trust, Tta
from .completion import fixed
from .loading import load_keras
from .map import MapOptions, is_map, predict_map
from .output import EXIT_INTERRUPTED, print_json, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..components.interfaces import Executor
    from ..inference.prediction import Summary


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="One or more run folders or packs, then the images to predict.",
            metavar="RUN… SOURCE",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new folder for the predicted masks, or a file NAME.tif for the map of one image with georeference.",
            metavar="PATH",
        ),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write the images overlaid with the classes in colour.")
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
            help="Images of the network's size to predict at the same time; of larger tiles, as many pixels. "
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
    bands: Annotated[
        str | None,
        typer.Option(
            help="For a map: the bands to read, one or three numbers, counted from 1, as in 3,2,1.", metavar="NUMBERS"
        ),
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Also write a map as polygons, to a new GeoPackage.", metavar="FILE.gpkg")
    ] = None,
    pixel_limit: Annotated[
        int | None, typer.Option(help="Refuse images with more pixels than this.", min=1, metavar="PIXELS")
    ] = None,
    on: On = None,
    jobs: Jobs = None,
    engine: Engine = "keras",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plugin: Plugins = None,
    trust: Trust = False,
) -> None:
    """Predict the masks of an image, a folder of images, or a data set. Several runs are averaged.

    SOURCE is a file, a folder, or a data set as for `--data`. Of a data set, the images without labels are predicted,
    or the labelled ones that `--subset` selects. Images can have any size: large ones are cut into overlapping tiles.

    With `--out NAME.tif`, SOURCE is one image in any format that GDAL reads. It is read and written in blocks, and the
    map has its georeference. If it is killed, the same command continues from the finished blocks.
    """
    *runs, source = paths
    if not runs:
        raise RequestError(
            "A run and images to predict are needed.", where="predict", hint="marsseg predict RUN IMAGES --out FOLDER"
        )
    if out is None and submission is not None and (overlay or probabilities):
        raise RequestError("--overlay and --probabilities need --out.", where="predict", hint="Add --out FOLDER.")
    words: dict[str, Any] = {
        "runs": tuple(runs),
        "source": source,
        "range": range,
        "tta": tta,
        "decoding": decoding,
        "with_ignored": with_ignored,
        "tile_overlap": tile_overlap,
        "batch": batch,
        "engine": engine,
        "plugins": tuple(map(str, plugin or ())),
        "trust": trust,
    }
    if out is None and submission is None:
        from ..inference.request import RunsRequest, check_given

        check_given(RunsRequest(**words))
        raise RequestError("Nothing would be written.", where="predict", hint="Add --out or --submission.")
    if out is not None and is_map(out):
        for given, option in (
            (overlay, "--overlay"),
            (probabilities, "--probabilities"),
            (submission is not None, "--submission"),
            (subset is not None, "--subset"),
        ):
            if given:
                hint = "Leave the option out, or pass a folder: --out FOLDER."
                raise RequestError(f"{option} cannot be used with a map.", where=f"--out {out}", hint=hint)
        predict_map(
            MapOptions(out, vectors, pixel_limit, json),
            bands,
            _executor(on, jobs),
            jobs or 1,
            **words,
        )
        return
    for value, option in ((bands, "--bands"), (vectors, "--vectors")):
        if value is not None:
            raise RequestError(f"{option} is for maps.", where=option, hint="Write one: --out NAME.tif")
    from ..files.atomic import refuse_existing
    from .targets import check_different

    for target, option in ((out, "--out"), (submission, "--submission")):
        if target is not None:
            refuse_existing(target, option)
    check_different(out=out, submission=submission)
    check_backend()
    from ..data.limits import PIXEL_LIMIT
    from ..inference.request import Prediction, PredictionRequest

    executor = _executor(on, jobs)
    request = PredictionRequest(
        **words,
        subset=subset,
        pixel_limit=pixel_limit or PIXEL_LIMIT,
        overlay=overlay,
        probabilities=probabilities,
    )
    prediction = Prediction(request)
    images, classes = prediction.images, prediction.classes
    for line in images.remarks:
        say(line)
    load_keras()
    from ..files.progress import ProgressBar
    from ..inference.outputs import Outputs
    from ..inference.prediction import Summary, predict_source
    from ..inference.spread import SpreadPrediction
    from ..inference.submission import new_submission

    if prediction.decoding.offsets:
        say(f"Decoding: {prediction.decoding.describe(classes.names)}")
    predictor = prediction.predictor
    outputs = None if out is None else Outputs(out, classes, overlays=overlay, probabilities=probabilities)
    summary = Summary.empty(len(classes.names))
    try:
        with (
            ProgressBar("Predicting", images.title) as progress,
            nullcontext() if submission is None else new_submission(submission) as rows,
        ):
            destinations: Any = {
                "outputs": outputs,
                "submission": rows,
                "summary": summary,
                "progress": lambda done: progress(done, len(images)),
            }
            if executor is None:
                predict_source(
                    images,
                    predictor,
                    ignore_classes=prediction.ignore_classes,
                    decoding=prediction.decoding,
                    **destinations,
                )
                remarks = images.afterwards()
            else:
                target = out or submission
                assert target is not None
                remarks = SpreadPrediction(prediction, target, **destinations).run(executor, jobs or 1)
    except KeyboardInterrupt:
        say(f"Interrupted: {summary.count} of {len(images)} images were predicted; all files written are complete.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for line in remarks:
        warn(line)
    if json:
        _print_json(summary, classes.names)
    else:
        _print_summary(summary, classes.names)
        for target in filter(None, (out, submission)):
            print_text(f"{target}: {counted(summary.count, 'image')} of {images.title}")
    if submission is not None and rows is not None and rows.zeros:
        warn(f"{rows.zeros:,} pixels of the submission are labelled 0 ({classes.names[0]}).")
    if summary.unreadable:
        raise RunError(
            f"{len(summary.unreadable)} of {len(images)} images could not be read.",
            where=images.title,
            hint="The messages above name them; all others are predicted.",
        )


def _executor(on: str | None, jobs: int | None) -> Executor | None:
    """Return the executor that --on and --jobs request; None without these options."""
    if on is None and jobs is None:
        return None
    from ..planning.executors import executor_of

    return executor_of(on or "local", open_session())


def _print_json(summary: Summary, names: tuple[str, ...]) -> None:
    counts = zip(names, summary.pixels.tolist(), summary.images.tolist(), strict=True)
    classes = [{"class": name, "pixels": pixels, "images": images} for name, pixels, images in counts]
    print_json(images=summary.count, unreadable=summary.unreadable, classes=classes)


def _print_summary(summary: Summary, names: tuple[str, ...]) -> None:
    shares = summary.pixels / max(summary.pixels.sum(), 1)
    rows = [
        (name, f"{100 * share:.2f} %", str(images))
        for name, share, images in zip(names, shares, summary.images, strict=True)
    ]
    print_table(("class", "pixels", "images"), rows, right=("pixels", "images"))
    print_text()
