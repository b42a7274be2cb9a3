import os
import sys

import pytest
from helpers.clusters import ray_cluster

from marsseg_core.components.tasks import ExecutorSpec, Task
from marsseg_core.errors import RequestError
from marsseg_core.testing import ExecutorContract
from marsseg_plugins.executors import ray_tasks
from marsseg_plugins.executors.ray import Ray

pytest.importorskip("ray", reason="ray is not installed: marsseg[ray]")


def result(workers):
    while not (results := workers.wait(1.0)):
        pass
    return results


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(nodes=2), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_tasks, "_PATIENCE", 1.0)  # Ray cannot interrupt the contract's task, which only sleeps
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
class TestRay(ExecutorContract):
    component = Ray()
    name = "ray"

    def test_what_no_node_has_is_refused(self, tmp_path):
        with pytest.raises(RequestError, match="has 1000 CPUs, 3 GPUs, 16 GB of memory"):
            Ray(cpus=1000, gpus=3, memory=16).start(ExecutorSpec(tmp_path))

    def test_several_nodes_do_a_training_together(self, tmp_path):
        with Ray(nodes=2).start(ExecutorSpec(tmp_path)) as workers:
            workers.submit(Task("together", "marsseg_core.testing.executors:group", together=True))
            (together,) = result(workers)
            workers.submit(Task("alone", "marsseg_core.testing.executors:group"))
            (alone,) = result(workers)
            workers.submit(Task("crash", "marsseg_core.testing.executors:crash", together=True))
            (lost,) = result(workers)
        assert (together.value["count"], together.value["index"]) == (2, 0), together.error
        assert together.value["coordinator"].rpartition(":")[2].isdecimal()
        assert alone.value == {"count": 1, "index": 0, "coordinator": ""}
        assert lost.lost

    def test_more_nodes_than_there_are_are_refused(self, tmp_path):
        with pytest.raises(RequestError, match="The Ray cluster has 2 nodes with 1 CPU, not 3"):
            Ray(nodes=3).start(ExecutorSpec(tmp_path))

    def test_it_leaves_the_environment_of_the_users_process_as_it_is(self, tmp_path):
        before = dict(os.environ)
        workers = Ray().start(ExecutorSpec(tmp_path))
        workers.stop()
        assert dict(os.environ) == before


def test_without_a_cluster_the_error_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(RequestError, match="No Ray cluster can be reached") as error:
        Ray().start(ExecutorSpec(tmp_path))
    assert "ray start --head" in str(error.value.hint)


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError) as error:
        Ray().start(ExecutorSpec(tmp_path))
    assert error.value.hint == 'Install it: pip install "marsseg[ray]"'
