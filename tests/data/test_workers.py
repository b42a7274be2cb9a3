"""Worker processes make the same batches as the training's own process, and none of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children

import numpy as np
import pytest

from marsseg_core.data import worker_pool
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.sharing import SPAWN, share
from marsseg_core.data.worker import Failed, Made, _store, load, room_for, serve
from marsseg_core.data.worker_pool import WorkerPool
from marsseg_core.errors import PluginError, RunError
from marsseg_core.messages import log_waiting


def brighten(images, masks, generators):
    for image, generator in zip(images, generators, strict=True):
        image += np.float32(generator.uniform())
    return images, masks


def distances(masks):
    return np.stack([masks, masks], axis=-1).astype(np.float32)


def batches(**options):
    random = np.random.default_rng(0)
    images, masks = random.integers(0, 256, (8, 64, 64, 3), np.uint8), random.integers(0, 3, (8, 64, 64), np.uint8)
    data = SegmentationData(images, masks, ("a", "b", "c"))
    transforms, targets = [(brighten, 0.5)], {"boundary": distances}
    return TrainingBatches(data, np.arange(8), transforms, batch=4, seed=0, targets=targets, **options)


class Numbers:
    """Batches that fail in epoch 1, and end their process in epoch 2."""

    epoch = 0

    def __getitem__(self, index):
        if self.epoch == 1:
            raise PluginError("The augmentation failed.", where="mine.py:7", hint="Correct it.")
        if self.epoch == 2:
            os._exit(3)
        return np.full(3, index), np.full(3, self.epoch)


class Unopened:
    """An object whose pickle cannot be opened."""

    def __reduce__(self):
        return open_nothing, ()


def open_nothing():
    raise ModuleNotFoundError("No module named 'dunes'")


def assert_same(batch, other):
    assert np.array_equal(batch[0], other[0])
    for name, labels in other[1].items():
        assert np.array_equal(batch[1][name], labels)
        assert batch[1][name].dtype == labels.dtype


@pytest.fixture
def pool():
    """`pool(batches)` is a pool of one process."""
    pools = []

    def start(source, size=1000, count=1):
        pools.append(WorkerPool(source, count, size))
        return pools[-1]

    yield start
    for each in pools:
        each.close()
    assert not active_children()


class TestServe:
    """The function that a worker process runs, called in this process."""

    @pytest.fixture
    def answers(self, monkeypatch):
        """`answers(object, requests)` is what a worker sends."""
        monkeypatch.setattr(signal, "signal", lambda *arguments: None)

        def ask(source, *requests, room=1000):
            ours, its = SPAWN.Pipe()
            block = SPAWN.RawArray("B", room)
            for request in requests:
                ours.send(request)
            ours.send(None)  # not a request: it fails, as a closed connection would, but leaves the answers readable
            with pytest.raises(TypeError):
                serve(its, block, share(source))
            return [ours.recv() for _ in range(len(requests) + 1)], block

        return ask

    def test_first_says_that_it_is_ready(self, answers):
        (ready, made), block = answers(Numbers(), (4, 5))
        assert ready is None
        images, masks = load(made, block)
        assert (images == 5).all()
        assert (masks == 4).all()

    def test_an_exception_is_an_answer(self, answers):
        (_, failed, made), _ = answers(Numbers(), (1, 0), (3, 0))
        assert isinstance(failed, Failed)
        assert str(failed.error) == "The augmentation failed. [mine.py:7] Correct it."
        assert "in __getitem__" in failed.traceback
        assert isinstance(made, Made)

    def test_what_cannot_be_opened_is_said(self, monkeypatch):
        monkeypatch.setattr(signal, "signal", lambda *arguments: None)
        ours, its = SPAWN.Pipe()
        serve(its, None, share(Unopened()))
        assert ours.recv() == "ModuleNotFoundError: No module named 'dunes'"


@pytest.mark.parametrize("room", [0, 50_000, 300_000])
def test_arrays_that_do_not_fit_into_the_block_come_without_it(room):
    made = batches()
    block = SPAWN.RawArray("B", room)
    loaded = load(_store(made[0], block), block)
    assert_same(loaded, made[0])
    loaded[0][:] = 0  # a copy, so that the next batch does not change it
    assert_same(load(_store(made[0], block), block), made[0])


def test_the_room_for_a_batch_holds_all_of_it():
    made = batches()
    block = SPAWN.RawArray("B", room_for(made[1]))
    assert len(_store(made[1], block).pickled) < 1000


def test_a_process_makes_the_same_batches_until_it_is_killed(pool, caplog):
    made = batches()
    workers = pool(made, room_for(made[0]))
    for made.epoch in (0, 3):
        for index in range(len(made)):
            assert_same(workers.make(made.epoch, index), made[index])
    (process,) = active_children()
    os.kill(process.pid, signal.SIGKILL)
    assert workers.make(0, 0) is None
    assert workers.make(0, 1) is None
    log_waiting()
    assert caplog.messages == ["Batches are prepared by threads, not by worker processes: a process ended (signal 9)."]


def test_a_failure_arrives_with_its_message_and_a_crash_ends_the_run(pool, caplog):
    workers = pool(Numbers())
    with pytest.raises(PluginError, match="failed") as failure:
        workers.make(1, 0)
    assert (failure.value.where, failure.value.hint) == ("mine.py:7", "Correct it.")
    assert "in __getitem__" in str(failure.value.__cause__)
    assert (workers.make(0, 7)[0] == 7).all()
    with pytest.raises(RunError, match=r"ended its process: a process ended \(exit code 3\)"):
        workers.make(2, 0)
    log_waiting()
    assert not caplog.messages


def test_what_cannot_be_shared_is_said_once_and_starts_nothing(pool, caplog):
    made = batches()
    made._transforms = ((lambda *arguments: arguments[:2], 1.0),)
    workers = pool(made, count=4)
    assert workers.make(0, 0) is None
    assert not active_children()
    log_waiting()
    assert len(caplog.messages) == 1
    assert "Batches are prepared by threads, not by worker processes:" in caplog.messages[0]


def test_a_system_without_processes_is_no_error(pool, caplog, monkeypatch):
    def refuse(*arguments):
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr(worker_pool.SPAWN, "Pipe", refuse)
    assert pool(Numbers()).make(0, 0) is None
    log_waiting()
    assert "Resource temporarily unavailable" in caplog.messages[0]


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
print("the script runs", flush=True)
from multiprocessing import active_children
from test_workers import Numbers
from marsseg_core.data.worker_pool import WorkerPool
pool = WorkerPool(Numbers(), 1, 1000)
assert pool.make(0, 7)[0][0] == 7
print(active_children()[0].pid, flush=True)
time.sleep(60)
"""


def test_a_script_without_a_guard_runs_once_and_its_workers_end_with_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), os.path.dirname(__file__)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "the script runs\n"
        worker = int(process.stdout.readline())
        process.kill()
        rest, errors = process.communicate(timeout=60)
    assert not rest
    assert not errors
    for _ in range(600):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker outlives its training")
