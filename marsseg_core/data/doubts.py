"""Find labels that make training or scores useless, from the pixel counts of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..conventions import VOID
from ..errors import RequestError, some
from .arrays import SegmentationData
from .split import Split

# A larger share of void pixels probably means that a class was read as void.
_MUCH_VOID = 0.5

# How many classes a warning names.
_MOST_NAMES = 8

# How people call pixels without a label, beside marsseg's own word "void". "Void" in other letters is not it either.
_NO_LABEL = frozenset(
    {"unlabelled", "unlabeled", "not labelled", "not labeled", "void", "ignore", "ignored", "unknown", "none"}
    | {"nodata", "no data", "undefined"}
)


def doubts(data: SegmentationData, split: Split | None) -> list[str]:
    """Return a warning for each likely mistake in the labels; with a split, also in its training subset.

    The mistakes are: masks with only the values 0 and 255, more than half of the pixels void, classes whose names say
    that they are none, classes without a pixel in all masks or in the training subset, a training subset with a single
    class, classes of the training subset without a pixel in the validation subset, and a test subset without a labelled
    pixel. Ignored classes are left out.
    """
    pixels = data.label_counts.sum(axis=0, dtype=np.int64)
    void, total = int(pixels[-1]), int(pixels.sum())
    lines = []
    if void and void + pixels[0] == total:
        lines.append(
            f"The masks hold only 0 and {VOID}, and {VOID} is void: {data.class_names[0]} is the only class. "
            f"If {VOID} is a class, set binary=true (data sets npz and folder)."
        )
    if void > _MUCH_VOID * total:
        lines.append(f"{100 * void / total:.1f} % of all pixels are void ({VOID}): losses and metrics ignore them.")
    for c in data.labelled_classes:
        if pixels[c] and data.class_names[c].casefold().replace("_", " ").replace("-", " ").strip() in _NO_LABEL:
            lines.append(
                f"{_names(data, [c])} counts as a class, with {100 * pixels[c] / total:.1f} % of all pixels. If these "
                f"are pixels without a label, call it void in the class file, or set ignore_classes={c}."
            )
    missing = [c for c in data.labelled_classes if not pixels[c]]
    if missing:
        lines.append(f"No mask has a pixel of {_names(data, missing)}: do the classes match the masks?")
    if split is not None:
        trained_pixels = data.label_counts[split["train"]].sum(axis=0, dtype=np.int64)
        untrained = [c for c in data.labelled_classes if pixels[c] and not trained_pixels[c]]
        if untrained:
            lines.append(f"The training subset has no pixel of {_names(data, untrained)}: this cannot be learnt.")
        trained = [c for c in data.labelled_classes if trained_pixels[c]]
        if len(trained) == 1:
            lines.append(f"The training subset has pixels of a single class: {_names(data, trained)}.")
        chosen_by = data.label_counts[split["validation"]].sum(axis=0, dtype=np.int64)
        if unseen := [c for c in trained if not chosen_by[c]]:
            lines.append(
                f"The validation subset has no pixel of {_names(data, unseen)}: how well this is learnt does not count "
                "when the best network is chosen."
            )
        if not _is_labelled(data, split["test"]):
            lines.append("The test subset has no labelled pixel: it gives no scores.")
    return lines


def check_validation(data: SegmentationData, split: Split) -> None:
    """Raise RequestError where the validation subset has no labelled pixel: no score could choose the best network."""
    if not _is_labelled(data, split["validation"]):
        raise RequestError(
            "No pixel of the validation subset has a class that is not ignored, so it cannot choose the best network.",
            where=data.source,
            hint="Choose another split: `marsseg data inspect` shows its subsets, `marsseg run --help` its options.",
        )


def _is_labelled(data: SegmentationData, items: np.ndarray) -> bool:
    return bool(data.label_counts[items][:, list(data.labelled_classes)].any())


def _names(data: SegmentationData, classes: Sequence[int]) -> str:
    return some([f"{data.class_names[c]} ({c})" for c in classes], _MOST_NAMES)
