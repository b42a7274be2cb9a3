"""Measure time and peak memory for reading a file of the course's size, compared with an idle process with NumPy.

    python benchmarks/memory.py

The script first writes 2,615 labelled and 10,022 unlabelled items of 64×128 float64, about 1 GB unpacked, to a
temporary file.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
IDLE = f"import numpy; print(0); {PEAK}"
READ = (
    "import sys, time; from marsseg_plugins.datasets.npz import Npz;"
    "start = time.perf_counter(); data = Npz(sys.argv[1]).load(); test = Npz(sys.argv[1]).unlabelled();"
    "assert (len(data), len(test)) == (2615, 10022);"
    "print(time.perf_counter() - start);" + PEAK
)


def write_course_sized_file(path: Path) -> None:
    """Write the file item by item, so that this script needs little memory."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape in (("training_set", (2615, 2, 64, 128)), ("test_set", (10022, 64, 128))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f8", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for _ in range(shape[0]):
                    item = rng.integers(0, 256, shape[1:]).astype("f8")
                    if len(shape) == 4:
                        item[1] %= 5
                    file.write(item.tobytes())


def measured(code: str, *arguments: str, cache: str) -> tuple[float, float]:
    """Run code in a process, and return the seconds and the peak memory in MB that it prints."""
    environment = os.environ | {"MARSSEG_CACHE": cache}
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds, kilobytes = result.stdout.split()
    return float(seconds), int(kilobytes) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "course_sized.npz"
        write_course_sized_file(path)
        _, idle = measured(IDLE, cache=folder)
        print(f"idle: {idle:.0f} MB")
        for label in ("first read", "read from the cache"):
            seconds, peak = measured(READ, str(path), cache=folder)
            print(f"{label}: {seconds:.2f} s, peak memory {peak:.0f} MB, above idle {peak - idle:.0f} MB")


if __name__ == "__main__":
    main()
