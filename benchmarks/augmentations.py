"""Compare the processor time of each augmentation with that of its like in albumentations, per image with its mask.

    python benchmarks/augmentations.py [--rounds 7] [--size 64x128x1] [--size 256x256x3]

It needs albumentations 2.0 beside marsseg, in an environment of its own:

    python -m pip install albumentations==2.0.8

marsseg's time is that of a batch of 8 of the input pipeline with the augmentation applied to every image, minus that of
the same pipeline with the probability 0, so with the generators drawn. albumentations' time is that of a `Compose` of
one transform. Both get the same float32 images and uint8 masks, and both use one thread. In each round both run in
turn; the ratio is the median over the rounds.

What was matched: bilinear interpolation of images, nearest of masks, edges repeated, angles, factors and areas. What
differs: albumentations repeats the edges of masks too, where marsseg fills them with void; its elastic filter is longer
(4 standard deviations, not 3); its contrast is about 0 and not about the mean; its erased pixels are black, and
marsseg's have the mean colour. The time of a warp is shown alone and for three in a row, which marsseg joins. There is
nothing like cutmix and rockmix in albumentations: they stand alone, as do the distance maps of the loss `boundary`.
"""

import argparse
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

try:
    import albumentations
    import cv2
except ImportError:
    sys.exit("albumentations is not here. Install it beside marsseg: python -m pip install albumentations==2.0.8")

from marsseg_core import api
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.split import Split
from marsseg_core.training.assembly import build_batches
from marsseg_core.training.objective import build_objective

BATCH, ITEMS = 8, 32
NOTHING = "hflip:p=0"


def likes():
    """Return the composition of marsseg and the transforms of albumentations for each row, if there are any."""
    warp = {
        "interpolation": cv2.INTER_LINEAR,
        "mask_interpolation": cv2.INTER_NEAREST,
        "border_mode": cv2.BORDER_REPLICATE,
        "p": 1,
    }
    a = albumentations
    rotate = a.Rotate(limit=15, **warp)
    translate = a.Affine(translate_percent=(-0.1, 0.1), **warp)
    zoom = a.Affine(scale=(0.8, 1.25), **warp)
    rows = {
        "hflip": [a.HorizontalFlip(p=1)],
        "vflip": [a.VerticalFlip(p=1)],
        "translate": [translate],
        "rotate": [rotate],
        "zoom": [zoom],
        "shear": [a.Affine(shear={"x": (-10, 10), "y": 0}, **warp)],
        "elastic": [a.ElasticTransform(alpha=16, sigma=8, noise_distribution="gaussian", **warp)],
        "rotate,zoom,translate": [rotate, zoom, translate],
        "blur": [a.GaussianBlur(blur_limit=0, sigma_limit=(0, 1), p=1)],
        "noise": [a.GaussNoise(std_range=(0, 0.05), p=1)],
        "brightness": [a.RandomBrightnessContrast(0.15, 0, p=1)],
        "contrast": [a.RandomBrightnessContrast(0, 0.3, p=1)],
        "erase": [a.Erasing(scale=(0.001, 0.15), ratio=(1 / 3, 3), fill=0, fill_mask=255, p=1)],
        "gridmask": [a.GridDropout(ratio=0.4, random_offset=True, fill=0, fill_mask=255, p=1)],
        "cutmix": None,
        "rockmix": None,
        "distance maps": None,
    }
    return {name: transforms and a.Compose(transforms) for name, transforms in rows.items()}


def batches(name, data):
    """Return a function that makes one batch, with the augmentations of a row applied to every image."""
    loss, augment = "ssce", ",".join(f"{word}:p=1" for word in name.split(","))
    if name == "distance maps":
        loss, augment = "boundary", NOTHING
    elif name == NOTHING:
        augment = NOTHING
    plan = api.plan(arch="unet", bottleneck=None, loss=loss, augment=augment, data="synthetic", batch=BATCH)
    split = Split(tuple(range(len(data))), (0,), (0,))
    ready = build_batches(plan, data, split, build_objective(plan, data, split))
    return lambda index: ready[index % len(ready)]


def seconds(function, count):
    """Return the processor seconds of one call."""
    start = time.process_time()
    for index in range(count):
        function(index)
    return (time.process_time() - start) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", action="append", help="height x width x channels", metavar="HxWxC")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    for size in options.size or ["64x128x1", "256x256x3"]:
        height, width, channels = map(int, size.split("x"))
        count = max(2, round(4e5 / (height * width * channels)))
        images = random.integers(0, 256, (ITEMS, height, width, channels), np.uint8)
        coarse = random.integers(0, 5, (ITEMS, height // 16, width // 16)).astype(np.uint8)
        masks = coarse.repeat(16, axis=1).repeat(16, axis=2)
        data = SegmentationData(images, masks, ("soil", "bedrock", "sand", "rock", "sky"))
        floats = images.astype(np.float32) / 255
        nothing = batches(NOTHING, data)
        print(f"\n| {size}, µs per image | marsseg | albumentations | ratio |\n|---|--:|--:|--:|")
        for name, compose in likes().items():
            ours = batches(name, data)

            def theirs(index, compose=compose, floats=floats, masks=masks):
                for item in range(BATCH):
                    chosen = (index * BATCH + item) % ITEMS
                    compose(image=floats[chosen], mask=masks[chosen])

            times = []
            for round_number in range(options.rounds + 1):
                own = seconds(ours, count) - seconds(nothing, count)
                other = seconds(theirs, count) if compose else float("nan")
                if round_number:  # the first round imports and fills caches
                    times.append((own / BATCH * 1e6, other / BATCH * 1e6, own / other))
            own, other, ratio = map(statistics.median, zip(*times, strict=True))
            both = f"{other:,.0f} | {ratio:.2f}" if compose else " | "
            print(f"| {name} | {own:,.0f} | {both} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
