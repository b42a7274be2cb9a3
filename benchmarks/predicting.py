"""Compare marsseg's predictions with bare calls of the network's compiled graph.

    python benchmarks/predicting.py [--arch unet:width=0.25] [--images 10022] [--side 4096] [--rounds 31]

The network is untrained and takes tiles of 64×128. Each row of the table is measured in one process in which both sides
alternate, in processor time; both are compiled before. The bare side only calls the graph, on random tiles of its own
size: for the large image, on as many as cover the image without any overlap. It calls 32 tiles at once, or the one
image that there is.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import marsseg
from marsseg_core.inference.image_sources import ImageSource
from marsseg_core.inference.outputs import labels_of
from marsseg_core.inference.prediction import Summary, predict_source
from marsseg_core.inference.submission import new_submission
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.keras_backend.devices import choose_compiler
from marsseg_core.networks.predictor import Predictor

HEIGHT, WIDTH, CLASSES = 64, 128, 5
AT_ONCE = 32
SLICE = 2 * AT_ONCE


def seconds(call, *arguments):
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


def row(what, bare, product):
    print(f"| {what} | {bare:.3f} s | {product:.3f} s | {product / bare:.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="unet:width=0.25")
    parser.add_argument("--images", type=int, default=10_022)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=31, help="rounds for one image; their median is shown")
    options = parser.parse_args()
    network = marsseg.network(options.arch, height=HEIGHT, width=WIDTH)
    choose_compiler(network)
    fast = fast_network(network)
    graph = tf.function(lambda images: fast(images, training=False), jit_compile=fast.jit_compile)
    random = np.random.default_rng(0)
    tiles = random.integers(0, 256, (options.images, HEIGHT, WIDTH, 1), np.uint8)
    floats = tf.constant(tiles[:AT_ONCE] / np.float32(255))

    def bare(count, size=AT_ONCE):
        for start in range(0, count, size):
            graph(floats[: min(size, count - start)])

    print("| what | bare calls | marsseg | ratio |\n|---|--:|--:|--:|", flush=True)
    image, predictor = tiles[0], Predictor([network], labels_only=True)
    views = Predictor([network], tta=True)
    for what, count, side in (("one image of 64×128", 1, predictor), ("the same with `--tta`", 4, views)):

        def alone(side=side):
            list(side.probabilities([image]))

        pairs = [(seconds(bare, count, count), seconds(alone)) for _ in range(options.rounds + 1)][1:]
        row(what, *map(statistics.median, zip(*pairs, strict=True)))

    repeats = -(-options.side // WIDTH)
    large = np.tile(tiles[0], (2 * repeats, repeats, 1))[: options.side, : options.side]

    def mosaic():
        (row_strips,) = predictor.predict([large])
        labels_of(row_strips, (0,))

    cover = -(-options.side // HEIGHT) * -(-options.side // WIDTH)
    bare(AT_ONCE)
    mosaic()
    row(f"an image of {options.side}×{options.side}", seconds(bare, cover), seconds(mosaic))

    def submission(images):
        source = ImageSource("tiles", [str(n) for n in range(len(images))], images.__getitem__)
        with tempfile.TemporaryDirectory() as folder, new_submission(Path(folder, "a.csv")) as rows:
            predict_source(
                source,
                predictor,
                ignore_classes=(0,),
                outputs=None,
                submission=rows,
                summary=Summary.empty(CLASSES),
                progress=lambda done: None,
            )

    def labels(images):
        for row_strips in predictor.predict(images):
            labels_of(row_strips, (0,))

    slices = [tiles[start : start + SLICE] for start in range(0, len(tiles), SLICE)]
    for part in (slices[0], slices[-1]):
        labels(part)
        bare(len(part))
    times = [(seconds(bare, len(part)), seconds(labels, part), seconds(submission, part)) for part in slices]
    graph_time, label_time, submission_time = map(sum, zip(*times, strict=True))
    row(f"{options.images:,} images of 64×128, to labels", graph_time, label_time)
    row("the same, with the submission written and read back", graph_time, submission_time)


if __name__ == "__main__":
    main()
