"""Which workers prepare the batches of a training, and what they can be given."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.data.sharing import share
from marsseg_core.data.split import Split
from marsseg_core.data.views import ViewBatches, split_views
from marsseg_core.errors import PluginError
from marsseg_core.messages import log_waiting
from marsseg_core.networks.keras_backend.feeding import steady
from marsseg_core.training import feed as module
from marsseg_core.training.assembly import build_batches
from marsseg_core.training.objective import build_objective

AUGMENT = "hflip,rockmix:p=1,noise"
PLUGIN = """
from dataclasses import dataclass
from marsseg_core.plugin_api import Augmentation

@dataclass(frozen=True)
class Darken(Augmentation):
    \"\"\"Darken images.\"\"\"

    def apply(self, images, masks, generators):
        return images / 2, masks
"""


@pytest.fixture(scope="module")
def data():
    return marsseg.dataset("synthetic", count=8, height=16, width=16)


def feed(data, augment=AUGMENT, views=None, **words):
    plan = api.plan(augment=augment, loss="ssce,boundary", data="synthetic", batch=4, **words)
    split = Split(tuple(range(len(data))), (), ())
    return build_batches(plan, data, split, build_objective(plan, data, split), views)


class Pool:
    """Record how many processes would work, and make every batch a number."""

    def __init__(self, batches, count, size):
        self.batches, self.started, self.closed = batches, (count, size), False

    def make(self, epoch, index):
        return 100 * epoch + index

    def close(self):
        self.closed = True


@pytest.fixture
def started(monkeypatch):
    """What was started."""
    pools = []
    monkeypatch.setattr(module, "WorkerPool", lambda *arguments: pools.append(Pool(*arguments)) or pools[-1])
    return pools


@pytest.mark.parametrize(
    ("words", "batch", "epochs", "count"),
    [
        ({}, 1.0, 100, 0),  # one worker
        ({"workers": 4}, 0.001, 100_000, 0),  # short batches
        ({"workers": 4}, 1.0, 2, 0),  # little to do: 2 epochs of 2 batches
        ({"workers": 8}, 1.0, 100, 0),  # no processor is left for the network
        ({"workers": 4}, 1.0, 100, 4),
        ({"workers": 4, "worker_kind": "threads"}, 1.0, 100, 0),
        ({"workers": 3, "worker_kind": "processes"}, 0.001, 1, 3),
        ({"worker_kind": "processes"}, 0.001, 1, 1),
    ],
)
def test_processes_work_where_they_are_chosen_or_pay(data, started, monkeypatch, words, batch, epochs, count):
    batches = feed(data, **words)
    monkeypatch.setattr(module, "processors", lambda: 8)
    times = iter((50.0, 50.0 + batch))
    monkeypatch.setattr(module.time, "thread_time", lambda: next(times))
    with batches.working(epochs):
        assert [pool.started[0] for pool in started] == [count] * bool(count)
        batches.epoch = 3
        assert (batches[1] == 301) if count else (batches[1][0].shape == (4, 16, 16, 1))
    assert all(pool.closed for pool in started)
    assert batches[1][0].shape == (4, 16, 16, 1)


def test_new_labels_of_images_without_labels_reach_the_processes(data, started):
    labels = np.zeros((8, 16, 16), np.uint8)
    views = ViewBatches(data.images, (), (), batch=4, seed=0, size=(16, 16), labels=labels)
    batches = feed(data, views=views, worker_kind="processes")
    with batches.working(1):
        batches.relabel(labels + 1)
        assert [pool.closed for pool in started] == [True, False]
        made = share(started[1].batches).open()[0]
    assert (split_views(made[1])[1]["labels"] == 1).all()
    assert started[1].closed


def test_processes_end_with_a_failed_training(data, started):
    with contextlib.suppress(KeyError), feed(data, worker_kind="processes").working(1):
        raise KeyError
    assert started[0].closed


def test_augmentations_and_targets_that_were_pickled_give_the_same_batches(data):
    batches = feed(data)
    again = share(batches._batches).open()
    for again.epoch in (0, 5):
        batches.epoch = again.epoch
        for index in range(2):
            (images, labels), (same_images, same_labels) = batches[index], again[index]
            np.testing.assert_array_equal(same_images, images)
            for name in ("labels", "targets_boundary"):
                np.testing.assert_array_equal(same_labels[name], labels[name])


def test_the_failure_of_an_augmentation_is_known_to_the_training(data, started, monkeypatch):
    batches = feed(data, worker_kind="processes")

    def fail(*arguments):
        raise PluginError("The augmentation failed.")

    monkeypatch.setattr(Pool, "make", fail)
    with batches.working(1), pytest.raises(PluginError, match="failed"):
        batches[0]
    assert isinstance(batches.failure, PluginError)


def test_a_component_of_a_plugin_file_is_left_to_threads(data, tmp_path, caplog):
    (tmp_path / "dark.py").write_text(PLUGIN)
    batches = feed(data, "darken:p=1", plugins=[tmp_path / "dark.py"], workers=2, worker_kind="processes")
    with pytest.raises(pickle.PicklingError):
        share(batches._batches)
    with batches.working(1):
        assert batches[0][0].max() <= 0.5
        assert batches[1][0].max() <= 0.5
    log_waiting()
    assert caplog.messages == [
        "Batches are prepared by threads, not by worker processes: PicklingError: Darken is not in a module that "
        "another process can import."
    ]


class TestOnTensorFlow:
    """Its autotuning thread would let the training wait after an epoch, sometimes for as long as the epoch took."""

    def test_nothing_tunes_itself_where_one_thread_makes_the_batches(self, data):
        batches = feed(data)
        batches.epoch = 3
        dataset = steady(batches)
        assert dataset.options().autotune.enabled is False
        assert dataset.cardinality() == len(batches)
        for _ in range(2):  # each epoch reads it anew
            given = [*dataset.as_numpy_iterator()]
            assert len(given) == len(batches)
            for index, (images, labels) in enumerate(given):
                expected_images, expected_labels = batches[index]
                np.testing.assert_array_equal(images, expected_images)
                assert labels.keys() == expected_labels.keys()
                for name in labels:
                    np.testing.assert_array_equal(labels[name], expected_labels[name])

    def test_keras_makes_the_batches_of_several_workers(self, data):
        batches = feed(data, workers=2)
        assert steady(batches) is batches
