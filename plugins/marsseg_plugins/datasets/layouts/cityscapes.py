"""Read Cityscapes (Cordts et al. 2016, www.cityscapes-dataset.com) as it is unpacked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import VOID, RequestError

from ..class_file import ClassFile
from .base import Found, Wanted
from .pattern import find_by_patterns
from .walk import some_names

LOOKS_FOR: Final = "leftImg8bit/ and gtFine/, as in Cityscapes"

# The folders of images and masks, and what names have at their ends, before the suffix of the file.
_IMAGES, _MASKS = "leftImg8bit", "gtFine"
_IMAGE_END: Final = "_leftImg8bit"
_ID_END, _COLOUR_END = "_gtFine_labelIds", "_gtFine_color"

# The classes that the benchmark scores, in the order of its trainIds, with the id and the colour of each.
_CLASSES: Final = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
)

# All other ids are not scored: unlabeled, ego vehicle, ground, parking, tunnel, caravan and so on; 255 is -1.
_IDS: Final = dict.fromkeys((*range(34), VOID), VOID) | {id_: index for index, (_, id_, _) in enumerate(_CLASSES)}
CLASSES: Final = ClassFile(
    tuple(name for name, _, _ in _CLASSES),
    {colour: index for index, (_, _, colour) in enumerate(_CLASSES)},
    ids=_IDS,
)


def recognises(root: Path) -> bool:
    """Return whether there are the two folders of Cityscapes."""
    return (root / _IMAGES).is_dir() and (root / _MASKS).is_dir()


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files.

    Of masks of ids, the 19 classes that the benchmark scores get their trainIds, and all other ids become void. Masks
    in colours are read where there are no others: their classes are those of the class file.
    """
    image_end = _IMAGE_END if wanted.image_suffix is None else wanted.image_suffix
    mask_end = _mask_end(root) if wanted.mask_suffix is None else wanted.mask_suffix
    images, masks = (
        f"{_IMAGES}/{{subset}}/{{group}}/{{name}}{image_end}.*",
        f"{_MASKS}/{{subset}}/{{group}}/{{name}}{mask_end}.*",
    )
    found = find_by_patterns(root, images, masks, wanted.suffixes)
    if not found.items and not found.unlabelled:
        raise RequestError(
            f"No image {images} has a mask {masks}.",
            where=str(root),
            hint="image_suffix and mask_suffix change what names end in. Other folders are read with "
            f"layout=two_folders:images={_IMAGES}:masks={_MASKS}, if an image and its mask have the same name.",
        )
    if mask_end == _ID_END:
        return replace(found, what="the 19 scored classes; all other ids are void", classes=CLASSES)
    return replace(found, what=f"masks *{mask_end}, with the classes of the class file or of the masks")


def _mask_end(root: Path) -> str:
    """Return what names of masks end in: that of colours, if there are only these."""
    stems = [Path(name).stem for _, names in some_names(root / _MASKS) for name in names]
    coloured = any(stem.endswith(_COLOUR_END) for stem in stems)
    return _COLOUR_END if coloured and not any(stem.endswith(_ID_END) for stem in stems) else _ID_END
