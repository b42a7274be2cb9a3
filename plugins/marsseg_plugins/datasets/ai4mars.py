"""The data set `ai4mars`: the public AI4Mars release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from marsseg_core.plugin_api import ITEM_LIMIT, PIXEL_LIMIT, param

from .mars import IGNORED
from .resized import ResizedDataset
from .values import EDGES_HELP, OVERLAP_HELP, Edges, check_overlap

if TYPE_CHECKING:
    from marsseg_core.plugin_api import SegmentationData, Writer

    from .resizing import Resizing

# One of these folders shows that a folder is the release.
_FOLDERS: Final = ("msl/ncam", "msl/mcam", "msl/images", "mer/images", "m2020/images")


@dataclass(frozen=True)
class AI4Mars(ResizedDataset):
    """The unpacked AI4Mars release, merged-0.6 or merged-0.1 (Swan et al. 2021, NASA/JPL-Caltech, CC BY 4.0).

    `path` is the folder that holds msl/, mer/ and m2020/, or some of them. Labels are converted to the ids of the
    course. Unlabelled pixels become background, which is ignored. In training labels, the rover and terrain farther
    than 30 m become background too; gold labels, made by experts, are not changed. Images of one rover position stay
    in the same subset of any split, unless `groups` is none.
    """

    path: str = param(help="the folder that holds msl, mer and m2020, or some of them")
    rover: tuple[Literal["msl", "mer", "m2020"], ...] = param(
        ("msl",), help="the rovers whose images are read", min_length=1
    )
    camera: tuple[Literal["ncam", "mcam", "hafiq"], ...] | None = param(
        None,
        help="ncam: navigation camera; mcam: mast camera (colour); hafiq: only m2020; none: all that the release has",
        min_length=1,
    )
    labels: Literal["train", "gold1", "gold2", "gold3"] = param(
        "train", help="train: by volunteers; gold1, gold2, gold3: by experts, of whom at least 1, 2 or 3 agree"
    )
    taxonomy: Literal["terrain", "geology"] = param(
        "terrain", help="the kind of labels; geology has 21 other classes, and only m2020 has it"
    )
    resize: Literal["whole", "tiles"] = param("whole", help="resize whole images, or cut them into tiles")
    height: int = param(256, help="rows of an item", minimum=1, maximum=10_000)
    width: int = param(256, help="columns of an item", minimum=1, maximum=10_000)
    scale: float = param(1.0, help="factor by which images are resized before tiles are cut", above=0, maximum=16)
    edges: Edges = param("inward", help=EDGES_HELP, absent="pad")
    overlap: float = param(0.0, help=OVERLAP_HELP, minimum=0, maximum=10_000)
    colour: Literal["grey", "rgb"] = param("grey", help="convert all images to grey, or to three channels")
    ignore_classes: tuple[int, ...] | None = param(
        IGNORED, help="ids of classes that losses and scores ignore", minimum=0, min_length=0
    )
    unpaired: Literal["refuse", "skip"] = param("refuse", help="what to do with labels that match no image")
    limit: int | None = param(None, help="use only this many images, evenly spread", minimum=1, maximum=ITEM_LIMIT)
    groups: Literal["positions", "none"] = param(
        "positions", help="which images stay in the same subset of any split; the tiles of an image always do"
    )
    pixel_limit: int = param(PIXEL_LIMIT, help="images with more pixels are refused", minimum=1)

    def __post_init__(self) -> None:
        if self.taxonomy == "geology" and (self.rover != ("m2020",) or self.labels != "train"):
            raise ValueError("taxonomy=geology needs rover=m2020 and labels=train")
        if self.resize != "tiles" and self.scale != 1:
            raise ValueError("scale needs resize=tiles")
        check_overlap(self.overlap, self.resize, self.height, self.width)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return any((path / folder).is_dir() for folder in _FOLDERS)

    @classmethod
    def explain(cls, path: Path) -> str:
        inside = [f"{name}/" for name in ("msl", "mer", "m2020") if (path / name).is_dir()]
        verb = "is" if len(inside) == 1 else "are"
        without = f" {' and '.join(inside)} {verb} there, but without these folders." if inside else ""
        return f"It looks for {', '.join(f'{folder}/' for folder in _FOLDERS)}, or one of them.{without}"

    def resizing(self) -> Resizing:
        from .resizing import Resizing

        return Resizing(self.resize, self.height, self.width, self.scale, self.edges, self.overlap)

    def load(self) -> SegmentationData:
        from marsseg_core.plugin_api import CacheSource, cached_data

        from . import ai4mars_labels, ai4mars_release
        from .pairs import report_unpaired, spread, write_pairs

        root = Path(self.path)
        matches = ai4mars_release.find_pairs(root, self.rover, self.camera, self.labels, self.taxonomy)
        report_unpaired(matches.faults, self.unpaired, root, remaining=len(matches.pairs))
        pairs = spread(matches.pairs, self.limit)
        if self.groups == "none":
            pairs = [replace(pair, group=number) for number, pair in enumerate(pairs)]
        key = ai4mars_labels.KEYS[self.taxonomy]
        resizing = self.resizing()

        def prepare(writer: Writer) -> None:
            reader = ai4mars_labels.Reader(key, self.pixel_limit)
            write_pairs(writer, pairs, reader, resizing, self.colour)

        words = [*self.rover, *(self.camera or ()), self.labels]
        source = CacheSource(
            f"ai4mars:{'-'.join(words)}",
            [file for pair in pairs for file in (pair.image, pair.mask, *pair.rejects)],
            {
                "dataset": "ai4mars",
                "taxonomy": self.taxonomy,
                "resizing": [self.resize, self.height, self.width, self.scale, self.edges, self.overlap],
                "colour": self.colour,
                "groups": self.groups,
            },
        )
        return cached_data(source, prepare, class_names=key.class_names, ignore_classes=self.ignore_classes or ())
