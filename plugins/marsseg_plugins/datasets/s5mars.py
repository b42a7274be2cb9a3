"""The data set `s5mars`: the public release of S5Mars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import param

from .published import Contents, PublishedSet, Reader

if TYPE_CHECKING:
    from marsseg_core.plugin_api import ImageReader


@dataclass(frozen=True)
class S5Mars(PublishedSet):
    """The unpacked S5Mars release: 6,000 colour images of Curiosity, sparsely labelled (Zhang et al. 2024).

    `path` is the folder that holds images/ and labels/, each with easy/ and hard/, and split/ with train.json, val.json
    and test.json (5,000, 500 and 500 images). Pixels without a label (0) become void; the values 1 to 9 become the
    classes 0 to 8. The split of the release is used if it is there. If it puts images of one Martian day into several
    subsets, a message says so; `--split drawn` keeps the images of a day together.

    Source: S5Mars, IEEE TGRS 62, 2024, arXiv 2207.01200; the values are those of pku2mars.py in the authors' repository
    JHang2020/S5Mars_SSL, the folders those that public loaders of the archive read.
    """

    release = "s5mars"

    groups: Literal["days", "none"] = param(
        "days",
        help="which images stay in the same subset of a drawn split; names such as 0025ML… begin with the Martian day",
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return any((path / "images" / part).is_dir() and (path / "labels" / part).is_dir() for part in ("easy", "hard"))

    def contents(self, root: Path) -> Contents:
        from .s5mars_release import find

        return find(root, by_day=self.groups == "days")

    def reader(self, picture: ImageReader, class_names: tuple[str, ...]) -> Reader:
        from .value_reader import ValueReader

        return ValueReader(picture, ("NULL", *class_names), self.pixel_limit, void=(0,))
