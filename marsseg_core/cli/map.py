"""`marsseg predict … --out NAME.tif`: the map of one image with georeference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from ..errors import RequestError
from ..networks.startup import check_backend
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_json, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..components.interfaces import Executor
    from ..data.raster import Raster
    from ..inference.maps.prediction import MapSummary
    from ..inference.maps.request import MapPrediction

_SUFFIXES: Final = (".tif", ".tiff")


def is_map(out: Path) -> bool:
    """Return whether a path of `--out` asks for a map."""
    return out.suffix.lower() in _SUFFIXES


@dataclass(frozen=True)
class MapOptions:
    """Hold the options of `marsseg predict` that a map takes, other than what its labels depend on."""

    out: Path
    vectors: Path | None
    pixel_limit: int | None
    json: bool


def predict_map(options: MapOptions, bands: str | None, executor: Executor | None, jobs: int, **words: Any) -> None:
    """Predict a map, or go on with its finished blocks, and print what it holds.

    Without an executor, this process predicts. `words` are values of a `MapRequest`.
    """
    from ..files.atomic import refuse_existing
    from ..inference.maps.request import MapPrediction, MapRequest, parse_bands
    from ..inference.maps.vectors import check_vectors
    from ..inference.preparing import preparing

    for target in (options.out, _names_file(options.out)):
        refuse_existing(target)
    if options.vectors is not None:
        refuse_existing(options.vectors, "--vectors")
    check_backend()
    if not Path(words["source"]).is_file():
        hint = "A map is made of one image file. For a folder or a data set, write masks: --out FOLDER."
        raise RequestError("There is no such file.", where=words["source"], hint=hint)
    request = MapRequest(bands=None if bands is None else parse_bands(bands), **words)
    with MapPrediction(request) as prediction:
        raster = prediction.raster
        _check_size(raster, options.pixel_limit)
        if options.vectors is not None:
            check_vectors(options.vectors, raster.dataset)
        prediction.scale()
        for line in raster.remarks():
            say(line)
        _, preparation = preparing(prediction.folders, prediction.session)
        if preparation:
            warn(f"For the training, {preparation}. A map keeps its scale, which the network may not know.")
        load_keras()
        summary = _predicted(prediction, options, executor, jobs)
        for line in raster.doubts():
            warn(line)
    names = prediction.classes.names
    if options.json:
        print_json(**_as_json(summary, names))
    else:
        _print_summary(summary, names)
        height, width = prediction.size
        print_text(f"{options.out}: {height:,} × {width:,} pixels of {request.source}")
    if summary.body is None:
        warn("The image has no coordinate reference system with a grid: the areas of the classes are not known.")
    if summary.outside:
        warn(f"{summary.outside:,} pixels lie outside the body in this projection, and have no area.")


def _predicted(prediction: MapPrediction, options: MapOptions, executor: Executor | None, jobs: int) -> MapSummary:
    """Predict the blocks that are not there yet, and write the map and its polygons."""
    from ..files.progress import ProgressBar
    from ..inference.maps.parts import open_parts
    from ..inference.maps.prediction import predict_blocks, write_map
    from ..inference.maps.spread import spread_blocks
    from ..inference.maps.vectors import write_vectors
    from ..inference.prediction import CONVERTED

    raster, classes, channels = prediction.raster, prediction.classes, prediction.predictor.channels
    if prediction.decoding.offsets:
        say(f"Decoding: {prediction.decoding.describe(classes.names)}")
    if channels != len(raster.bands):
        say(f"{raster.path.name}: {CONVERTED[channels]}")
    with open_parts(options.out, prediction.size, prediction.record()) as parts:
        if done := parts.done():
            say(f"{done} of {parts.count} blocks of this map are finished already, in {parts.folder}.")
        height = prediction.size[0]
        before = height - sum(map(parts.height, parts.missing()))
        try:
            with ProgressBar("Predicting", str(prediction.request.source)) as bar:

                def progress(rows: int) -> None:
                    bar(before + rows, height)

                if executor is None:
                    predict_blocks(prediction, parts, progress=progress)
                else:
                    spread_blocks(prediction, parts, executor, jobs, progress=progress)
        except KeyboardInterrupt:
            say(
                f"Interrupted: {parts.done()} of {parts.count} blocks are finished, in {parts.folder}. "
                "Repeat the command to continue from them."
            )
            raise typer.Exit(EXIT_INTERRUPTED) from None

        def with_vectors(whole_map: Path) -> None:
            if options.vectors is not None:
                polygons = write_vectors(options.vectors, whole_map, classes.names)
                say(f"{options.vectors}: {polygons:,} polygons")

        return write_map(options.out, raster, parts, classes, with_vectors)


def _names_file(out: Path) -> Path:
    return out.with_name(f"{out.name}.aux.xml")


def _check_size(raster: Raster, limit: int | None) -> None:
    height, width = raster.shape[:2]
    if limit is not None and height * width > limit:
        raise RequestError(
            f"This image has {height:,} × {width:,} pixels, more than the limit of {limit:,} in all.",
            where=str(raster.path),
            hint="Leave out --pixel-limit: memory does not grow with the height of a map.",
        )


def _as_json(summary: MapSummary, names: Sequence[str]) -> dict[str, Any]:
    areas = [None] * len(names) if summary.body is None else summary.square_metres.tolist()
    body = summary.body and {
        "name": summary.body.name,
        "semi_major_axis": summary.body.major,
        "semi_minor_axis": summary.body.minor,
    }
    classes = [
        {"class": name, "pixels": pixels, "square_metres": area}
        for name, pixels, area in zip(names, summary.pixels.tolist(), areas, strict=True)
    ]
    return {"classes": classes, "void": summary.void, "outside": summary.outside, "ellipsoid": body}


def _metres(area: float) -> str:
    return f"{area:,.0f}" if area >= 1000 else f"{area:.4g}"


def _print_summary(summary: MapSummary, names: Sequence[str]) -> None:
    pixels = summary.pixels
    by_pixels, by_area = (100 * each / max(each.sum(), 1e-9) for each in (pixels, summary.square_metres))
    measured = summary.body is not None
    rows = [
        (
            name,
            f"{pixels[c]:,}",
            f"{by_pixels[c]:.2f} %",
            *((_metres(summary.square_metres[c]), f"{by_area[c]:.2f} %") if measured else ()),
        )
        for c, name in enumerate(names)
    ]
    areas = ("square metres", "share of area") if measured else ()
    columns = ("pixels", "share of pixels", *areas)
    print_table(("class", *columns), rows, right=columns)
    print_text()
    if summary.void:
        print_text(f"void: {summary.void:,} pixels without data")
    if summary.body is not None:
        body = summary.body
        print_text(f"areas on {body.name}: semi-axes {body.major:,.10g} m and {body.minor:,.10g} m")
