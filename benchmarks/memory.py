"""Peak memory of reading a course-sized file, beside an idle process that has imported NumPy.

    python benchmarks/memory.py

Writes 2,615 labelled and 10,022 unlabelled items of 64×128 float64, about 1 GB unpacked, into a temporary file first.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
IDLE = f"import numpy; {PEAK}"
READ = (
    "import sys; from pathlib import Path; from marsseg_plugins.datasets.npz import Npz;"
    "from marsseg_plugins.datasets.archive import NpzArchive;"
    "data = Npz(sys.argv[1]).load();"
    "archive = NpzArchive(Path(sys.argv[1])); test = archive.read_test_set();"
    "assert (len(data), len(test)) == (2615, 10022);" + PEAK
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


def peak_megabytes(code: str, *arguments: str) -> float:
    result = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return int(result.stdout) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "course_sized.npz"
        write_course_sized_file(path)
        idle, read = peak_megabytes(IDLE), peak_megabytes(READ, str(path))
    print(f"peak memory: idle {idle:.0f} MB, reading {read:.0f} MB, above idle {read - idle:.0f} MB")


if __name__ == "__main__":
    main()
