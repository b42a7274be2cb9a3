"""Quantise a model of ONNX to whole numbers of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static

from marsseg_core.plugin_api import INPUT_NAME

# These have nearly all weights and take nearly all the time. Others, such as softmax and normalisation, lose much.
_WEIGHTED: Final = ["Conv", "ConvTranspose", "Gemm", "MatMul"]

# With these, a map stays uint8 from one of the former to the next, and its range is that after the activation.
_BETWEEN: Final = ["Relu", "Clip", "MaxPool", "Concat", "Resize", "Transpose", "Reshape", "Squeeze", "Unsqueeze"]


def quantised(model: Any, images: Sequence[np.ndarray]) -> Any:
    """Return a model with weights of int8, one range per channel, and maps of uint8 by the ranges for these images."""
    with TemporaryDirectory() as folder:
        # Given a model and not a file, `quant_pre_process` loses its constants.
        given, prepared, written = (Path(folder, f"{name}.onnx") for name in ("given", "prepared", "int8"))
        onnx.save(model, given)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            written,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_WEIGHTED, *_BETWEEN],
            per_channel=True,
            reduce_range=True,  # else sums may be cut off on processors without VNNI, and the scores change
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(written)


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Give the images to ONNX Runtime one by one."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self._inputs: Iterator[dict[str, np.ndarray]] = ({INPUT_NAME: image[None]} for image in images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)
