import os
import sys

import pytest

from marsseg_core.components.tasks import ExecutorSpec, Task
from marsseg_core.errors import RequestError
from marsseg_core.testing import ExecutorContract
from marsseg_plugins.executors.slurm import Slurm

GROUP = "marsseg_core.testing.executors:group"

pytest.importorskip("submitit", reason="submitit is not installed: marsseg[slurm]")


@pytest.fixture(autouse=True)
def local_disk(monkeypatch):
    """The result of a job is there when the job ends: submitit would wait for it, as for a file on NFS."""
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)


class TestSlurm(ExecutorContract):
    component = Slurm(cluster="local", time=5)
    name = "slurm"


def done(workers, task):
    workers.submit(task)
    while not (results := workers.wait(1.0)):
        pass
    return results[0]


def test_several_nodes_do_a_training_together(tmp_path):
    with Slurm(cluster="local", time=5, nodes=2).start(ExecutorSpec(tmp_path)) as workers:
        together = done(workers, Task("together", GROUP, together=True))
        alone = done(workers, Task("alone", GROUP))
    assert (together.value["count"], together.value["index"]) == (2, 0), together.error
    assert together.value["coordinator"].rpartition(":")[2].isdecimal()
    assert alone.value == {"count": 1, "index": 0, "coordinator": ""}


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Commands of SLURM that only note how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {
        "srun": "",
        "sbatch": f'cp "$1" {tmp_path}/job.sh; echo Submitted batch job 42',
        "scancel": f'echo "$@" > {tmp_path}/cancelled',
        "sacct": f"echo 'JobID|State|NodeList'; test -e {tmp_path}/cancelled && echo '42|CANCELLED|n1'",
    }
    for name, text in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="SLURM needs POSIX")
def test_a_job_has_the_parameters_and_is_cancelled(queue):
    words = {"partition": "gpu", "account": "mars", "qos": "long", "constraint": "a100"}
    executor = Slurm(nodes=3, time=30, cpus=4, gpus=1, memory=8.5, **words)
    with executor.start(ExecutorSpec(queue)) as workers:
        workers.submit(Task("a", "marsseg_core.testing.executors:echo", {"value": 1}))
    lines = {line.removeprefix("#SBATCH --") for line in (queue / "job.sh").read_text().splitlines()}
    assert {f"{name}={value}" for name, value in words.items()} <= lines
    assert {"nodes=3", "time=30", "cpus-per-task=4", "gpus-per-node=1", "mem=8704MB", "signal=USR2@90"} <= lines
    assert (queue / "cancelled").read_text() == "42\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SLURM needs POSIX")
def test_a_job_that_the_queue_refuses_is_a_wrong_request(queue):
    lines = ["invalid partition specified: gpus", "Batch job submission failed: Invalid partition name specified"]
    said = "; ".join(f"echo sbatch: error: {line} >&2" for line in lines)
    (queue / "bin" / "sbatch").write_text(f"#!/bin/sh\n{said}; exit 1\n")
    task = Task("a", "marsseg_core.testing.executors:echo", {"value": 1})
    with (
        Slurm(partition="gpus").start(ExecutorSpec(queue)) as workers,
        pytest.raises(RequestError, match="Invalid partition name specified") as error,
    ):
        workers.submit(task)
    assert error.value.where == "--on slurm"
    assert "partition, account" in error.value.hint


def test_without_a_queue_the_error_says_how_to_try_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for begin in (Slurm().check, lambda: Slurm().start(ExecutorSpec(tmp_path))):
        with pytest.raises(RequestError, match="no SLURM on this machine") as error:
            begin()
        assert "slurm:cluster=local" in str(error.value.hint)


@pytest.mark.parametrize(
    "words", ["sweep --vary loss=wssce --vary loss=dice", "ablate --loss wssce --loss dice", "run --seeds 2"]
)
def test_without_a_queue_no_folder_is_made(cli, tmp_path, words):
    answer = cli(*words.split(), "--data", "synthetic", "--on", "slurm", "--out", "folder", PATH="")
    assert (answer.code, "no SLURM on this machine" in answer.err) == (2, True), answer.err
    assert not (tmp_path / "folder").exists()


def test_without_submitit_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RequestError) as error:
        Slurm().start(ExecutorSpec(tmp_path))
    assert error.value.hint == 'Install it: pip install "marsseg[slurm]"'
