"""Measure step, prediction and memory of marsseg's networks on a GPU, with XLA and without, in two precisions.

    KERAS_BACKEND=tensorflow python benchmarks/gpu.py [--arch unet --arch dense]
    KERAS_BACKEND=jax python benchmarks/gpu.py

Each combination runs in its own process, with the functions of `benchmarks/peers/compare.py`. The times are wall times
per batch, the medians of several rounds; the memory is what the backend took on the GPU. Without a GPU the script runs
on the processor, where the memory is the growth of the process since its imports. On JAX every step is compiled, since
without its compiler it computes one operation at a time.
"""

import argparse
import os
import statistics
import subprocess
import sys

from marsseg_core.networks.startup import chosen_backend

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

ARCHITECTURES = ["unet", "dense", "unetpp", "attention"]
PRECISIONS = ["float32", "mixed_bfloat16"]
HEAD = """\
| network | backend | precision | XLA | step | memory | prediction | memory |
|---|---|---|---|--:|--:|--:|--:|"""


def gpu_peak(backend):
    """Return the most memory in MB that the backend had on the GPU; None without a GPU."""
    import keras

    if not any("gpu" in device for device in keras.distribution.list_devices()):
        return None
    if backend == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20
    import tensorflow

    return tensorflow.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def measure(arch, jit, precision, options):
    import keras
    from peers.marsseg_side import Contender
    from peers.measure import peak, timed

    from marsseg_core import api

    backend, batches = keras.backend.backend(), options.images // options.batch
    data = api.dataset("synthetic", count=options.images, height=options.height, width=options.width)
    imported = peak()
    contender = Contender(arch, data, options.batch, precision, jit)
    medians = []
    for function in (contender.predict, contender.train):
        function()  # traces or compiles
        wall = statistics.median(timed(function, batches)[1] for _ in range(options.rounds))
        memory = gpu_peak(backend)
        medians += [f"{wall:.1f} ms", f"{peak() - imported if memory is None else memory:,.0f} MB"]
    cells = [f"`{arch}`", backend, precision, "on" if jit else "off", *medians[2:], *medians[:2]]
    print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", action="append", help="an architecture with its parameters; default: four networks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=400, help="images of a round; a multiple of the batch")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--one", nargs=3, metavar=("ARCH", "JIT", "PRECISION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.images % options.batch:
        parser.error(f"--images {options.images} is not a multiple of --batch {options.batch}")
    if options.one:
        arch, jit, precision = options.one
        measure(arch, jit == "on", precision, options)
        return
    print(HEAD, flush=True)
    for arch in options.arch or ARCHITECTURES:
        for precision in PRECISIONS:
            for jit in ["on"] if chosen_backend() == "jax" else ["off", "on"]:
                command = [sys.executable, __file__, *sys.argv[1:], "--one", arch, jit, precision]
                done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8")
                if done.returncode:
                    reason = done.stderr.strip().rpartition("\n")[2]
                    print(f"skipped: {arch}, {precision}, XLA {jit}: {reason}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
