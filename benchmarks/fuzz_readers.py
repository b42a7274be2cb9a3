"""Damage valid files at random and read them: the result must be a RequestError or valid content.

    python benchmarks/fuzz_readers.py [--inputs 100000] [--kinds "plan.toml,npz"] [--seed 0] [--memory 4]

Each kind of file gets its share of the inputs (`benchmarks/fuzzing/`). The script prints for each kind how many files
were tried, how many were still readable, and the longest time that one took. A file is saved in the current folder if
reading it ends in any other exception, takes longer than ten seconds twice, or needs more memory than `--memory`, in
GiB above what the libraries need; the exit code is then 1. (libtiff itself writes complaints about TIFF files to
standard error.)
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

# Before TensorFlow is imported: its C++ parts write to standard error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from fuzzing.kind import FileKind, total

SECONDS = 10
SAVED = 5  # files of each kind

MODULES = ("texts", "layouts", "pictures", "networks", "run_files")


class TooSlow(BaseException):
    """Interrupt a reader. It is not an Exception, so that no reader takes it for a damaged file."""


def stop(number: int, frame: object) -> None:
    raise TooSlow


def failure_of(kind: FileKind, path: Path, counts: Counter[str]) -> BaseException | None:
    """Read a file; return what went wrong, or None if it was read or refused as it should be."""
    from marsseg_core.errors import RequestError

    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        counts["readable"] += kind.read(path)
    except RequestError as error:
        return error.__cause__ if isinstance(error.__cause__, MemoryError) else None
    except (Exception, TooSlow) as failure:
        return failure
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def fuzz(kind: FileKind, inputs: int, seed: int, folder: Path) -> tuple[Counter[str], float]:
    """Read so many damaged files of a kind; return the counts and the longest time of a file."""
    rng = random.Random(f"{seed} {kind.name}")
    seeds = kind.seeds()
    path = folder / kind.file
    path.parent.mkdir(parents=True, exist_ok=True)
    counts, longest = Counter[str](), 0.0
    path.write_bytes(seeds[0])
    assert kind.read(path), f"a valid {kind.name} is not readable"  # then the script would find nothing
    for number in range(inputs):
        content = kind.mutate(rng, rng.choice(seeds), rng.choice(seeds))
        path.write_bytes(content)
        start = time.perf_counter()
        failure = failure_of(kind, path, counts)
        if isinstance(failure, TooSlow):  # a busy machine may stand still for seconds, so it counts only twice
            failure = failure_of(kind, path, counts)
        longest = max(longest, time.perf_counter() - start)
        if failure is not None:
            counts["failed"] += 1
            if counts["failed"] <= SAVED:
                saved = Path(f"fuzz-{kind.name.replace(' ', '-')}-{seed}-{number}")
                saved.write_bytes(content)
                print(f"{saved}: {type(failure).__name__}: {failure}"[:300], file=sys.stderr, flush=True)
    path.write_bytes(seeds[0])  # other kinds may be in the same folder
    return counts, longest


def limit_memory(gibibytes: float) -> None:
    """Limit the address space of this process to so much more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + int(gibibytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=float, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns before it fails
    faulthandler.enable()  # a crash in a C library shows where it happened
    signal.signal(signal.SIGALRM, stop)
    wanted = options.kinds.split(",") if options.kinds else []
    failed, tried, begin = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = Path(name)
        os.environ["MARSSEG_CACHE"] = str(folder / "cache")
        sys.path.insert(0, name)  # the sources of plugins are found there
        modules = [__import__(f"fuzzing.{module}", fromlist=["KINDS"]) for module in MODULES]
        kinds = [kind for module in modules for kind in module.KINDS]
        chosen = [kind for kind in kinds if not wanted or kind.name in wanted]
        limit_memory(options.memory)
        print(f"{'kind':15} {'tried':>9} {'readable':>9} {'refused':>9} {'failed':>7} {'longest':>8} {'minutes':>8}")
        for kind in chosen:
            start = time.monotonic()
            inputs = round(options.inputs * kind.share / total(chosen))
            counts, longest = fuzz(kind, inputs, options.seed, folder)
            refused = inputs - counts["readable"] - counts["failed"]
            minutes = (time.monotonic() - start) / 60
            print(
                f"{kind.name:15} {inputs:9,} {counts['readable']:9,} {refused:9,} {counts['failed']:7,} "
                f"{longest:6.2f} s {minutes:8.1f}",
                flush=True,
            )
            failed, tried = failed + counts["failed"], tried + inputs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    minutes = (time.monotonic() - begin) / 60
    print(f"{tried:,} files in {minutes:.0f} minutes, seed {options.seed}: {failed:,} failed; {peak:.1f} GiB at most")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
