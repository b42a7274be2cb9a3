"""Measure time and peak memory for the prediction of one large image on the command line.

    python benchmarks/large_image.py [--size 4096] [--arch unet:width=0.25] [--probabilities]

The script first trains a network for one epoch on a few synthetic scenes, to have a run.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from steps import head, marsseg

from marsseg_plugins.datasets.synthetic import Synthetic


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--arch", default="unet:width=0.25")
    parser.add_argument("--probabilities", action="store_true")
    options = parser.parse_args()
    head()
    with tempfile.TemporaryDirectory() as folder:
        run, image, out = (Path(folder) / name for name in ("run", "image.png", "out"))
        scene = Synthetic(count=1, height=256, width=256).load().images[0, ..., 0]
        repeats = -(-options.size // 256)
        Image.fromarray(np.tile(scene, (repeats, repeats))[: options.size, : options.size]).save(image)
        words = ["--bottleneck", "none", "--data", "synthetic:count=20", "--epochs", 1, "--out", run]
        marsseg("run", "run", "--arch", options.arch, *words)
        options_of_predict = ["--probabilities"] if options.probabilities else []
        name = f"predict {options.size}×{options.size}"
        marsseg(name, "predict", run, image, "--out", out, "--overlay", *options_of_predict)
        assert np.array(Image.open(out / "masks" / "image.png")).shape == (options.size, options.size)


if __name__ == "__main__":
    main()
