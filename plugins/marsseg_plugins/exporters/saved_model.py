"""TensorFlow's SavedModel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marsseg_core.plugin_api import METADATA_NAME, Exporter, ExportSpec

if TYPE_CHECKING:
    import numpy as np

# TensorFlow keeps this folder for files of whoever made the SavedModel.
_METADATA: Final = f"assets.extra/{METADATA_NAME}.json"


@dataclass(frozen=True)
class SavedModel(Exporter):
    """SavedModel: a folder for TensorFlow, TensorFlow Serving and their converters.

    The signature `serving_default` has the input `images` and one output: `logits`, `probabilities` or `labels`. The
    metadata are in `assets.extra/marsseg.json`.
    """

    modules: ClassVar[tuple[str, ...]] = ("tensorflow",)
    install: ClassVar[str] = "tensorflow"

    def write(self, spec: ExportSpec, path: Path) -> None:
        from .graph import write_saved_model

        write_saved_model(spec, path)
        metadata = path / _METADATA
        metadata.parent.mkdir()
        metadata.write_text(json.dumps(spec.metadata, ensure_ascii=False, indent=2), encoding="utf-8")

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        from .graph import open_saved_model

        return open_saved_model(path)

    def metadata(self, path: Path) -> dict[str, Any]:
        return json.loads((path / _METADATA).read_text(encoding="utf-8"))
