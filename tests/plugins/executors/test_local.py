from marsseg_core.components.tasks import ExecutorSpec
from marsseg_core.testing import ExecutorContract
from marsseg_plugins.executors.local import Local, _environment


class TestLocal(ExecutorContract):
    component = Local()
    name = "local"


def test_processes_share_the_processors(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(8), raising=False)
    assert _environment(3, None)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert _environment(20, None)["OMP_NUM_THREADS"] == "1"
    assert _environment(3, 5)["OMP_NUM_THREADS"] == "5"
    assert _environment(1, 4)["OMP_NUM_THREADS"] == "4"


def test_a_single_process_is_like_that_of_a_run(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    assert "TF_NUM_INTRAOP_THREADS" not in _environment(1, None)


def test_a_process_starts_with_its_first_task(tmp_path):
    with Local().start(ExecutorSpec(tmp_path, jobs=3)) as workers:
        assert workers.places == 3
    assert not [*tmp_path.iterdir()]
