"""Compare the runtimes that can compute a run's network: one image at a time, and many images.

    python benchmarks/engines.py RUN FILE.npz [--images 640] [--rounds 15] [--engines keras openvino]

The engines alternate in one process, and the medians over the rounds are shown, in processor time; each is loaded and
called before. To compare them on one thread, run the script on one core, for example by `taskset -c 0`.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from marsseg_core import api
from marsseg_core.export.exporters import find_engine
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.inference.ensemble import load_networks
from marsseg_core.networks.predictor import Predictor
from marsseg_core.registry.session import open_session

ENGINES = ("keras", "onnxruntime", "openvino", "openvino:precision=bfloat16", "litert")


def milliseconds(predictor, images):
    start = time.process_time()
    for row_strips in predictor.predict(images):
        for _ in row_strips:
            pass
    return 1000 * (time.process_time() - start) / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--engines", nargs="+", default=ENGINES, metavar="ENGINE", help="the first is compared with")
    options = parser.parse_args()
    session, folder = open_session(), RunFolder.open(options.run)
    images = np.asarray(api.dataset(options.file).images[: options.images])
    predictors = {}
    for name in options.engines:
        engine = find_engine(name, session.catalog)
        predictors[name] = Predictor(load_networks([folder], session, engine), labels_only=True)
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in options.engines}
    for _ in range(options.rounds + 1):
        for name, predictor in predictors.items():
            one, many = times[name]
            # The first call after those of other engines finds nothing of its own in the caches.
            one.append(statistics.median([milliseconds(predictor, images[:1]) for _ in range(9)]))
            many.append(milliseconds(predictor, images))
    reference = [statistics.median(taken[1:]) for taken in times[options.engines[0]]]
    print("| engine | one image (ms) | speed (first: 1) | many, each (ms) | speed (first: 1) |")
    print("|---|--:|--:|--:|--:|")
    for name, pair in times.items():
        medians = [statistics.median(taken[1:]) for taken in pair]
        cells = [f"{median:.2f} | {keras / median:.1f}" for median, keras in zip(medians, reference, strict=True)]
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
