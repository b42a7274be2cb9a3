"""Load the best network of a run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.startup import check_backend, chosen_backend, start_keras
from ..planning.plan import NETWORK_KINDS
from ..planning.resolver import Request, resolve
from ..registry.loading import plugin_errors_named
from ..registry.session import Session

if TYPE_CHECKING:
    import keras

_logger = get_logger(__name__)


def load(path: str | Path, session: Session) -> keras.Model:
    """The best network of a run folder, ready to predict logits.

    Reads the file in Keras' safe mode, after the modules that define the layers of the architecture and the
    bottlenecks: nothing else of the plan needs to be installed. Where they come from a file of which the run keeps a
    copy, that is executed only where the session trusts it. Warns where a version is not that of the plan, the backend
    another one, or the network not as the run wrote it.
    """
    check_backend()
    folder = RunFolder.open(path)
    if not folder.network.is_file():
        raise RequestError("The run ended before its first epoch: it has no network.", where=str(path))
    resolved = resolve(Request(base=str(path)), session, only=NETWORK_KINDS)
    start_keras()
    for line in (*resolved.differences, *_another_backend(folder), *_another_content(folder)):
        _logger.warning(line)
    from ..networks.keras_backend import keep_tensorflow_out
    from ..networks.read import load_network

    keep_tensorflow_out()
    for chosen in (chosen for kind in NETWORK_KINDS for chosen in resolved.resolved[kind]):
        with plugin_errors_named(chosen.entry):
            for module in (module for owner in (chosen, *chosen.nested) for module in owner.component.layer_modules):
                importlib.import_module(module)
    return load_network(folder)


def _another_backend(folder: RunFolder) -> list[str]:
    """A line where the run was trained on another backend than Keras has."""
    trained = folder.read_json(folder.environment).get("backend") if folder.environment.is_file() else None
    now = chosen_backend()
    if trained in (None, now):
        return []
    return [f"The run was trained on {trained}; this is {now}: its network gives the same but for rounding."]


def _another_content(folder: RunFolder) -> list[str]:
    """Where the network or its classes are not as the run wrote them, a line that says so."""
    changed = folder.changed(folder.network, folder.split)
    return [
        f"{name} is not as the run wrote it: {folder.path}. Its scores are not those of this network."
        for name in changed
    ]
