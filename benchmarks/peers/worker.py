"""Measure one network in a process of its own: `compare.py` starts this script, and writes what to do line by line."""

import importlib
import json
import sys

from measure import peak, timed
from networks import PEERS


def measure(name, images, height, width, batch, answer):
    """Build the network of a peer, then do what each line of the standard input says."""
    peer = next(peer for peer in PEERS if peer.name == name)
    from marsseg_plugins.datasets.synthetic import Synthetic

    data = Synthetic(count=images, height=height, width=width).load()
    side = importlib.import_module(peer.side)
    importlib.import_module(peer.package)
    imported = peak()
    contender = side.Contender(peer.build(height, width), data, batch)
    contender.predict()  # also traces or compiles
    contender.predict()
    predicting = peak() - imported
    contender.train()
    answer(value=None)
    for line in map(str.strip, sys.stdin):
        if line == "end":
            training = peak() - imported
            answer(value=[*contender.cost(), training, predicting])
            return
        answer(value=timed(contender.train if line == "train" else contender.predict, images // batch))


def main():
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    name, *sizes = sys.argv[1:]
    images, height, width, batch = map(int, sizes)

    def answer(**words):
        print(json.dumps(words), file=answers, flush=True)

    try:
        measure(name, images, height, width, batch, answer)
    except Exception as error:
        answer(error=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        raise


if __name__ == "__main__":
    main()
