"""Read Cityscapes (Cordts et al. 2016, www.cityscapes-dataset.com) as it is unpacked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import VOID

from ..class_file import ClassFile
from .base import Found, Wanted
from .pattern import find_by_patterns

LOOKS_FOR: Final = "leftImg8bit/ and gtFine/, as in Cityscapes"

_IMAGES: Final = "leftImg8bit/{subset}/{group}/{name}_leftImg8bit.png"
_MASKS: Final = "gtFine/{subset}/{group}/{name}_gtFine_labelIds.png"

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
    return (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir()


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files. The 19 classes that the benchmark scores get their trainIds, all other ids become void."""
    found = find_by_patterns(root, _IMAGES, _MASKS)
    return replace(
        found,
        what="the 19 scored classes; all other ids are void",
        classes=CLASSES,
    )
