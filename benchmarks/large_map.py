"""Measure time and peak memory of the map of a large image with georeference, and kill and resume one.

    python benchmarks/large_map.py [--sizes 2500x4000 20000x50000] [--arch unet:width=0.125:depth=2] [--jobs 2]

The script first trains a network for one epoch on a few synthetic scenes, to have a run. Then it generates an image of
16 bits on Mars for each size (rows, columns) and predicts its map. The prediction of the first one is killed after half
of its blocks and repeated, and the pixels are compared. With --jobs, so many processes predict the first one again, and
the bytes are compared; the memory is that of the largest process.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from steps import head, marsseg

from marsseg_plugins.datasets.synthetic import Synthetic

BLOCK = 512


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2500x4000", "20000x50000"])
    parser.add_argument("--arch", default="unet:width=0.125:depth=2")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    head()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["--bottleneck", "none", "--data", "synthetic:count=20", "--epochs", 1, "--out", folder / "run"]
        marsseg("run", "run", "--arch", options.arch, *words)
        for size in options.sizes:
            height, width = map(int, size.split("x"))
            image = generate(folder / f"{size}.tif", height, width)
            title = f"map of {height:,} × {width:,}"
            marsseg(title, "predict", folder / "run", image, "--out", folder / f"map{size}.tif")
        same = kill_and_resume(folder, options.sizes[0])
        if options.jobs:
            same &= spread(folder, options.sizes[0], options.jobs)
        sys.exit(not same)


def generate(path, height, width):
    """Write 12-bit values as a tiled GeoTIFF, block by block, with a margin without data."""
    scene = Synthetic(count=1, height=BLOCK, width=BLOCK).load().images[0, ..., 0].astype(np.uint16) * 16 + 15
    row = np.tile(scene, (1, -(-width // BLOCK)))[:, :width]
    row[:, :100] = 0
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint16", "nodata": 0}
    place = {"crs": "+proj=eqc +R=3396190", "transform": Affine(100, 0, 0, 0, -100, 1e6)}
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **place, **layout) as dataset:
        for top in range(0, height, BLOCK):
            rows = min(BLOCK, height - top)
            dataset.write(row[:rows], 1, window=((top, top + rows), (0, width)))
    return path


def kill_and_resume(folder, size):
    """Kill a prediction after half of its blocks, repeat it, and return whether the pixels are those without it."""
    image, out = folder / f"{size}.tif", folder / "killed.tif"
    words = ["predict", folder / "run", image, "--out", out]
    command = [sys.executable, "-m", "marsseg_core", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    half = -(-int(size.split("x")[0]) // BLOCK) // 2
    while process.poll() is None and len(list(folder.glob("killed.tif.part/*.png"))) < half:
        time.sleep(0.2)
    process.kill()
    process.wait()
    kept = len(list(folder.glob("killed.tif.part/*.png")))
    marsseg(f"again after a kill with {kept} blocks finished", *words)
    with rasterio.open(out) as resumed, rasterio.open(folder / f"map{size}.tif") as whole:
        same = bool((resumed.read(1) == whole.read(1)).all())
    print(f"\nthe pixels are {'equal' if same else 'NOT equal'} to those of the map that was not killed\n")
    return same


def spread(folder, size, jobs):
    """Predict a map by several processes, and return whether its bytes are those of one process."""
    image, out = folder / f"{size}.tif", folder / "spread.tif"
    marsseg(f"by {jobs} processes", "predict", folder / "run", image, "--out", out, "--jobs", jobs)
    same = out.read_bytes() == (folder / f"map{size}.tif").read_bytes()
    print(f"\nthe bytes are {'equal' if same else 'NOT equal'} to those of one process")
    return same


if __name__ == "__main__":
    main()
