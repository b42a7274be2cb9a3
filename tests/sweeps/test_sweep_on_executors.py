"""The same sweep on each executor. Its first worker is killed after the first epoch of a trial."""

from __future__ import annotations

import pytest
from helpers.clusters import ray_cluster
from helpers.killing import kills_its_process_once

import marsseg_core as marsseg
from marsseg_core.components.tasks import ExecutorSpec, Task
from marsseg_core.planning.grammar import components
from marsseg_core.planning.request import Request
from marsseg_core.registry.kinds import EXECUTOR
from marsseg_core.registry.session import open_session
from marsseg_core.sweeps.coordinator import Coordinator
from marsseg_core.sweeps.options import SweepOptions, SweepRequest
from marsseg_core.sweeps.space import make_space
from marsseg_core.sweeps.sweep import begin_sweep

COMPOSITIONS = {"data": "synthetic:count=16:height=16:width=16", "arch": "unet:depth=1:width=0.125"}


def sweep_on(text, folder, jobs=1):
    """The settings, scores and numbers of tries of all trials."""
    folder.mkdir()
    plugin = kills_its_process_once(folder)
    sections = {"training": {"epochs": "2", "deterministic": "true"}}
    session = open_session(disable=["report", "progress"], trust=True)
    options = SweepOptions(("loss=wssce", "loss=dice"), sampler="grid", report=0)
    request = Request(compositions=COMPOSITIONS, sections=sections, plugins=[plugin])
    space = make_space(options.varied, request, session)
    sweep = begin_sweep(
        SweepRequest(options, request, folder, ("report", "progress")), space, session, folder / "sweep"
    )
    (executor,) = components(EXECUTOR, text, session.catalog)
    summary = Coordinator(sweep, executor, jobs, lambda summary: None, trust=True).run(alone=True)
    assert summary.counts == {"finished": 2}, [trial.reason for trial in summary.trials]
    assert sorted(trial.tries for trial in summary.trials) == [1, 2]
    return [
        (trial.settings, trial.value, sweep.folder.trial(trial.number).read_metrics()["subsets"])
        for trial in summary.trials
    ]


@pytest.fixture(scope="module")
def on_local(tmp_path_factory):
    return sweep_on("local:threads=1", tmp_path_factory.mktemp("local") / "local")


@pytest.mark.slow
def test_a_killed_trial_is_resumed(on_local):
    assert [settings["loss"] for settings, *_ in on_local] == ["wssce", "dice"]


@pytest.mark.slow
def test_a_queue_gives_the_same_numbers(on_local, tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed: marsseg[slurm]")
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)
    assert sweep_on("slurm:cluster=local", tmp_path / "slurm") == on_local


@pytest.mark.slow
def test_a_cluster_gives_the_same_numbers(on_local, tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: marsseg[ray]")
    with ray_cluster(nodes=2):
        assert sweep_on("ray", tmp_path / "ray", jobs=2) == on_local


@pytest.mark.slow
class TestSeveralNodes:
    @pytest.fixture(autouse=True)
    def on_jax(self, monkeypatch):
        pytest.importorskip("jax", reason="JAX is not installed")
        monkeypatch.setenv("KERAS_BACKEND", "jax")

    def train_on(self, text, folder):
        """Let two processes execute one trial."""
        words = {"epochs": 1, "batch": 4, "devices": "all"}
        (folder / "plan.toml").write_text(marsseg.plan(**COMPOSITIONS, **words).to_toml())
        (executor,) = components(EXECUTOR, text, open_session().catalog)
        arguments = {"plan": str(folder / "plan.toml"), "folder": str(folder / "trial"), "trust": False}
        arguments |= {"disabled": ["report", "progress"], "pruning": None}
        with executor.start(ExecutorSpec(folder)) as workers:
            workers.submit(Task("trial", "marsseg_core.sweeps.trial:execute_trial", arguments, together=True))
            while not (results := workers.wait(1.0)):
                pass
        assert (results[0].error, results[0].value["state"]) == ("", "finished")
        assert "devices: 2 in 2 processes" in (folder / "trial" / "log.txt").read_text()

    def test_of_a_queue_train_a_network_together(self, tmp_path, monkeypatch):
        pytest.importorskip("submitit", reason="submitit is not installed: marsseg[slurm]")
        monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)
        self.train_on("slurm:cluster=local:nodes=2", tmp_path)

    def test_of_a_cluster_train_a_network_together(self, tmp_path):
        pytest.importorskip("ray", reason="ray is not installed: marsseg[ray]")
        with ray_cluster(nodes=2):
            self.train_on("ray:nodes=2", tmp_path)
