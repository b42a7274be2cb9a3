"""Scores in a few words, as the progress of a run shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marsseg_core.plugin_api import HEADLINE


def scores(record: Mapping[str, Any], best_by: str) -> str:
    """The validation scores of an epoch in a few words: what the best network is kept by, if another, and the headline.

    >>> scores({"val_miou": 0.5, "val_iou_soil": 0.5, "val_dice": 0.667}, "val_dice")
    'dice 0.667  miou 0.500  (soil 0.500)'
    """
    columns = dict.fromkeys((best_by, f"val_{HEADLINE}"))
    first = "  ".join(f"{column.removeprefix('val_')} {number(record.get(column))}" for column in columns)
    classes = [(name.removeprefix("val_iou_"), value) for name, value in record.items() if name.startswith("val_iou_")]
    each = "  ".join(f"{name} {number(value)}" for name, value in classes)
    return f"{first}  ({each})"


def number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
