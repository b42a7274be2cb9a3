"""LiteRT, formerly TensorFlow Lite, for small devices."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from marsseg_core.plugin_api import METADATA_NAME, Exporter, ExportSpec

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class LiteRT(Exporter):
    """LiteRT, formerly TensorFlow Lite: one file for phones and small devices.

    It uses LiteRT's own operations only. For several images, call `resize_tensor_input` first. The metadata are the
    entry `marsseg` of the file's metadata, as JSON.
    """

    suffix: ClassVar[str] = ".tflite"
    engine: ClassVar[str] = "litert"
    modules: ClassVar[tuple[str, ...]] = ("tensorflow", "ai_edge_litert")
    install: ClassVar[str] = "marsseg[litert]"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16", "int8")

    def write(self, spec: ExportSpec, path: Path) -> None:
        from .graph import lite_content
        from .litert_metadata import with_metadata

        # TensorFlow advises to pass the owner of the variables. They would then not become constants, and LiteRT would
        # compute with variables that nothing has set.
        logging.getLogger("absl").setLevel(logging.ERROR)
        content = lite_content(spec)
        path.write_bytes(with_metadata(content, METADATA_NAME, json.dumps(spec.metadata).encode()))

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        from .litert_runtime import Runtime

        return Runtime(path)

    def metadata(self, path: Path) -> dict[str, Any]:
        from .litert_metadata import metadata_of

        return json.loads(metadata_of(path.read_bytes(), METADATA_NAME))
