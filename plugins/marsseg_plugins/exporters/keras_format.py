"""A file of Keras that Keras reads without marsseg."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marsseg_core.plugin_api import METADATA_NAME, Exporter, ExportSpec

if TYPE_CHECKING:
    import numpy as np

# The file of Keras' archive with its version; Keras does not read it.
_METADATA: Final = "metadata.json"


@dataclass(frozen=True)
class KerasFile(Exporter):
    """Keras: one file that `keras.saving.load_model` reads where marsseg is not installed, on every backend.

    Layers that Keras does not have are written as Keras' own operations. The metadata are in the archive's
    `metadata.json`, under `marsseg`.
    """

    suffix: ClassVar[str] = ".keras"
    modules: ClassVar[tuple[str, ...]] = ("keras",)
    install: ClassVar[str] = "keras"
    backends: ClassVar[tuple[str, ...]] = ("tensorflow", "jax")

    def write(self, spec: ExportSpec, path: Path) -> None:
        import keras

        from .plain import plain_network

        # A copy, because `plain_network` changes names.
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(spec.network))
        copy.set_weights(spec.network.get_weights())
        plain_network(copy).save(path)
        _check_plain(path)
        _add_metadata(path, spec.metadata)

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        import keras

        network = keras.saving.load_model(path, compile=False)
        return lambda images: network.predict_on_batch(images)

    def metadata(self, path: Path) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_METADATA))[METADATA_NAME]


def _check_plain(path: Path) -> None:
    """Raise ValueError where the file names something that is not of Keras, such as a function of an activation."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    if foreign := sorted(set(_foreign(config))):
        raise ValueError(f"the network uses {', '.join(foreign)}, which Keras does not have")


def _foreign(config: Any) -> Iterator[str]:
    """Yield the modules in a configuration that are not Keras', and registered names, such as "marsseg>Scale"."""
    if isinstance(config, dict):
        module = config.get("module") if "class_name" in config else None
        if module and module.partition(".")[0] not in ("keras", "builtins"):
            yield module
        for value in config.values():
            yield from _foreign(value)
    elif isinstance(config, list):
        for value in config:
            yield from _foreign(value)
    elif isinstance(config, str) and re.fullmatch(r"[\w.]+>\w+", config):
        yield config


def _add_metadata(path: Path, metadata: Any) -> None:
    written = path.with_name(f"{path.stem}-described{path.suffix}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == _METADATA:
                content = json.dumps(json.loads(content) | {METADATA_NAME: metadata}, ensure_ascii=False).encode()
            new.writestr(name, content)
    written.replace(path)
