"""What the tests of predictions share: a tiny finished run, its network, and scenes of any size."""

from __future__ import annotations

import numpy as np
import pytest

import marsseg_core as marsseg


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    """An .npz file of 24 labelled images of 16 × 32 pixels and 7 without labels."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    labelled, more = (Synthetic(count=count, height=16, width=32, seed=count).load() for count in (24, 7))
    path = tmp_path_factory.mktemp("predict") / "scenes.npz"
    together = np.stack([labelled.images[..., 0], labelled.masks], axis=1)
    np.savez(path, training_set=together, test_set=more.images[..., 0])
    return path


@pytest.fixture(scope="module")
def run(data_file):
    """A finished run of a tiny network, which has also learned the ignored class background."""
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "data": str(data_file)}
    return marsseg.run(**words, epochs=10, learning_rate=0.01, learn_ignored=True, out=data_file.parent / "run").path


@pytest.fixture(scope="module")
def network(run):
    return marsseg.load(run)


@pytest.fixture
def scene():
    """`scene(50, 70)` → a grey image of that size, (50, 70, 1) uint8."""

    def make(height, width, seed=0):
        from marsseg_plugins.datasets.synthetic import Synthetic

        large = Synthetic(count=1, height=max(height, 8), width=max(width, 8), seed=seed).load().images[0]
        return large[:height, :width]

    return make
