"""Choose a part of the pixels of images, where all would take too much memory."""

from __future__ import annotations

import math


def thinning(values: int, most: int, width: int) -> int:
    """Return n, so that every n-th pixel of all images has at most `most` of their `values` together.

    It has no factor in common with the width of the images, so these pixels are from all columns alike: those at the
    edge, where predictions differ, count no more than others.
    """
    every = max(1, -(-values // most))
    while math.gcd(every, width) > 1:
        every += 1
    return every
