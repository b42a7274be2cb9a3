"""Load the best network of a run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..planning.plan import NETWORK_KINDS
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.loading import plugin_errors_named
from ..registry.session import Session
from .startup import check_backend, chosen_backend, start_keras

if TYPE_CHECKING:
    import keras

_logger = get_logger(__name__)


@waiting("Loading the network")
def load(path: str | Path, session: Session) -> keras.Model:
    """Load the best network of a run folder, or of a pack with one run. It predicts logits.

    First imports the modules that define the layers of the architecture and the bottlenecks, then reads the network
    file in Keras' safe mode. The other components of the plan need not be installed. Plugin files in the run folder are
    executed only if the session trusts them.

    Logs a warning if a distribution has another version than in the plan, if Keras uses another backend, or if the
    network file has changed since the run wrote it.
    """
    check_backend()
    folder = RunFolder.open(path)
    if not folder.network.is_file():
        raise folder.without_network()
    plan = resolve(Request(base=str(folder.path)), session, only=NETWORK_KINDS)
    start_keras()
    for line in (*plan.differences, *_backend_warnings(folder), *_changed_file_warnings(folder)):
        _logger.warning(line)
    from .keras_backend.settings import avoid_importing_tensorflow
    from .read import load_network

    avoid_importing_tensorflow()
    for component in (component for kind in NETWORK_KINDS for component in plan.resolved[kind]):
        with plugin_errors_named(component.entry):
            for owner in component.with_inner:
                for module in owner.component.layer_modules:
                    importlib.import_module(module)
    return load_network(folder)


def _backend_warnings(folder: RunFolder) -> list[str]:
    """Return a line if the run was trained with another backend than the current one."""
    trained = folder.read_json(folder.environment).get("backend") if folder.environment.is_file() else None
    current = chosen_backend()
    if trained in (None, current):
        return []
    return [f"The run was trained with {trained}; this is {current}: results differ by rounding only."]


def _changed_file_warnings(folder: RunFolder) -> list[str]:
    """Return a line for each of the network and the split that has changed since the run wrote it."""
    changed = folder.changed(folder.network, folder.split)
    return [
        f"{name} is not as the run wrote it: {folder.title}. Its recorded scores are not those of this network."
        for name in changed
    ]
