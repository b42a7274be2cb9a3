"""The data set `marscapes`: the public MarsScapes release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from marsseg_core.plugin_api import param

from .published import Contents, PublishedSet, Reader

if TYPE_CHECKING:
    from marsseg_core.plugin_api import ImageReader

# The folders of the masks: in the archive, and in the scripts of the authors' repository.
MASK_FOLDERS: Final = ("annotation/semantic", "annotation/label_semantic")


@dataclass(frozen=True)
class MarsScapes(PublishedSet):
    """The unpacked MarsScapes release: panoramas of Curiosity with masks in colour (Liu et al. 2023).

    `path` is the folder that holds image/ with <sol>_<number>.png and annotation/semantic/ with
    <sol>_<number>_color.png. With images=crops, the cut and mirrored samples in processed/ are read instead. The tiles
    or crops of a panorama stay in the same subset: the crops overlap by half, so the published lists of crops, which
    split single crops, are not used. The masks in colour are read and not the ids beside them, because the script that
    made the ids turned unknown colours into soil. Here unknown colours become void, with a message that counts them.

    Source: Acta Astronautica 204, 2023; folders, names and colours are those of the authors' repository
    InRobots/MarsScapes (README.md, color2id.py, pre-process.py, create_poly_json.py).
    """

    release = "marscapes"
    looks_for = f"image/ and {' or '.join(f'{folder}/' for folder in MASK_FOLDERS)}"

    resize: Literal["whole", "tiles"] = param("tiles", help="resize whole images, or cut them into tiles")
    height: int = param(512, help="rows of an item", minimum=1, maximum=10_000)
    width: int = param(512, help="columns of an item", minimum=1, maximum=10_000)
    images: Literal["panoramas", "crops"] = param(
        "panoramas", help="read the panoramas, or the crops in processed/, which overlap by half"
    )
    groups: Literal["panoramas", "days", "none"] = param(
        "panoramas", help="which images stay in the same subset of any split: those of a panorama, or of a Martian day"
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / "image").is_dir() and any((path / folder).is_dir() for folder in MASK_FOLDERS)

    def contents(self, root: Path) -> Contents:
        from .marscapes_release import find_crops, find_panoramas

        if self.images == "crops":
            return find_crops(root, self.groups)
        return find_panoramas(root, MASK_FOLDERS, self.groups)

    def reader(self, picture: ImageReader, class_names: tuple[str, ...]) -> Reader:
        from .marscapes_masks import ColourReader

        return ColourReader(picture, self.pixel_limit)

    def class_colours(self) -> tuple[tuple[int, int, int], ...]:
        from .marscapes_masks import COLOURS

        return COLOURS
