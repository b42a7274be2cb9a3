"""Let another runtime compute the predictions of a run's network. Its form is made once, and kept in the run folder."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from ..components.exports import FLOAT32, TOLERANCE
from ..errors import RunError
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.compiled import compute_by
from ..networks.local import locality
from ..planning.invoke import call_component
from ..registry.session import Session
from ..runs.recorded_data import recorded_scaling
from .description import describe
from .export import write_checked
from .exporters import Engine
from .form import Form, in_float32
from .images import compared_images, data_of, data_or_none
from .quantised import quantisation

_logger = get_logger(__name__)


def use_engine(network: keras.Model, folder: RunFolder, engine: Engine | None, session: Session) -> None:
    """Compute all predictions with the network of a run by an engine of `find_engine`; None leaves them to Keras.

    Raises RunError where the form that the engine needs cannot be written, does not compute what the network computes
    or, in another precision than float32, scores worse. Raises RequestError where that precision needs the data of the
    run, and they cannot be read.
    """
    if engine is None:
        return
    exporter = engine.exporter.component
    precision = "" if engine.precision == FLOAT32 else f"-{engine.precision}"
    path = folder.engines / f"{folder.network_hash()}-{engine.exporter.entry.name}{precision}{exporter.suffix}"
    if not path.exists():
        try:
            _make(network, folder, engine, path, session)
        except RunError:
            if not path.exists():  # else another process was faster
                raise
    own = next((layer.compute_dtype for layer in network.layers if layer.compute_dtype != FLOAT32), FLOAT32)
    if own != engine.precision:
        _logger.info(
            f"{exporter.engine} computes in {engine.precision}, Keras in {own}: labels of single pixels may differ."
        )
    function = call_component(engine.exporter, exporter.open, path)
    compute_by(network, lambda images: call_component(engine.exporter, function, images))


def _make(network: keras.Model, folder: RunFolder, engine: Engine, path: Path, session: Session) -> None:
    local = locality(network)
    form = Form(scaled=True, free=local is not None)
    metadata = describe(folder, network, form, recorded_scaling(folder)) | {"precision": engine.precision}
    stride = None if local is None else local.stride
    name, quantised = engine.exporter.component.engine, None
    if engine.precision == FLOAT32:
        own = data_or_none(folder, session)
    else:
        hint = f"What {engine.precision} costs is measured on them. Without them, use --engine {name}, in float32."
        own = data_of(folder, session, hint=hint)
        where, hint = f"--engine {name}:precision={engine.precision}", f"Use --engine {name}, in float32."
        quantised = quantisation(engine.precision, *own, TOLERANCE, where=where, hint=hint)
    images = [form.taken(batch) for batch in compared_images(network, folder, stride, own)]
    with waiting(f"Writing {path}, which {name} needs, and comparing it with the network", level=logging.INFO):
        made = write_checked(engine.exporter, in_float32(network), form, metadata, path, images, quantised)
    if made.change is not None:
        _logger.info(f"In {engine.precision}, miou changes by {made.change.value:+.4f} on the validation subset.")
    _logger.info(f"{name} takes {1000 * made.seconds:.2f} ms for one image, Keras {1000 * made.keras_seconds:.2f} ms.")
