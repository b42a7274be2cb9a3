import os
import sys

import pytest

from marsseg_core.components.tasks import ExecutorSpec, Task
from marsseg_core.errors import RequestError
from marsseg_core.testing import ExecutorContract
from marsseg_plugins.executors.slurm import Slurm

pytest.importorskip("submitit", reason="submitit is not installed: marsseg[slurm]")


@pytest.fixture(autouse=True)
def local_disk(monkeypatch):
    """The result of a job is there when the job ends: submitit would wait for it, as for a file on NFS."""
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)


class TestSlurm(ExecutorContract):
    component = Slurm(cluster="local", time=5)
    name = "slurm"


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
    executor = Slurm(time=30, cpus=4, gpus=1, memory=8.5, **words)
    with executor.start(ExecutorSpec(queue)) as workers:
        workers.submit(Task("a", "marsseg_core.testing.executors:echo", {"value": 1}))
    lines = {line.removeprefix("#SBATCH --") for line in (queue / "job.sh").read_text().splitlines()}
    assert {f"{name}={value}" for name, value in words.items()} <= lines
    assert {"time=30", "cpus-per-task=4", "gpus-per-node=1", "mem=8704MB", "signal=USR2@90"} <= lines
    assert (queue / "cancelled").read_text() == "42\n"


def test_without_a_queue_the_error_says_how_to_try_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RequestError, match="no SLURM on this machine") as error:
        Slurm().start(ExecutorSpec(tmp_path))
    assert "slurm:cluster=local" in str(error.value.hint)


def test_without_submitit_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RequestError) as error:
        Slurm().start(ExecutorSpec(tmp_path))
    assert error.value.hint == 'Install it: pip install "marsseg[slurm]"'
