"""Format scores as short text, for the progress of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from marsseg_core.plugin_api import HEADLINE

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Run


def scores(record: Mapping[str, Any], best_by: str) -> str:
    """Return the validation scores of an epoch as short text: the score `best_by`, the headline metric and the classes.

    >>> scores({"val_miou": 0.5, "val_iou_soil": 0.5, "val_dice": 0.667}, "val_dice")
    'dice 0.667  miou 0.500  (soil 0.500)'
    """
    columns = dict.fromkeys((best_by, f"val_{HEADLINE}"))
    first = "  ".join(f"{column.removeprefix('val_')} {number(record.get(column))}" for column in columns)
    classes = [(name.removeprefix("val_iou_"), value) for name, value in record.items() if name.startswith("val_iou_")]
    each = "  ".join(f"{name} {number(value)}" for name, value in classes)
    return f"{first}  ({each})"


def scores_and_best(record: Mapping[str, Any], run: Run) -> str:
    """Return the validation scores of an epoch as short text, and the epoch of the best so far if that is kept."""
    chosen = run.best_epoch and run.plan.training.keep == "best"
    best = f"; best {run.best_by.removeprefix('val_')} in epoch {run.best_epoch}" if chosen else ""
    return f"{scores(record, run.best_by)}{best}"


def number(value: float | None) -> str:
    """Format a number with 3 decimals; an undefined one is a dash."""
    return "–" if value is None or value != value else f"{value:.3f}"
