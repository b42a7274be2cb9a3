"""TensorFlow's SavedModel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marsseg_core.plugin_api import INPUT_NAME, METADATA_NAME, Exporter, ExportSpec

if TYPE_CHECKING:
    import numpy as np

# TensorFlow keeps this folder for files of whoever made the SavedModel.
_METADATA: Final = f"assets.extra/{METADATA_NAME}.json"


@dataclass(frozen=True)
class SavedModel(Exporter):
    """SavedModel of TensorFlow: a folder for TensorFlow, TensorFlow Serving and their converters.

    The signature `serving_default` has the input `images` and one output: `logits`, `probabilities` or `labels`. The
    metadata are in `assets.extra/marsseg.json`.
    """

    modules: ClassVar[tuple[str, ...]] = ("tensorflow",)
    install: ClassVar[str] = "tensorflow"

    def write(self, spec: ExportSpec, path: Path) -> None:
        import tensorflow as tf

        from .graph import graph_function

        module = tf.Module()
        module.network = spec.network
        tf.saved_model.save(module, str(path), {"serving_default": graph_function(spec)})
        metadata = path / _METADATA
        metadata.parent.mkdir()
        metadata.write_text(json.dumps(spec.metadata, ensure_ascii=False, indent=2), encoding="utf-8")

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        import tensorflow as tf

        loaded = tf.saved_model.load(str(path))
        function = loaded.signatures["serving_default"]

        def run(images: np.ndarray) -> np.ndarray:
            (output,) = function(**{INPUT_NAME: tf.constant(images)}).values()
            return output.numpy()

        return run

    def metadata(self, path: Path) -> dict[str, Any]:
        return json.loads((path / _METADATA).read_text(encoding="utf-8"))
