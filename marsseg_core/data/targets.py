"""Add target arrays of losses to the labels: the input pipeline computes them from each mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..conventions import TargetFunction

LABELS: Final = "labels"


def with_targets(masks: np.ndarray, targets: Mapping[str, TargetFunction]) -> Any:
    """Return the masks (B, H, W) uint8; if there are targets, a dictionary of the masks and the array of each loss.

    `targets` has the function of each loss that needs an array of its own, by the name of the loss.
    """
    if not targets:
        return masks
    return {LABELS: masks} | {f"targets_{name}": function(masks) for name, function in targets.items()}


def split_targets(labels: Any) -> tuple[Any, dict[str, Any]]:
    """Separate the result of `with_targets` into the labels, and the targets by the name of their loss."""
    if not isinstance(labels, Mapping):
        return labels, {}
    return labels[LABELS], {name.removeprefix("targets_"): array for name, array in labels.items() if name != LABELS}
