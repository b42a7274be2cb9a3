"""Run a file of LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from marsseg_core.plugin_api import native_output_hidden, processors


class Runtime:
    """Call a network for batches of any size. LiteRT prepares its memory again where the size changes."""

    def __init__(self, path: Path) -> None:
        with native_output_hidden():  # LiteRT announces its delegate
            self._interpreter = Interpreter(str(path), num_threads=processors())
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the output of the network for images (B, H, W, C)."""
        if images.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, images.shape)
            with native_output_hidden():
                self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input, images)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)
