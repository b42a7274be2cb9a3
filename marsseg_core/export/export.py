"""Write the network of a run for use without marsseg. Nothing is written that does not agree with the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..components.exports import FLOAT32, TOLERANCE, ExportSpec
from ..errors import RunError
from ..files.atomic import atomic_folder, atomic_write
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.load import load
from ..planning.invoke import call_component
from ..planning.resolved import ResolvedComponent
from ..registry.session import Session
from ..runs.decoding import recorded_decoding, uses_tta
from ..runs.recorded_data import recorded_scaling
from .agreement import LARGEST_DIFFERENCE, LEAST_EQUAL, Agreement, Function, compare, seconds
from .description import describe
from .form import Form, in_float32, stride_of
from .images import compared_images, data_of, data_or_none
from .quantised import Change, Quantisation, quantisation

_logger = get_logger(__name__)


@dataclass(frozen=True)
class Exported:
    """What was written, and what was measured before it counted.

    Attributes:
        path: the file or folder
        bytes: its size
        agreement: how far its output agrees with the network's
        change: how its `miou` changes; None in float32, where the agreement says it
        seconds: the time of its runtime for one image
        keras_seconds: the time of marsseg for one image, with Keras
    """

    path: Path
    bytes: int
    agreement: Agreement
    change: Change | None
    seconds: float
    keras_seconds: float


def export_run(
    folder: RunFolder,
    exporter: ResolvedComponent,
    path: Path,
    session: Session,
    *,
    output: str,
    free: bool,
    precision: str = FLOAT32,
    tolerance: float = TOLERANCE,
    data: str | None = None,
) -> Exported:
    """Write the network of a run, with its preprocessing, after `check_target` and `check_precision`.

    Args:
        folder: the run
        exporter: the exporter
        path: the new file or folder
        session: the catalog of installed components
        output: "logits", "probabilities" or "labels"
        free: whether the height and width of images are free
        precision: one of the exporter's precisions
        tolerance: by how much the `miou` may fall in another precision than float32
        data: where the data of the run are now, as `--data` names them; None: as its plan says. Without them, float32
            of a pack is compared on other images.

    Raises:
        RequestError: the network does not allow free sizes, or the data of the run are needed and cannot be read or are
            too few
        PluginError: the exporter failed
        RunError: what was written does not agree with the network, so nothing was kept
    """
    network = in_float32(load(folder.path, session))
    form = _form_of(folder, output, free)
    stride = stride_of(network) if free else None
    quantised = None
    if precision == FLOAT32 and data is None and folder.of_pack:  # a pack has a real image of its own
        own = data_or_none(folder, session)
    else:
        own = data_of(folder, session, data)
        quantised = quantisation(
            precision,
            *own,
            tolerance,
            where=f"--precision {precision}",
            hint="Use another precision or format, or a larger --tolerance.",
        )
    metadata = describe(folder, network, form, recorded_scaling(folder)) | {"precision": precision}
    images = [form.taken(batch) for batch in compared_images(network, folder, stride, own)]
    return write_checked(exporter, network, form, metadata, path, images, quantised)


def _form_of(folder: RunFolder, output: str, free: bool) -> Form:
    """Return the form of a run's network. Logs what the run does that the form does not."""
    _, ignored = folder.classes()
    scaling = recorded_scaling(folder) if "scaling" in folder.read_split() else None
    if scaling is not None and scaling.per == "image":
        _logger.warning(
            f"The exported network takes uint8 images that are scaled already: in this run, {scaling}, which no format "
            "can hold."
        )
        scaling = None
    if uses_tta([folder], None):
        _logger.warning("The run averages over flipped copies of an image. The exported network does not.")
    decoding = recorded_decoding(folder)
    return Form(output, scaling, free=free, ignore_classes=ignored, decoding=decoding)


def write_checked(
    exporter: ResolvedComponent,
    network: keras.Model,
    form: Form,
    metadata: dict[str, Any],
    path: Path,
    images: Iterable[np.ndarray],
    quantised: Quantisation | None = None,
) -> Exported:
    """Write a network in a form, load it in its own runtime, and keep it only if it computes the same.

    In float32 this means that it agrees on these images, in another precision that its `miou` falls by little.
    """
    spec = ExportSpec(form.build(network), form.output, metadata)
    if quantised is not None:
        calibration = quantised.calibration(network, form)
        spec = replace(spec, precision=quantised.precision, calibration=calibration)
    images = list(images)
    with _new(path, exporter.component.suffix) as temporary:
        call_component(exporter, exporter.component.write, spec, temporary)
        exported: Function = call_component(exporter, exporter.component.open, temporary)
        agreement = call_component(exporter, compare, network, form, exported, images)
        change = None
        if quantised is None:
            _check(agreement, exporter)
        else:
            change = call_component(exporter, quantised.change, network, form, exported)
            quantised.check(change, exporter)
        one = images[0][:1]
        return Exported(
            path,
            _size(temporary),
            agreement,
            change,
            seconds(exported, one),
            seconds(form.reference(network), one),
        )


@contextmanager
def _new(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a temporary file or folder that becomes `path` if the block raises no error."""
    with (atomic_write if suffix else atomic_folder)(path) as temporary:
        yield temporary


def _check(agreement: Agreement, exporter: ResolvedComponent) -> None:
    if agreement.sufficient:
        return
    difference = agreement.difference
    by = (
        ""
        if difference is None
        else f"by up to {difference:.1e} of the largest output (at most {LARGEST_DIFFERENCE}), "
    )
    raise RunError(
        f"What the {exporter.entry.label} wrote does not compute what the network computes: its outputs differ {by}"
        f"and {100 * agreement.equal_labels:.3f} % of the labels are equal (at least {100 * LEAST_EQUAL:.2f} %).",
        hint="Nothing was kept. Export in another format.",
    )


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
