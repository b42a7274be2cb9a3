"""Measure the memory that a network needs for an eager call and for `predict`.

    python benchmarks/eager.py [--arch unet] [--side 1024]

Each way runs in its own process. The result is the peak memory of the process, including TensorFlow.
"""

import argparse
import os
import resource
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WAYS = {
    "building it only": lambda network, images: None,
    "`network(images)`": lambda network, images: network(images),
    "`network.predict(images, batch_size=1)`": lambda network, images: network.predict(images, batch_size=1, verbose=0),
}


def measure(way, arch, side):
    import numpy as np

    import marsseg

    network = marsseg.network(arch, height=side, width=side)
    WAYS[way](network, np.zeros((1, side, side, 1), np.float32))
    print(f"| {way} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="unet")
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options.way, options.arch, options.side)
        return
    for way in WAYS:
        command = [sys.executable, __file__, "--arch", options.arch, "--side", str(options.side), "--way", way]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
