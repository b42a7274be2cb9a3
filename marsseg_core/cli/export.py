"""`marsseg export`: write the network of a run for use without marsseg."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ..components.exports import FLOAT32, OUTPUTS, TOLERANCE
from ..errors import RequestError, nearest
from ..files.waiting import waiting
from ..networks.startup import check_backend
from ..registry.kinds import DATASET, EXPORTER
from ..registry.session import open_session
from .common_options import Plugins, Trust
from .completion import composition, fixed
from .loading import load_keras
from .output import print_json, print_table

_SIZES = ("own", "free")

# Those of the built-in exporters. A plugin may have others.
_PRECISIONS = (FLOAT32, "float16", "bfloat16", "int8")


def export(
    run: Annotated[str, typer.Argument(help="A run folder or a pack.", metavar="RUN", show_default=False)],
    format: Annotated[
        str,
        typer.Option(
            help=EXPORTER.help, metavar=EXPORTER.metavar, autocompletion=composition(EXPORTER), show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new file, or folder.", metavar="PATH", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            help="What the network gives for each pixel: logits, probabilities or labels.",
            metavar="OUTPUT",
            autocompletion=fixed(*OUTPUTS),
        ),
    ] = "logits",
    size: Annotated[
        str,
        typer.Option(
            help="Height and width of the images: own (those of the network), or free, where the network allows it.",
            metavar="own|free",
            autocompletion=fixed(*_SIZES),
        ),
    ] = "own",
    precision: Annotated[
        str,
        typer.Option(
            help="How the file holds numbers: float32, or what the format also has: float16, bfloat16, int8.",
            metavar="PRECISION",
            autocompletion=fixed(*_PRECISIONS),
        ),
    ] = FLOAT32,
    tolerance: Annotated[
        float,
        typer.Option(
            help="By how much the miou on the validation subset may fall, if the precision is not float32.",
            metavar="MIOU",
        ),
    ] = TOLERANCE,
    data: Annotated[
        str | None,
        typer.Option(
            help="Where the data of the run are now. Other precisions than float32 need them.",
            metavar="NAME|PATH",
            autocompletion=composition(DATASET, ".npz"),
        ),
    ] = None,
    plugin: Plugins = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the network of a run for use without marsseg, and check what was written.

    The exported network takes images with the values that image files have. It is loaded in its own runtime, and kept
    only if its outputs on real and random images agree with those of the run's network; on a pack's test image and
    random images where the data cannot be read. With a precision other than float32, it is kept only if the miou on the
    validation subset does not fall by more than the tolerance.
    """
    for value, known, option in ((output, OUTPUTS, "--output"), (size, _SIZES, "--size")):
        if value not in known:
            hint = nearest(value, known, listing="There are")
            raise RequestError(f"'{value}' is not one of its values.", where=option, hint=hint)
    check_backend()
    from ..export.exporters import check_precision, check_target, find_exporter
    from ..files.run_folder import RunFolder
    from ..runs.data import check_data

    session = open_session(plugins=plugin, trust=trust)
    exporter = find_exporter(format, session.catalog)
    check_precision(exporter, precision, tolerance)
    folder = RunFolder.open(run)
    check_target(out, exporter.component)
    if data is not None:
        check_data(data, folder, session)
    load_keras()
    from ..export.export import export_run

    with waiting(f"Writing {out}, and comparing it with the network of {run}", level=logging.INFO):
        exported = export_run(
            folder,
            exporter,
            out,
            session,
            output=output,
            free=size == "free",
            precision=precision,
            tolerance=tolerance,
            data=data,
        )
    agreement, change = exported.agreement, exported.change
    if json:
        print_json(
            path=str(exported.path),
            format=exporter.entry.name,
            output=output,
            precision=precision,
            bytes=exported.bytes,
            images=agreement.images,
            difference=agreement.difference,
            equal_labels=agreement.equal_labels,
            miou=change and change.exported,
            keras_miou=change and change.network,
            milliseconds=1000 * exported.seconds,
            keras_milliseconds=1000 * exported.keras_seconds,
        )
        return
    difference = [] if agreement.difference is None else [("largest difference", f"{agreement.difference:.1e}")]
    scores = [] if change is None else [("miou", f"{change.exported:.4f}"), ("change of miou", f"{change.value:+.4f}")]
    rows = [
        ("path", str(exported.path)),
        ("size", f"{exported.bytes:,} bytes"),
        ("compared images", str(agreement.images)),
        *difference,
        ("equal labels", f"{100 * agreement.equal_labels:.3f} %"),
        *scores,
        ("time per image", f"{1000 * exported.seconds:.2f} ms"),
        ("time per image with Keras", f"{1000 * exported.keras_seconds:.2f} ms"),
    ]
    print_table(("exported", "value"), rows, right=("value",))
