"""Export every architecture in every format, and measure parity, size and time.

    python benchmarks/exports.py [--width 0.125] [--tiles FILE.npz] [--formats onnx,keras] [--archs unet,dense]

Each architecture is built without bottleneck, with transformer,aspp, and with swin, for images of 64×128×1 and 5
classes, with random weights. Each export is loaded in its own runtime, and compared with marsseg's
prediction on eight images of the file, if there is one, on four random images and on one. The table has, for each
format, the largest difference as a share of the largest logit, the share of equal labels, the size, and the median time
for one image; and that of marsseg. A second table sums up each format over all networks. The exit code is 1 if an
export does not agree.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from marsseg_core import api
from marsseg_core.components.finished_runs import UsesRuns
from marsseg_core.errors import MarssegError
from marsseg_core.export.exporters import find_exporter
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load

BOTTLENECKS = ("none", "transformer,aspp", "swin")


def settle(network, images):
    """Give the network the statistics of these images and random biases, as after a training: its labels differ."""
    import keras

    generator = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.rpartition("/")[2] in ("beta", "bias"):
            weight.assign(generator.normal(0, 0.1, weight.shape))
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(images.astype(np.float32) / 255, training=True)


def export(network, exporter, images):
    from marsseg_core.export.export import write_checked
    from marsseg_core.export.form import Form, in_float32

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"network{exporter.component.suffix}"
        return write_checked(exporter, in_float32(network), Form(), {}, path, images)


def cells(exported):
    agreement = exported.agreement
    return (
        f"{agreement.difference:.1e}",
        f"{100 * agreement.equal_labels:.3f} %",
        f"{exported.bytes / 2**20:.2f}",
        f"{1000 * exported.seconds:.2f}",
        f"{1000 * exported.keras_seconds:.2f}",
    )


def summarise(format_, several):
    """Print the row of a format: the worst agreement, and the times beside those of marsseg."""
    agreements = [exported.agreement for exported in several]
    faster = sorted(exported.keras_seconds / exported.seconds for exported in several)
    cells = (
        f"{max(each.difference for each in agreements):.1e}",
        f"{100 * min(each.equal_labels for each in agreements):.3f} %",
        f"{faster[0]:.1f} … {statistics.median(faster):.1f} … {faster[-1]:.1f}",
    )
    print(f"| {format_} | {len(several)} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--formats", default=",".join(installed().names(kinds.EXPORTER)))
    parser.add_argument("--archs", default=",".join(installed().names(kinds.ARCHITECTURE)))
    options = parser.parse_args()
    import keras

    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (count, 64, 128, 1), np.uint8) for count in (4, 1)]
    if options.tiles is not None:
        images.insert(0, np.asarray(api.dataset(options.tiles).images[:8]))
    exporters = [find_exporter(name, installed()) for name in options.formats.split(",")]
    print("| architecture | bottleneck | format | difference | equal labels | size (MiB) | ms | ms in Keras |")
    print("|---|---|---|--:|--:|--:|--:|--:|")
    failed = False
    kept: dict[str, list[Any]] = {exporter.entry.name: [] for exporter in exporters}
    for arch in options.archs.split(","):
        component = load(installed().find(kinds.ARCHITECTURE, arch))
        if issubclass(component, UsesRuns):
            continue  # needs a finished run
        encoder = f"mit_b0:width={options.width:g}" if component.needs_encoder else None
        for bottleneck in BOTTLENECKS:
            if bottleneck != "none" and not component.takes_bottleneck:
                continue
            bottlenecks = None if bottleneck == "none" else bottleneck
            network = api.network(f"{arch}:width={options.width:g}", encoder=encoder, bottleneck=bottlenecks, seed=0)
            settle(network, images[0])
            for exporter in exporters:
                try:
                    exported = export(network, exporter, images)
                except MarssegError as error:
                    found, failed = (error.what.splitlines()[0], *4 * [""]), True
                else:
                    found = cells(exported)
                    kept[exporter.entry.name].append(exported)
                print(f"| {arch} | {bottleneck} | {exporter.entry.name} | {' | '.join(found)} |", flush=True)
            keras.utils.clear_session()
    print("\n| format | networks | largest difference | fewest equal labels | speed (Keras: 1): least, median, most |")
    print("|---|--:|--:|--:|--:|")
    for name, several in kept.items():
        if several:
            summarise(name, several)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
