import sys

import pytest

from marsseg_core.components.tasks import ExecutorSpec
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
