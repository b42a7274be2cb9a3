"""What losses are given beside the labels: arrays that the input pipeline computes from each mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..conventions import TargetFunction

LABELS: Final = "labels"


def with_targets(masks: np.ndarray, targets: Mapping[str, TargetFunction]) -> Any:
    """Masks (B, H, W) uint8 → the same, or with the array of each loss that wants one, by the loss's name."""
    if not targets:
        return masks
    return {LABELS: masks} | {f"targets_{name}": function(masks) for name, function in targets.items()}


def split_targets(labels: Any) -> tuple[Any, dict[str, Any]]:
    """What `with_targets` gave → the labels, and the targets by the name of their loss."""
    if not isinstance(labels, Mapping):
        return labels, {}
    return labels[LABELS], {name.removeprefix("targets_"): array for name, array in labels.items() if name != LABELS}
