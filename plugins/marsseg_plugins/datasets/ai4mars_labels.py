"""Convert the label values of AI4Mars to masks of class ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from marsseg_core.plugin_api import VOID, pixel_type, read_image, read_mask, refuse_file

from .mars import MARS_CLASSES
from .pairs import Pair
from .resizing import resized_image

_NULL: Final = 255

# If the aspect ratios of an image and its label differ by more than this, they do not show the same scene.
_RATIO_TOLERANCE: Final = 0.01


@dataclass(frozen=True)
class LabelKey:
    """Hold the class names of a taxonomy, and the class id of each label value. "No label" becomes 0, background."""

    class_names: tuple[str, ...]
    ids: Mapping[int, int]


_GEOLOGY: Final = {
    0: "bedrock_massive",
    1: "bedrock_layered_angled",
    2: "bedrock_layered_flat",
    3: "bedrock_layered_unsure",
    4: "bedrock_conglomerate",
    5: "bedrock_holey",
    6: "bedrock_unsure",
    10: "float_rock_massive",
    11: "float_rock_layered_angled",
    12: "float_rock_layered_flat",
    13: "float_rock_layered_unsure",
    14: "float_rock_conglomerate",
    15: "float_rock_holey",
    16: "float_rock_mixed",
    17: "float_rock_unsure",
    20: "sand_dune",
    21: "sand_ripples",
    22: "sand",
    30: "pebbles",
    40: "vein",
    50: "hill",
}

KEYS: Final[Mapping[str, LabelKey]] = {
    "terrain": LabelKey(MARS_CLASSES, {0: 1, 1: 2, 2: 3, 3: 4}),
    "geology": LabelKey(
        (MARS_CLASSES[0], *_GEOLOGY.values()), {value: number for number, value in enumerate(_GEOLOGY, start=1)}
    ),
}


class Reader:
    """Read a pair: an image (H, W, C) and a mask (H, W) of class ids.

    Raises RequestError, with the file, if one of its files cannot be used.
    """

    def __init__(self, key: LabelKey, pixel_limit: int) -> None:
        self._key = key
        self._limit = pixel_limit

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        mask = self._mask(pair)
        for path in pair.rejects:
            rejected = read_mask(path, limit=self._limit)
            if rejected.shape != mask.shape:
                refuse_file(path, f"This mask has the size {_size(rejected)}, but the label has {_size(mask)}.")
            mask[rejected > 0] = 0
        if (kind := pixel_type(pair.image, limit=self._limit)) != np.uint8:
            hint = "The data set `folder` can read such images; see its parameter range."
            refuse_file(
                pair.image, f"This image has values of type {kind}; the images of the release have 8 bits.", hint=hint
            )
        image = read_image(pair.image, limit=self._limit)
        if image.shape[:2] != mask.shape:
            ratio = image.shape[0] * mask.shape[1] / (image.shape[1] * mask.shape[0])
            if abs(ratio - 1) > _RATIO_TOLERANCE:
                refuse_file(pair.mask, f"The label has the size {_size(mask)}, but its image has {_size(image)}.")
            image = resized_image(image, (mask.shape[0], mask.shape[1]))
        return image, mask

    def _mask(self, pair: Pair) -> np.ndarray:
        values = read_mask(pair.mask, limit=self._limit)
        ids = np.full(256, VOID, np.uint8)
        ids[[*self._key.ids]] = [*self._key.ids.values()]
        ids[[_NULL, *pair.nulls]] = 0
        mask = ids[values]
        if (unknown := mask == VOID).any():
            known = ", ".join(map(str, self._key.ids))
            refuse_file(
                pair.mask,
                f"The label holds the value {values[unknown][0]}; known values are {known}, and {_NULL} for no label.",
            )
        return mask


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[0]} × {picture.shape[1]}"
