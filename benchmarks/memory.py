"""Time and peak memory of metric a course-sized file, beside an idle process that has imported NumPy.

    python benchmarks/memory.py

Writes 2,615 labelled and 10,022 unlabelled items of 64×128 float64, about 1 GB unpacked, into a temporary file first.
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
    """In pieces, so that this script stays small too."""
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
    """Seconds, and the peak of memory in MB, that a process prints."""
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
        for what in ("prepared", "opened again"):
            seconds, peak = measured(READ, str(path), cache=folder)
            print(f"{what}: {seconds:.2f} s, peak memory {peak:.0f} MB, above idle {peak - idle:.0f} MB")


if __name__ == "__main__":
    main()
