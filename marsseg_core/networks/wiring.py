"""Whether two networks compute the same, weights aside."""

from __future__ import annotations

from typing import Any

import keras


def same_wiring(one: keras.Model, other: keras.Model) -> bool:
    """Compare two functional networks by their layers, with the parameters of each, and how these are connected.

    The names of layers do not count: Keras numbers those that have none.
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
