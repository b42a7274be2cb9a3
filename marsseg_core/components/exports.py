"""What an exporter is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import keras

INPUT_NAME: Final = "images"
"""Name the input of an exported network."""

METADATA_NAME: Final = "marsseg"
"""Name the entry of an exported network's metadata that holds its description, as JSON."""

OUTPUTS: Final = ("logits", "probabilities", "labels")
"""What an exported network can compute for each pixel."""


@dataclass(frozen=True)
class ExportSpec:
    """Describe what an exporter writes.

    Attributes:
        network: The network with everything that is done to an image before it and to its logits after it. It has one
            input, the images (B, H, W, C), and one output, (B, H, W, K) float32 or labels (B, H, W) uint8. It computes
            in float32. B is free; H and W are free where the network allows it.
        output: The name of the output, one of "logits", "probabilities" and "labels".
        metadata: The description that the file holds: values of JSON.
    """

    network: keras.Model
    output: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
