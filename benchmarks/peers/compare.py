"""Compare marsseg's networks with those of other packages: training step, prediction, peak memory.

    python benchmarks/peers/compare.py [--only unet --only dense] [--rounds 5]

README.md beside this script says how to set up its environment. Each network runs in a process of its own, with two
threads. The networks of one group take turns; the script prints the medians of all rounds as a table in Markdown.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from networks import PEERS

THREADS = "2"
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": THREADS,
    "OMP_WAIT_POLICY": "PASSIVE",  # a thread of PyTorch that waits for another takes no processor time
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": THREADS,
    "TF_NUM_INTRAOP_THREADS": THREADS,
}
HEAD = """\
| network | parameters | GMAC | step | wall | ps/MAC | memory | prediction | wall | ps/MAC | memory |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


class Worker:
    """A process that measures one network. Its times are in milliseconds per batch: processor time, wall time."""

    def __init__(self, peer, options):
        self.peer = peer
        self.times: dict[str, list[list[float]]] = {"train": [], "predict": []}
        words = [peer.name, options.images, options.height, options.width, options.batch]
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("worker.py"), *map(str, words)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            encoding="utf-8", env=os.environ | ENVIRONMENT,
        )  # fmt: skip

    def answer(self):
        """Return the process's next answer. Raises RuntimeError where it is an error, or the process has ended."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"its process ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def ask(self, question):
        print(question, file=self._process.stdin, flush=True)
        return self.answer()

    def measure(self):
        for question, times in self.times.items():
            times.append(self.ask(question))

    def row(self, batch):
        parameters, macs, *memory = self.ask("end")
        cells = [self.peer.name, f"{parameters:,}", f"{macs / 1e9:.2f}"]
        for times, megabytes in zip(self.times.values(), memory, strict=True):
            processor, wall = map(statistics.median, zip(*times, strict=True))
            cells += [f"{processor:,.0f} ms", f"{wall:,.0f} ms", f"{1e9 * processor / (batch * macs):.0f}"]
            cells.append(f"{megabytes:,.0f} MB")
        return f"| {' | '.join(cells)} |"


def compare(group, options):
    """Print the rows of one group of networks. A network that cannot be measured is skipped, with a message."""
    workers: list[Worker] = []

    def attempt(worker, method, *arguments):
        try:
            return method(worker, *arguments)
        except (RuntimeError, BrokenPipeError) as error:
            print(f"skipped: {worker.peer.name}: {error}", file=sys.stderr, flush=True)
            workers.remove(worker)

    for peer in PEERS:
        if peer.group == group and find_spec(peer.package) is None:
            print(f"skipped: {peer.name}: the package {peer.package} is not installed", file=sys.stderr, flush=True)
        elif peer.group == group:
            workers.append(Worker(peer, options))
    for worker in workers.copy():
        attempt(worker, Worker.answer)
    for _ in range(options.rounds):
        for worker in workers.copy():
            attempt(worker, Worker.measure)
    for worker in workers.copy():
        if row := attempt(worker, Worker.row, options.batch):
            print(row, flush=True)


def main():
    groups = list(dict.fromkeys(peer.group for peer in PEERS))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=groups, action="append", help="a group of networks to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=16, help="images of a round; a multiple of the batch")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    if options.images % options.batch:
        parser.error(f"--images {options.images} is not a multiple of --batch {options.batch}")
    print(HEAD, flush=True)
    for group in options.only or groups:
        compare(group, options)


if __name__ == "__main__":
    main()
