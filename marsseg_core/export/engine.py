"""Let another runtime compute the predictions of a run's network. Its form is made once, and kept in the run folder."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from ..errors import RunError
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.compiled import compute_by
from ..networks.local import locality
from ..planning.invoke import call_component
from ..planning.resolved import ResolvedComponent
from ..registry.session import Session
from ..runs.recorded_data import recorded_scaling
from .description import describe
from .export import write_checked
from .form import Form, in_float32
from .images import compared_images, data_or_none

_logger = get_logger(__name__)


def use_engine(network: keras.Model, folder: RunFolder, engine: ResolvedComponent | None, session: Session) -> None:
    """Compute all predictions with the network of a run by an engine of `find_engine`; None leaves them to Keras.

    Raises RunError where the form that the engine needs cannot be written, or does not compute what the network
    computes.
    """
    if engine is None:
        return
    exporter = engine.component
    path = folder.engines / f"{folder.network_hash()}-{engine.entry.name}{exporter.suffix}"
    if not path.exists():
        try:
            _make(network, folder, engine, path, session)
        except RunError:
            if not path.exists():  # else another process was faster
                raise
    if mixed := {layer.compute_dtype for layer in network.layers} - {"float32"}:
        own = mixed.pop()
        _logger.info(f"{exporter.engine} computes in float32, Keras in {own}: labels of single pixels may differ.")
    function = call_component(engine, exporter.open, path)
    compute_by(network, lambda images: call_component(engine, function, images))


def _make(network: keras.Model, folder: RunFolder, engine: ResolvedComponent, path: Path, session: Session) -> None:
    local = locality(network)
    form = Form(scaled=True, free=local is not None)
    metadata = describe(folder, network, form, recorded_scaling(folder))
    stride = None if local is None else local.stride
    batches = compared_images(network, folder, stride, data_or_none(folder, session))
    images = [form.taken(batch) for batch in batches]
    name = engine.component.engine
    with waiting(f"Writing {path}, which {name} needs, and comparing it with the network", level=logging.INFO):
        made = write_checked(engine, in_float32(network), form, metadata, path, images)
    _logger.info(f"{name} takes {1000 * made.seconds:.2f} ms for one image, Keras {1000 * made.keras_seconds:.2f} ms.")
