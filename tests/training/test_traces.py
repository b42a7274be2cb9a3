"""How often a run turns its network into a graph, which takes seconds each time."""

from __future__ import annotations

import keras
import pytest

import marsseg_core as marsseg


@pytest.fixture
def traces(monkeypatch):
    """A list that gets an item whenever TensorFlow calls a network while it builds a graph."""
    import tensorflow

    call, found, depth = keras.Model.__call__, [], [0]

    def counted(self, *args, **values):
        if not depth[0] and not tensorflow.executing_eagerly():
            found.append(self.name)
        depth[0] += 1
        try:
            return call(self, *args, **values)
        finally:
            depth[0] -= 1

    monkeypatch.setattr(keras.Model, "__call__", counted)
    return found


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it counts TensorFlow's graphs")
def test_a_run_with_its_report_makes_one_graph_to_train_and_one_to_predict(traces, tmp_path):
    run = marsseg.run(
        arch="unet:width=0.125:depth=1:convolutions=1",
        data="synthetic:count=20:height=16:width=16",
        epochs=2,
        batch=2,
        out=tmp_path / "run",
    )
    assert len(traces) == 2, traces
    assert (tmp_path / "run" / "figures" / "tiles.png").is_file()
    stored = marsseg.load(tmp_path / "run")
    for weight, saved in zip(run.network.weights, stored.weights, strict=True):
        assert (keras.ops.convert_to_numpy(weight) == keras.ops.convert_to_numpy(saved)).all()
