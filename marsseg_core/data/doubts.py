"""What makes a training senseless, or its scores: seen in the counts of labels before it begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..conventions import VOID
from .arrays import SegmentationData
from .splits import Split

# A larger share of void is likely a class that was taken for it.
_MUCH_VOID = 0.5


def doubts(data: SegmentationData, split: Split | None) -> list[str]:
    """A sentence for each thing that is likely not meant; with a split, for its training subset as well.

    Looked for: masks of 0 and 255 alone, void on more than half of the pixels, and classes that count and have no
    pixel, in all masks or in the training subset.
    """
    pixels = data.label_counts.sum(axis=0, dtype=np.int64)
    void, total = int(pixels[-1]), int(pixels.sum())
    lines = []
    if void and void + pixels[0] == total:
        lines.append(
            f"The masks hold nothing but 0 and {VOID}, and {VOID} is void: no pixel is left to tell from "
            f"{data.class_names[0]}. Where {VOID} is a class, say binary=true (data sets npz and folder)."
        )
    if void > _MUCH_VOID * total:
        lines.append(f"{100 * void / total:.1f} % of all pixels are void ({VOID}): they count in no loss and no score.")
    nowhere = [c for c in data.labelled_classes if not pixels[c]]
    if nowhere:
        lines.append(f"No mask has a pixel of {_named(data, nowhere)}: are the masks of these classes?")
    if split is not None:
        trained = data.label_counts[split["train"]].sum(axis=0, dtype=np.int64)
        lost = [c for c in data.labelled_classes if pixels[c] and not trained[c]]
        if lost:
            lines.append(f"The training subset has no pixel of {_named(data, lost)}: that cannot be learnt.")
        left = [c for c in data.labelled_classes if trained[c]]
        if len(left) == 1:
            lines.append(f"Of the classes that count, the training subset holds {_named(data, left)} alone.")
    return lines


def _named(data: SegmentationData, classes: Sequence[int]) -> str:
    return ", ".join(f"{data.class_names[c]} ({c})" for c in classes)
