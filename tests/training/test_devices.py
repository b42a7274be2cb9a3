"""Several devices and processes train one network together, as one device would."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers.processes import PLAIN_TERMINAL, run_process

import marsseg_core as marsseg
from marsseg_core.conventions import VOID
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.views import ViewBatches
from marsseg_core.errors import RequestError
from marsseg_core.networks.processes import Processes, processes
from marsseg_core.training.distribution import check_devices
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.augmentations.noise import Noise

COUNT, BATCH = 22, 8


def numbered():
    """Images whose pixels are their numbers, without a void pixel."""
    images = np.broadcast_to(np.arange(COUNT).reshape(-1, 1, 1, 1), (COUNT, 4, 4, 1)).astype(np.uint8)
    return SegmentationData(images, np.ones((COUNT, 4, 4), np.uint8), ("sky", "ground"), (0,))


def batches(part=(0, 1), *, fill=True, transforms=(), batch=BATCH):
    return TrainingBatches(numbered(), np.arange(COUNT), transforms, batch=batch, seed=0, fill=fill, part=part)


def counted(*makers, epoch=0):
    """How often each image has pixels that count in an epoch of all these processes."""
    times = np.zeros(COUNT, int)
    for maker in makers:
        maker.epoch = epoch
        for index in range(len(maker)):
            images, masks = maker[index]
            numbers = np.rint(images[:, 0, 0, 0] * 255).astype(int)
            np.add.at(times, numbers[(masks != VOID).all(axis=(1, 2))], 1)
    return times.tolist()


class TestTheBatches:
    @pytest.mark.parametrize("count", [1, 2, 4])
    @pytest.mark.parametrize("epoch", [0, 5])
    def test_each_image_counts_once_in_an_epoch_of_all_processes(self, count, epoch):
        assert counted(*(batches((i, count)) for i in range(count)), epoch=epoch) == [1] * COUNT

    def test_each_image_counts_once_where_there_are_fewer_than_a_batch(self):
        makers = [batches((i, 4), batch=64) for i in range(4)]
        assert counted(*makers) == [1] * COUNT
        assert all(len(maker) == 1 and len(maker[0][0]) == 16 for maker in makers)

    def test_the_last_batch_is_filled_with_other_images_that_are_void(self):
        maker = batches()
        assert len(maker) == 3
        images, masks = maker[2]
        assert (masks[6:] == VOID).all()
        np.testing.assert_array_equal(images[6:], maker[0][0][:2])

    def test_without_devices_an_incomplete_batch_is_dropped_as_before(self):
        maker = batches(fill=False)
        assert len(maker) == 2
        assert sum(counted(maker)) == 16

    def test_the_parts_are_the_batch_of_one_process(self):
        transforms = [(HFlip()._warp_transform(), 0.5), (Noise().apply, 0.5)]
        whole, *parts = (batches(part, transforms=transforms) for part in ((0, 1), (0, 2), (1, 2)))
        for index in range(3):
            for array, of_parts in zip(whole[index], zip(*(part[index] for part in parts), strict=True), strict=True):
                np.testing.assert_array_equal(np.concatenate(of_parts), array)

    def test_an_augmentation_cannot_bring_labels_into_an_image_that_is_void(self):
        def paste(images, masks, generators):
            return images, np.zeros_like(masks)

        assert (batches(transforms=[(paste, 1.0)])[2][1][6:] == VOID).all()

    @pytest.mark.parametrize("cutmix", [0.0, 1.0])
    def test_the_parts_of_views_are_those_of_one_process(self, cutmix):
        images = np.random.default_rng(0).integers(0, 255, (9, 6, 8, 1)).astype(np.uint8)
        words = {"batch": 4, "seed": 3, "size": (6, 8), "cutmix": cutmix}
        whole, *parts = (
            ViewBatches(images, [], [(Noise().apply, 1.0)], part=part, **words) for part in ((0, 1), (0, 2), (1, 2))
        )
        for index in range(2):
            expected = whole.make(1, index, 2)
            made = [part.make(1, index, 2) for part in parts]
            for name, array in expected.items():
                np.testing.assert_array_equal(np.concatenate([views[name] for views in made]), array)


VARIABLES = {"MARSSEG_COORDINATOR": "127.0.0.1:4321", "MARSSEG_PROCESSES": "2", "MARSSEG_PROCESS": "1"}


@pytest.fixture
def of_two(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


class TestTheVariables:
    def test_without_them_the_process_is_alone(self):
        assert processes() == Processes()

    def test_they_describe_the_processes(self, of_two):
        assert processes() == Processes(2, 1, "127.0.0.1:4321")
        assert not processes().leads

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("MARSSEG_COORDINATOR", "", "MARSSEG_COORDINATOR is not set, but MARSSEG_PROCESSES is"),
            ("MARSSEG_COORDINATOR", "host", "'host' is not an address"),
            ("MARSSEG_PROCESSES", "none", "'none' is not a whole number of at least 1"),
            ("MARSSEG_PROCESS", "2", "There is no process 2 of 2: the numbers are 0 to 1"),
        ],
    )
    def test_one_that_is_wrong_is_named(self, of_two, monkeypatch, name, text, words):
        monkeypatch.setenv(name, text)
        with pytest.raises(RequestError, match=words):
            processes()


class TestWhatIsRefused:
    @pytest.fixture
    def on_jax(self, monkeypatch):
        monkeypatch.setattr("marsseg_core.training.distribution.chosen_backend", lambda: "jax")

    def test_a_batch_that_cannot_be_divided(self, on_jax):
        with pytest.raises(RequestError, match="A batch of 6 images cannot be divided equally among 4 devices"):
            check_devices(marsseg.plan(batch=6, devices=4))

    def test_a_batch_without_labels_that_cannot_be_divided(self, on_jax):
        plan = marsseg.plan(batch=8, devices=4, semi="mean_teacher:batch=6", unlabelled="unused")
        with pytest.raises(RequestError, match="A batch of 6 images") as error:
            check_devices(plan)
        assert error.value.where == "semi.mean_teacher.batch=6"

    def test_a_batch_that_the_devices_of_all_processes_cannot_divide(self, on_jax, of_two):
        with pytest.raises(RequestError, match="among 8 devices"):
            check_devices(marsseg.plan(batch=12, devices=4))

    def test_several_processes_of_which_each_would_train_alone(self, on_jax, of_two):
        with pytest.raises(RequestError, match="There are 2 processes, but the plan uses one device") as error:
            check_devices(marsseg.plan())
        assert "--devices all" in error.value.hint

    def test_several_devices_on_tensorflow(self, cli, monkeypatch):
        monkeypatch.setattr("marsseg_core.training.distribution.chosen_backend", lambda: "tensorflow")
        answer = cli("run", "--devices", "2", "--data", "synthetic")
        assert answer.code == 2
        assert "Several devices need Keras on JAX; the backend is 'tensorflow'" in answer.err
        assert "KERAS_BACKEND=jax" in answer.err

    def test_more_devices_than_there_are(self, monkeypatch, on_jax):
        import keras

        from marsseg_core.training.distribution import devices_of

        monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", "cpu:1"])
        with pytest.raises(RequestError, match="There are not 4 devices here, but 2: cpu:0, cpu:1"):
            devices_of(marsseg.plan(devices=4))

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (("run", "--seeds", "2", "--data", "synthetic"), "a series"),
            (("sweep", "--vary", "training.epochs=1,2", "--data", "synthetic"), "a sweep"),
        ],
    )
    def test_several_runs_in_processes_that_train_one(self, cli, words, what):
        answer = cli(*words, **VARIABLES, KERAS_BACKEND="tensorflow")
        assert answer.code == 2
        assert f"they cannot share {what}" in answer.err


def test_one_device_that_is_named_works_on_every_backend(without_observers, tmp_path):
    """Then each image counts once, as on several devices: 14 images in batches of 4 are 4 steps."""
    data = "synthetic:count=20:height=16:width=32"
    words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": data, "batch": 4, "epochs": 1}
    run = marsseg.run(out=tmp_path / "run", devices=1, **words)
    assert (len(run.split.train), run.steps_per_epoch) == (14, 4)
    assert run.plan.to_toml().count("devices = 1") == 1


EPOCHS = 20
WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "loss": "ssce,dice",
    "augment": "hflip,rockmix",
    "schedule": "plateau:patience=2",
    "data": "synthetic:count=27:height=16:width=32",  # 19 train in batches of 4
}
ALONE = """
import json, sys
import marsseg_core as marsseg

words = json.loads(sys.argv[1])
losses = {}
for devices, epochs in ((1, 3), (2, int(sys.argv[2])), (4, 3)):
    run = marsseg.run(out=f"devices-{devices}", batch=4, epochs=epochs, devices=devices, **words)
    losses[devices] = [row["loss"] for row in run.history]
    assert run.network.predict(run.data.images[:3] / 255, verbose=0).shape == (3, 16, 32, 5)
print(json.dumps(losses))
"""


def environment(folder):
    """On JAX, whose compiled steps are kept for the next process."""
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return {"KERAS_BACKEND": "jax", "MARSSEG_DISABLE": "report,progress", "OMP_NUM_THREADS": "1"} | cache


def losses(run):
    with (run / "history.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def pair(folder, *words):
    """The command in two processes of this machine that train together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for number in range(2):
        wanted = os.environ | PLAIN_TERMINAL | environment(folder) | {"MARSSEG_COORDINATOR": f"127.0.0.1:{port}"}
        wanted |= {"MARSSEG_PROCESSES": "2", "MARSSEG_PROCESS": str(number)}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", "from marsseg_core.cli.main import main; main()", *words],
                cwd=folder,
                env={key: value for key, value in wanted.items() if value is not None},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            )
        )
    return started


def kill(started, number, run, epochs):
    """SIGKILL one of the processes once so many epochs are recorded; return what the other one left."""
    deadline = time.monotonic() + 120
    while not (run / "history.csv").is_file() or len(losses(run)) < epochs:
        assert time.monotonic() < deadline
        assert started[number].poll() is None, started[number].communicate()
        time.sleep(0.05)
    started[number].send_signal(signal.SIGKILL)
    started[number].communicate(timeout=30)
    other = started[1 - number]
    out, err = other.communicate(timeout=60)
    return other.returncode, out, err


@pytest.mark.slow
class TestTogether:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        pytest.importorskip("jax")
        return tmp_path_factory.mktemp("together")

    @pytest.fixture(scope="class")
    @classmethod
    def alone(cls, folder):
        """The losses of each epoch in one process with 1, 2 and 4 devices."""
        four = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
        words = (sys.executable, "-c", ALONE, json.dumps(WORDS), str(EPOCHS))
        answer = run_process(*words, cwd=folder, **environment(folder), **four)
        assert answer.code == 0, answer.err
        return {int(devices): values for devices, values in json.loads(answer.out).items()}

    @pytest.fixture(scope="class")
    @classmethod
    def killed(cls, folder):
        """A run of two processes: process 1 is killed, then process 0 of the resumed run, which is resumed again."""
        options = [word for name, text in WORDS.items() for word in (f"--{name}", text)]
        options += ["--batch", "4", "--epochs", str(EPOCHS), "--devices", "all", "--out", "pair"]
        first = kill(pair(folder, "run", *options), 1, folder / "pair", 3)
        second = kill(pair(folder, "run", "--resume", "pair"), 0, folder / "pair", 8)
        last = []
        for process in pair(folder, "run", "--resume", "pair"):
            out, err = process.communicate(timeout=120)
            last.append((process.returncode, out, err))
        return first, second, last

    def test_1_2_and_4_devices_agree(self, alone):
        assert alone[2][:3] == pytest.approx(alone[1], abs=1e-3)
        assert alone[4] == pytest.approx(alone[1], abs=1e-3)

    def test_two_processes_agree_with_two_devices_of_one(self, alone, killed, folder):
        assert losses(folder / "pair")[:3] == pytest.approx(alone[1], abs=1e-3)
        assert losses(folder / "pair") == pytest.approx(alone[2], abs=1e-3)

    def test_when_one_is_killed_the_other_ends_and_both_can_resume(self, killed, folder):
        (code, _, err), second, last = killed
        assert code == 1
        assert "Perhaps another process has ended" in err
        assert second[0] != 0
        assert [code for code, _, _ in last] == [0, 0], last
        log = (folder / "pair" / "log.txt").read_text()
        assert log.count("resumed after epoch") == 2
        assert [log.count(f"epoch {epoch}/{EPOCHS}") for epoch in (1, EPOCHS)] == [1, 1]

    def test_process_0_alone_writes_and_prints(self, killed, folder):
        (_, first, _), (_, second, _) = killed[2]
        assert "network of epoch" in first
        assert second == ""
        others = {"compiled", *(f"devices-{count}" for count in (1, 2, 4))}
        assert {path.name for path in folder.iterdir()} - others == {"pair"}
