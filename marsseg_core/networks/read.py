"""Load a network from a run folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import RequestError
from ..files.contents import other_content
from ..files.regular import check_regular
from ..files.run_folder import RunFolder
from .archive import check_sizes
from .keras_backend.devices import choose_compiler
from .keras_backend.kernels import add_biases_in_float32
from .keras_backend.settings import precision


def load_network(folder: RunFolder) -> keras.Model:
    """Load the best network of a run. The modules of its layers must already be imported.

    Raises RequestError where the file cannot be loaded, or its weights are not finite.
    """
    try:
        check_regular(folder.network)
    except OSError as cause:
        raise RequestError(f"The network cannot be read: {cause.strerror}.", where=str(folder.network)) from cause
    try:
        check_sizes(folder.network)
        with precision():
            network = keras.saving.load_model(folder.network, compile=False)
    except Exception as cause:
        what, hint = _why_unreadable(folder.network, str(cause).strip() or type(cause).__name__)
        raise RequestError(what, where=str(folder.network), hint=hint) from cause
    if broken := [weight.path for weight in network.weights if not np.isfinite(_values(weight)).all()]:
        raise RequestError(
            f"{len(broken)} of {len(network.weights)} weights of the network are not finite, such as {broken[0]}.",
            where=str(folder.network),
            hint="The file is damaged, or the training diverged. The network cannot be used.",
        )
    choose_compiler(network)
    add_biases_in_float32(network)
    return network


def _values(weight: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32")))


def _why_unreadable(path: Path, message: str) -> tuple[str, str | None]:
    """Translate Keras' message on a network that cannot be loaded: what is wrong, and the next step."""
    if content := other_content(path, "network", b"PK"):  # a network is a zip archive
        return content
    if "safe_mode" in message:
        return (
            "The network contains code, which is never executed.",
            "Replace its Lambda layer by a registered custom layer.",
        )
    if re.search(r"Not allowed: H5 file .*(external|ExternalLink|SoftLink|virtual)", message):
        return (
            "The weights of the network are in another file, which is never read.",
            "The file may come from an attacker: its weights would have held a file of this computer. Do not use it.",
        )
    if unknown := re.search(r"Could not locate class '(\w+)'", message):
        hint = "The component must name in layer_modules the module in which this class is registered."
        return f"The network has a layer of the class {unknown[1]}, which is not known.", hint
    return (
        f"The network cannot be read: {message.splitlines()[0]}",
        "If the file is damaged, restore it from a copy, or train again.",
    )
