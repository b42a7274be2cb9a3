"""`marsseg predict … --out NAME.tif`: the map of one image with georeference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from ..errors import RequestError
from ..networks.startup import check_backend
from ..registry.session import Session
from .loading import load_keras
from .output import EXIT_INTERRUPTED, print_json, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..inference.maps.prediction import MapSummary
    from ..inference.maps.raster import Raster

_SUFFIXES: Final = (".tif", ".tiff")


def is_map(out: Path) -> bool:
    """Return whether a path of `--out` asks for a map."""
    return out.suffix.lower() in _SUFFIXES


@dataclass(frozen=True)
class MapRequest:
    """Hold the options of `marsseg predict` that a map takes, as the user gave them."""

    runs: Sequence[str]
    source: str
    out: Path
    bands: str | None
    range: str | None
    pixel_limit: int | None
    tta: bool | None
    decoding: str
    with_ignored: bool
    tile_overlap: float | None
    batch: int | None
    vectors: Path | None
    engine: str
    json: bool


def predict_map(request: MapRequest, session: Session) -> None:
    """Predict a map, or go on with its finished blocks, and print what it holds."""
    from ..data.ranges import Range, parse_range
    from ..export.exporters import find_engine
    from ..files.atomic import refuse_existing
    from ..inference.ensemble import open_runs, scaling_of
    from ..inference.maps.raster import Raster, parse_bands
    from ..inference.maps.vectors import check_vectors, write_vectors

    for target in (request.out, _names_file(request.out)):
        refuse_existing(target)
    if request.vectors is not None:
        refuse_existing(request.vectors, "--vectors")
    bands = None if request.bands is None else parse_bands(request.bands)
    wanted = None if request.range is None else parse_range(request.range, "--range")
    check_backend()
    folders, classes = open_runs(request.runs)
    engine = find_engine(request.engine, session.catalog)
    with Raster(Path(request.source), bands) as raster:
        _check_size(raster, request.pixel_limit)
        if request.vectors is not None:
            check_vectors(request.vectors, raster.dataset)
        raster.scale(wanted or Range.of(scaling_of(folders)))
        for line in raster.remarks():
            say(line)
        load_keras()
        from ..files.progress import ProgressBar
        from ..inference.ensemble import load_networks
        from ..inference.maps.parts import open_parts
        from ..inference.maps.prediction import predict_blocks, write_map
        from ..inference.prediction import CONVERTED
        from ..networks.predictor import Predictor
        from ..runs.decoding import decoding_of, uses_tta

        decoded = decoding_of(folders, request.decoding)
        if decoded.offsets:
            say(f"Decoding: {decoded.describe(classes.names)}")
        tta = uses_tta(folders, request.tta)
        predictor = Predictor(
            load_networks(folders, session, engine),
            tta=tta,
            overlap=request.tile_overlap,
            batch=request.batch,
            labels_only=not decoded.offsets,
        )
        if predictor.channels != len(raster.bands):
            say(f"{raster.path.name}: {CONVERTED[predictor.channels]}")
        height, width = raster.shape[:2]
        record = {
            "image": raster.files(),
            "bands": raster.bands,
            "range": raster.scaling,
            "runs": [folder.network_hash() for folder in folders],
            "tta": tta,
            "decoding": decoded.offsets,
            "with_ignored": request.with_ignored,
            "tile_overlap": request.tile_overlap,
            "batch": predictor.pixels,
            "engine": request.engine,
        }
        with open_parts(request.out, (height, width), record) as parts:
            if done := parts.done():
                say(f"{done} of {parts.count} blocks of this map are finished already, in {parts.folder}.")
            try:
                with ProgressBar("Predicting", str(request.source)) as progress:
                    predict_blocks(
                        raster,
                        predictor,
                        parts,
                        ignore_classes=() if request.with_ignored else classes.ignore_classes,
                        decoding=decoded,
                        progress=lambda rows: progress(rows, height),
                    )
            except KeyboardInterrupt:
                say(
                    f"Interrupted: {parts.done()} of {parts.count} blocks are finished, in {parts.folder}. "
                    "Repeat the command to go on with them."
                )
                raise typer.Exit(EXIT_INTERRUPTED) from None

            def with_vectors(whole_map: Path) -> None:
                if request.vectors is not None:
                    polygons = write_vectors(request.vectors, whole_map, classes.names)
                    say(f"{request.vectors}: {polygons:,} polygons")

            summary = write_map(request.out, raster, parts, classes, with_vectors)
        for line in raster.doubts():
            warn(line)
    if request.json:
        print_json(**_as_json(summary, classes.names))
    else:
        _print_summary(summary, classes.names)
        print_text(f"{request.out}: {height:,} × {width:,} pixels of {request.source}")
    if summary.body is None:
        warn("The image has no coordinate reference system with a grid: the areas of the classes are not known.")
    if summary.outside:
        warn(f"{summary.outside:,} pixels lie outside the body in this projection, and have no area.")


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
