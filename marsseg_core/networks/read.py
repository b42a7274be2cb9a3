"""Read a network from a run folder."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np

from ..errors import RequestError
from ..files.run_folder import RunFolder
from .keras_backend import choose_compiler, precision


def load_network(folder: RunFolder) -> keras.Model:
    """The best network of a run, whose layers' modules are already imported. RequestError where it cannot be read."""
    try:
        with precision():
            network = keras.saving.load_model(folder.network, compile=False)
    except Exception as cause:
        what, hint = _why_unreadable(str(cause) or type(cause).__name__)
        raise RequestError(what, where=str(folder.network), hint=hint) from cause
    if broken := [weight.path for weight in network.weights if not np.isfinite(_values(weight)).all()]:
        raise RequestError(
            f"{len(broken)} of {len(network.weights)} weights of the network are not finite, such as {broken[0]}.",
            where=str(folder.network),
            hint="The file is damaged, or the training diverged: what such a network says means nothing.",
        )
    choose_compiler(network)
    return network


def _values(weight: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32")))


def _why_unreadable(said: str) -> tuple[str, str | None]:
    """What Keras says of a network that it cannot read → what is wrong, and the next step."""
    if "safe_mode" in said:
        return "The network carries code, which is never run.", "A Lambda layer is code; a layer of one's own is not."
    if lost := re.search(r"Could not locate class '(\w+)'", said):
        hint = "A component names the modules of its own layers in layer_modules, where they are registered."
        return f"The network has a layer of the class {lost[1]}, which is not known.", hint
    return f"The network cannot be read: {said.strip().splitlines()[0]}", None
