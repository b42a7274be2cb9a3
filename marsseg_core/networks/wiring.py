"""Compare the structure of two networks, without their weights."""

from __future__ import annotations

from typing import Any

import keras


def same_wiring(one: keras.Model, other: keras.Model) -> bool:
    """Return whether two functional networks have the same layers, with the same parameters and connections.

    The names of layers are ignored, since Keras numbers layers that have no name.
    """
    return bool(_wiring(one) == _wiring(other))


def _wiring(network: keras.Model) -> Any:
    config = keras.saving.serialize_keras_object(network)["config"]
    numbers = {layer["name"]: number for number, layer in enumerate(config["layers"])}
    numbers[config["name"]] = -1

    def numbered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: numbered(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [numbered(item) for item in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    return numbered(config)
