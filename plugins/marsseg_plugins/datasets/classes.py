"""Find the ignored classes of a data set, and convert masks of 0 and 255 to class ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from marsseg_core.plugin_api import VOID, get_logger

from .mars import MARS_CLASSES
from .values import Ignored

BACKGROUND: Final = "background"


def ignored_classes(
    source: str, names: Sequence[str] | None, ignore_classes: Ignored, recorded: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """Return the ignored classes. A warning names those that are ignored for their name.

    `names` is None if the classes have no names. `recorded` are the ignored classes that the source itself has, which
    come before names; None if it does not say.
    """
    if ignore_classes is None:
        return ()
    if ignore_classes == "background" and recorded is not None:
        return recorded
    if isinstance(ignore_classes, tuple):
        return ignore_classes
    by_name = tuple(
        index
        for index, name in enumerate(names or ())
        if name == BACKGROUND or (ignore_classes == "background" and name.casefold() == BACKGROUND)
    )
    # The background of Mars terrain needs no warning.
    if by_name and names != MARS_CLASSES:
        listed = ", ".join(f"'{(names or ())[index]}' ({index})" for index in by_name)
        get_logger(__name__).warning(
            "%s: the class %s is ignored by losses and scores. Set ignore_classes=none to count it.",
            source,
            listed,
        )
    return by_name


def binary_ids(values: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Convert the values 0 and 255, or 0 and 1, to the ids 0 and 1.

    Returns the ids, and the first value that is neither, or None.
    """
    highest = VOID if values.max(initial=0) > 1 else 1
    ids = (values > 0).astype(np.uint8)
    other = values[(values != 0) & (values != highest)]
    return ids, int(other.flat[0]) if other.size else None
