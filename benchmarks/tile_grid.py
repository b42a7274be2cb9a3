"""Measure how much a prediction depends on the position of the tiles: predict the same scenes with a shifted grid.

    python benchmarks/tile_grid.py RUN [--count 6] [--height 256] [--width 384]

The images are synthetic scenes. Each is predicted as a whole, and again after some rows and columns are cut off at the
top and left, which shifts the grid. Only pixels at least one tile away from the cut are compared. The table has the
largest change over all shifts.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import marsseg
from marsseg_core.evaluation.confusion import decode
from marsseg_core.inference.ensemble import open_runs
from marsseg_core.networks.predictor import Predictor

SHIFTS = ((16, 32), (13, 29), (7, 50), (1, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=384)
    options = parser.parse_args()
    network = marsseg.load(options.run)
    _, classes = open_runs([options.run])
    _, tile_height, tile_width, _ = network.input_shape
    scenes = marsseg.dataset("synthetic", count=options.count, height=options.height, width=options.width).images
    print("| overlap | tiles per pixel | mean change of a probability | pixels whose label changes |")
    print("|--:|--:|--:|--:|")
    for overlap in (0.0, 0.25, 0.5, 0.75):
        predictor = Predictor([network], overlap=overlap)
        whole = np.stack(list(predictor.probabilities(scenes)))
        changes, labels = [], []
        for down, right in SHIFTS:
            shifted = np.stack(list(predictor.probabilities(scenes[:, down:, right:])))[:, tile_height:, tile_width:]
            base = whole[:, down + tile_height :, right + tile_width :]
            changes.append(np.abs(base - shifted).mean())
            labels.append((decode(base, classes.ignore_classes) != decode(shifted, classes.ignore_classes)).mean())
        tiles_per_pixel = 1 / (1 - overlap) ** 2
        print(f"| {overlap:g} | {tiles_per_pixel:.1f} | {max(changes):.3f} | {100 * max(labels):.1f} % |", flush=True)


if __name__ == "__main__":
    main()
