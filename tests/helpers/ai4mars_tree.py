"""Makes small AI4Mars trees, in both layouts of the release, with its ways of naming; and tells what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

NULL = 255


@dataclass
class Tree:
    """A tree under `root`, and what a reader should find in it.

    `expected` maps (rover, camera, labels) to the pairs (image, label), relative to the root; `ids` the label's path to
    the course's ids (H, W) it stands for.
    """

    root: Path
    seed: int = 0
    expected: dict[tuple[str, str, str], list[tuple[str, str]]] = field(default_factory=dict)
    ids: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def image(self, path: str, size: tuple[int, int] = (16, 16), *, colour: bool = False) -> str:
        pixels = self._rng.integers(0, 256, (*size, 3) if colour else size, np.uint8)
        self._save(path, pixels)
        return path

    def label(self, path: str, size: tuple[int, int] = (16, 16), values: tuple[int, ...] = (0, 1, 2, 3, NULL)) -> str:
        """A label of random values; its ids are noted, so far without rover and range."""
        raw = self._rng.choice(values, size).astype(np.uint8)
        self._save(path, raw)
        self.ids[path] = np.where(raw > 3, 0, raw + 1).astype(np.uint8)
        return path

    def reject(self, path: str, label: str, *, value: int = 1, counts: bool = True) -> None:
        """A mask of rover or range, over about a quarter of the label; `counts` where it must have an effect."""
        masked = self._rng.random(self.ids[label].shape) < 0.25
        self._save(path, np.where(masked, value, 0).astype(np.uint8))
        if counts:
            self.ids[label][masked] = 0

    def pair(self, key: tuple[str, str, str], image: str, label: str) -> None:
        self.expected.setdefault(key, []).append((image, label))

    def _save(self, path: str, pixels: np.ndarray) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target)


def msl_stem(clock: int, position: int, eye: str = "L") -> str:
    return f"N{eye}A_{clock}EDR_F{position:07}NCAM00300M1"


def make_tree(root: Path, layout: str = "0.6", *, seed: int = 0) -> Tree:
    """A sound tree with each way of naming that the release has; every label belongs to one image."""
    tree = Tree(root, seed)
    _msl_ncam(tree, "msl/ncam" if layout == "0.6" else "msl")
    _mer(tree)
    if layout == "0.6":
        _msl_mcam(tree)
        _m2020(tree)
    return tree


def _msl_ncam(tree: Tree, home: str) -> None:
    for number in range(6):
        stem = msl_stem(398919509 + number, 30078 + number // 2, "LR"[number % 2])
        image = tree.image(f"{home}/images/edr/{stem}.JPG")
        if number == 5:
            continue  # not all images are labelled
        label = tree.label(f"{home}/labels/train/{stem}.png")
        tree.pair(("msl", "ncam", "train"), image, label)
        # Some have both masks, some one, some none; one of the masks is 0 and 255, not 0 and 1.
        if number != 3:
            tree.reject(f"{home}/images/mxy/{stem.replace('EDR', 'MXY')}.png", label, value=255 if number == 1 else 1)
        if number < 3:
            tree.reject(f"{home}/images/rng-30m/{stem.replace('EDR', 'RNG')}.png", label)
    for level in (1, 2, 3):
        for number in range(3):
            stem = msl_stem(500000000 + number, 40000 + number)
            image = f"{home}/images/edr/{stem}.JPG"
            if level == 1:
                tree.image(image)
            label = tree.label(f"{home}/labels/test/masked-gold-min{level}-100agree/{stem}_merged.png")
            tree.pair(("msl", "ncam", f"gold{level}"), image, label)
            # There is a rover mask for it; a gold label is left as it is.
            tree.reject(f"{home}/images/mxy/{stem.replace('EDR', 'MXY')}.png", label, counts=False)


def _msl_mcam(tree: Tree) -> None:
    for number, size in enumerate([(12, 16), (16, 12), (20, 20)]):
        stem = f"{25 + number:04}ML00012300001012{number:02}E01_DRCX"
        image = tree.image(f"msl/mcam/images/{stem}.JPG", size, colour=True)
        # 4 is a legacy null.
        label = tree.label(f"msl/mcam/labels/train/{stem}_15033_merged.png", size, (0, 1, 2, 3, 4, NULL))
        tree.pair(("msl", "mcam", "train"), image, label)
    # The navigation camera's image of the same name as one of the mast's: indices of cameras are never mixed.
    tree.image(f"msl/ncam/images/edr/{25:04}ML0001230000101200E01_DRCX.JPG")


def _mer(tree: Tree) -> None:
    for number in range(4):
        stem = f"{1 + number % 2}N12828513{number}EFF02{number // 2:02}P1513L0M1"
        image = tree.image(f"mer/images/eff/{stem}.JPG")
        label = tree.label(f"mer/labels/train/merged-unmasked/{stem}_merged6.png")
        tree.pair(("mer", "ncam", "train"), image, label)
    for level in (1, 2, 3):
        stem = "2N130000000EFF0300P1513L0M1"
        image = tree.image(f"mer/images/test/{stem}.JPG") if level == 1 else f"mer/images/test/{stem}.JPG"
        label = tree.label(f"mer/labels/test/masked-gold-min{level}-100agree/{stem}_16165_T0_merged.png")
        tree.pair(("mer", "ncam", f"gold{level}"), image, label)


def _m2020(tree: Tree) -> None:
    stems = {
        "ncam": ("NLF_0002_0667129601_604ECM_N0030188NCAM00709_01_295J01", ".jpeg", (16, 20)),
        "mcam": ("ZL0_0013_0668097911_231EBY_N0030188ZCAM00014_1100LMJ01", ".jpg", (12, 16)),
        "HAFIQ": ("HAFIQ_0072_0001", ".JPG", (16, 16)),
    }
    for camera, (stem, suffix, size) in stems.items():
        image = tree.image(f"m2020/images/{camera}/{stem}{suffix}", size, colour=camera != "ncam")
        label = tree.label(f"m2020/labels/NAV/{stem}_merged60.png", size)
        tree.pair(("m2020", camera.lower(), "train"), image, label)
        geology = tree.label(f"m2020/labels/M2020_GEO/{camera}/{stem}_merged9.png", size, (0, 6, 17, 50, NULL))
        tree.pair(("m2020", camera.lower(), "geology"), image, geology)
    # A longer name that begins with another one's: the longest match wins.
    longer = "NLF_0002_0667129601_604ECM_N0030188NCAM00709_01_295J01_B"
    image = tree.image(f"m2020/images/ncam/{longer}.jpeg", (16, 20))
    label = tree.label(f"m2020/labels/NAV/{longer}_merged60.png", (16, 20))
    tree.pair(("m2020", "ncam", "train"), image, label)
