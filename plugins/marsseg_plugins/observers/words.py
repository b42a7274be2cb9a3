"""Scores in a few words, as the progress of a run shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scores(record: Mapping[str, Any]) -> str:
    """The validation scores of an epoch in a few words."""
    classes = [(name.removeprefix("val_iou_"), value) for name, value in record.items() if name.startswith("val_iou_")]
    each = "  ".join(f"{name} {number(value)}" for name, value in classes)
    return f"miou {number(record['val_miou'])}  ({each})"


def number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
