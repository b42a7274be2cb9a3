"""Which classes a data set of files has, which of them are ignored, and masks of 0 and 255."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from marsseg_core.plugin_api import VOID, get_logger

from .mars import MARS_CLASSES
from .values import Ignored

BACKGROUND: Final = "background"


def ignored_classes(source: str, names: Sequence[str] | None, ignore_classes: Ignored) -> tuple[int, ...]:
    """The ignored classes of these names, None where names are none's; one that is ignored for its name is told."""
    if ignore_classes is None:
        return ()
    if isinstance(ignore_classes, tuple):
        return ignore_classes
    found = tuple(
        index
        for index, name in enumerate(names or ())
        if name == BACKGROUND or (ignore_classes == "background" and name.casefold() == BACKGROUND)
    )
    # Of Mars terrain everybody knows.
    if found and names != MARS_CLASSES:
        called = ", ".join(f"'{(names or ())[index]}' ({index})" for index in found)
        get_logger(__name__).warning(
            "%s: the class %s is ignored: it counts in no loss and no score. With ignore_classes=none it counts.",
            source,
            called,
        )
    return found


def binary_ids(values: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Values 0 and 255, or 0 and 1, → ids 0 and 1; and a value that is neither, None where there is none."""
    highest = VOID if values.max(initial=0) > 1 else 1
    ids = (values > 0).astype(np.uint8)
    other = values[(values != 0) & (values != highest)]
    return ids, int(other.flat[0]) if other.size else None
