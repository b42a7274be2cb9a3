"""The data set `marsbench`: the segmentation data sets of Mars-Bench."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import param

from .published import Contents, PublishedSet, Reader

if TYPE_CHECKING:
    from marsseg_core.plugin_api import ImageReader


@dataclass(frozen=True)
class MarsBench(PublishedSet):
    """An unpacked segmentation data set of Mars-Bench, mb-NAME (Purohit et al. 2025).

    `path` is the folder that holds data/{train,val,test}/{images,masks}, mapping.json with the names of the classes
    and, for `partition`, partitions/. The given split is used. All classes count, background too, as in the benchmark.
    The images of mb-mmls have seven channels and cannot be read.

    Source: arXiv 2510.24010; the loaders of the authors' repository kerner-lab/Mars-Bench (marsbench/data/segmentation,
    marsbench/utils/load_mapping.py).
    """

    release = "marsbench"

    partition: float | None = param(
        None,
        help="use only the images that partitions/…x_partition.csv lists; a subset that it does not list stays whole",
        above=0,
        maximum=1,
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return all((path / "data" / "train" / part).is_dir() for part in ("images", "masks"))

    def contents(self, root: Path) -> Contents:
        from .marsbench_release import find

        return find(root, self.partition)

    def reader(self, picture: ImageReader, class_names: tuple[str, ...]) -> Reader:
        from .value_reader import ValueReader

        return ValueReader(picture, class_names, self.pixel_limit)
