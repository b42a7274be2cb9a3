"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import keras
    import numpy as np

INPUT_NAME: Final = "images"
"""Name the input of an exported network."""

METADATA_NAME: Final = "marsseg"
"""Name the entry of an exported network's metadata that holds its description, as JSON."""

OUTPUTS: Final = ("logits", "probabilities", "labels")
"""What an exported network can compute for each pixel."""

FLOAT32: Final = "float32"
"""The precision that each exporter can write."""

TOLERANCE: Final = 0.01
"""By how much the `miou` of a network in another precision may fall, if nothing else is asked."""


@dataclass(frozen=True)
class ExportSpec:
    """Describe what an exporter writes.

    Attributes:
        network: The network with everything that is done to an image before it and to its logits after it. It has one
            input, the images (B, H, W, C), and one output, (B, H, W, K) float32 or labels (B, H, W) uint8. It computes
            in float32. B is free; H and W are free where the network allows it.
        output: The name of the output, one of "logits", "probabilities" and "labels".
        metadata: The description that the file holds: values of JSON.
        precision: How the file holds and computes numbers: one of the exporter's `precisions`.
        calibration: Images (H, W, C) of the training subset, as the network takes them, from which ranges of values
            can be measured. Empty for float32.
    """

    network: keras.Model
    output: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    precision: str = FLOAT32
    calibration: Sequence[np.ndarray] = ()
