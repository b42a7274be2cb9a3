import sys

import pytest

from marsseg_core.components.tasks import ExecutorSpec, Task
from marsseg_core.testing import ExecutorContract
from marsseg_plugins.executors import gpus
from marsseg_plugins.executors.gpus import gpu_of
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


def test_gpus_are_dealt(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert [gpu_of(slot, 2) for slot in range(2)] == [{"CUDA_VISIBLE_DEVICES": "4"}, {"CUDA_VISIBLE_DEVICES": "7"}]
    assert [gpu_of(slot, 3)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["4", "7", "4"]
    assert gpu_of(0, 3)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert gpu_of(0, 1) == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu_of(0, 2) == {}


def test_gpus_are_those_that_the_driver_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path / "gpus")
    assert gpu_of(1, 2) == {}
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus" / "0000:02:00.0").mkdir()
    assert gpu_of(1, 2) == {"CUDA_VISIBLE_DEVICES": "1"}


def test_a_process_that_replaces_another_has_its_place(tmp_path):
    def task(name, function, **arguments):
        return Task(name, f"marsseg_core.testing.executors:{function}", arguments)

    with Local().start(ExecutorSpec(tmp_path, jobs=2)) as workers:
        workers.submit(task("killed", "crash"))
        workers.submit(task("long", "sleep"))
        while not workers.wait(1.0):
            pass
        workers.submit(task("next", "echo", value=1))
        assert [process.slot for process in workers._processes] == [1, 0]


def test_of_a_process_that_was_killed_the_usual_cause_is_told(tmp_path):
    with Local().start(ExecutorSpec(tmp_path)) as workers:
        workers.submit(Task("killed", "marsseg_core.testing.executors:sleep"))
        workers._processes[0].kill()
        while not (results := workers.wait(1.0)):
            pass
    assert results[0].error == "Its process ended: signal 9, as when memory runs out."


@pytest.mark.skipif(sys.platform == "win32", reason="a program is a script of a shell here")
def test_a_process_that_is_killed_while_it_answers_is_lost(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nread task\nprintf '{\"value\": 1}\\n'\nread task\nprintf '{\"val'\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    results = []
    with Local().start(ExecutorSpec(tmp_path)) as workers:
        for name in ("whole", "half"):
            workers.submit(Task(name, "marsseg_core.testing.executors:echo"))
            results += workers.wait(10.0)
    assert [(result.task.name, result.value, result.lost) for result in results] == [
        ("whole", 1, False),
        ("half", None, True),
    ]


def test_a_process_starts_with_its_first_task(tmp_path):
    with Local().start(ExecutorSpec(tmp_path, jobs=3)) as workers:
        assert workers.places == 3
    assert not [*tmp_path.iterdir()]
