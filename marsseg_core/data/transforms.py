"""Apply the augmentations of a run to a batch; neighbouring warps of an image are joined into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..conventions import Transform
from .warps import Warp, WarpTransform


def apply_transforms(
    transforms: Sequence[tuple[Transform, float]],
    images: np.ndarray,
    masks: np.ndarray,
    generators: Sequence[np.random.Generator],
) -> None:
    """Change images (B, H, W, C) and masks (B, H, W) in place, each by every transform with its probability, in order.

    A warp waits for the next transform of its image: if that is a warp with the same fill, both become one, so that the
    image is interpolated once. The random draws are the same as without this.
    """
    height, width = masks.shape[1:]
    waiting: list[Warp | None] = [None] * len(images)

    def warp_now(items: Sequence[int]) -> None:
        for i in items:
            if (warp := waiting[i]) is not None:
                warp.apply(images[i], masks[i])
                waiting[i] = None

    for transform, p in transforms:
        chosen = [i for i, generator in enumerate(generators) if generator.random() < p]
        if not chosen:
            continue
        own = [generators[i] for i in chosen]
        if isinstance(transform, WarpTransform):
            for i, warp in zip(chosen, transform.draw(height, width, own), strict=True):
                if (earlier := waiting[i]) is not None and warp.can_follow(earlier):
                    waiting[i] = warp.after(earlier)
                else:
                    warp_now([i])
                    waiting[i] = warp
            continue
        warp_now(chosen)
        # A slice is a view, which most transforms change in place; a list of items is a copy, which has to be put back.
        part = slice(None) if len(chosen) == len(images) else chosen
        before = images[part], masks[part]
        for whole, old, new in zip((images, masks), before, transform(*before, own), strict=True):
            if new is not old or part is chosen:
                whole[part] = new
    warp_now(range(len(images)))
