"""Test series: the same plan with several seeds, or on several folds."""

from __future__ import annotations

import gc
import json
import shutil
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from helpers.killing import kills_its_process_once
from helpers.paths import REPOSITORY
from hypothesis import given, strategies as st

import marsseg_core as marsseg
from marsseg_core import api, hooks
from marsseg_core.components.interfaces import Executor
from marsseg_core.components.tasks import TaskResult, Workers
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import fold_data, make_split, split_data
from marsseg_core.data.subsets import SUBSETS
from marsseg_core.errors import RequestError, RunError
from marsseg_core.experiments import continuation
from marsseg_core.experiments.resumption import follow
from marsseg_core.experiments.series import Series, fold_plans, plan_series, seed_plans
from marsseg_core.experiments.summary import Spread, spreads
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.runs.metric_values import metric_values

SMALL = {
    "arch": "unet:width=0.125:depth=1:convolutions=1:dropout=0.2",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
    "learning_rate": 0.01,
    "epochs": 1,
}


def data_of(rare, groups=None) -> SegmentationData:
    """Make images of 1 × 2 pixels: all have soil, and those where `rare` is true have rock, too."""
    masks = np.ones((len(rare), 1, 2), np.uint8)
    masks[np.asarray(rare, bool), 0, 1] = 2
    images = np.zeros((len(rare), 1, 2, 1), np.uint8)
    return SegmentationData(images, masks, ("background", "soil", "rock"), (0,), groups=groups)


def folds_of(data, count, *, validation=0.15, seed=0):
    return [fold_data(data, count, fold, validation, seed) for fold in range(1, count + 1)]


rare_flags = st.lists(st.booleans(), min_size=40, max_size=150)
counts = st.integers(2, 6)
seeds = st.integers(0, 2**32 - 1)


class TestFolds:
    @given(rare_flags, counts, seeds)
    def test_each_item_is_in_the_test_subset_exactly_once(self, rare, count, seed):
        splits = folds_of(data_of(rare), count, seed=seed)
        tested = np.concatenate([split["test"] for split in splits])
        assert sorted(tested.tolist()) == list(range(len(rare)))

    @given(rare_flags, counts, seeds)
    def test_the_subsets_of_a_fold_are_disjoint_and_have_every_item(self, rare, count, seed):
        for split in folds_of(data_of(rare), count, seed=seed):
            together = np.concatenate([split[subset] for subset in SUBSETS])
            assert sorted(together.tolist()) == list(range(len(rare)))

    @given(rare_flags, counts, seeds)
    def test_folds_are_even_and_rare_images_are_spread_over_them(self, rare, count, seed):
        rare = np.asarray(rare)
        for split in folds_of(data_of(rare), count, seed=seed):
            assert abs(len(split.test) - len(rare) / count) < 2
            assert abs(rare[split["test"]].sum() - rare.sum() / count) < 2

    def test_no_fold_lacks_what_several_others_have_too_much(self):
        """Four folds of 56 images took 12 each, by a fifth of an image that each lacked, and left 8 or 9."""
        for seed in range(2**32 - 400, 2**32):
            sizes = [len(split.test) for split in folds_of(data_of([False] * 56), 5, seed=seed)]
            assert min(sizes) >= 10, seed

    @given(rare_flags, counts, seeds)
    def test_validation_has_its_share_of_all_items_and_of_the_rare_ones(self, rare, count, seed):
        rare = np.asarray(rare)
        for split in folds_of(data_of(rare), count, validation=0.2, seed=seed):
            assert abs(len(split.validation) - 0.2 * len(rare)) < 3
            assert abs(rare[split["validation"]].sum() - 0.2 * rare.sum()) < 4

    @given(st.lists(st.integers(1, 6), min_size=30, max_size=50), counts, seeds)
    def test_a_group_is_in_one_subset_only(self, sizes, count, seed):
        groups = np.repeat(np.arange(len(sizes)), sizes)
        data = data_of(np.arange(len(groups)) % 7 == 0, groups)
        for split in folds_of(data, count, seed=seed):
            groups_of_subsets = [set(groups[split[subset]].tolist()) for subset in SUBSETS]
            assert sum(map(len, groups_of_subsets)) == len(sizes)

    def test_the_test_items_do_not_depend_on_the_validation_share(self):
        data = data_of(np.arange(60) % 9 == 0)
        small, large = folds_of(data, 3, validation=0.1), folds_of(data, 3, validation=0.4)
        assert [split.test for split in small] == [split.test for split in large]

    def test_another_seed_makes_other_folds(self):
        data = data_of(np.arange(60) % 9 == 0)
        assert len({folds_of(data, 3, seed=seed)[0] for seed in range(5)}) == 5

    def test_more_folds_than_groups_are_refused(self):
        with pytest.raises(RequestError, match="subset would be empty") as caught:
            folds_of(data_of(np.zeros(40, bool), np.repeat([1, 2, 3], [20, 10, 10])), 6)
        assert "fewer folds" in caught.value.hint

    def test_a_plan_without_folds_is_split_by_shares(self):
        data = data_of(np.arange(60) % 9 == 0)
        assert make_split(data, SplitOptions(0.2, 0.1, 3)) == split_data(data, 0.2, 0.1, 3)
        assert make_split(data, SplitOptions(0.2, 0.1, 3, folds=4, fold=2)) == fold_data(data, 4, 2, 0.2, 3)


class TestPlans:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"folds": 5}, "set together"),
            ({"fold": 1}, "set together"),
            ({"folds": 3, "fold": 4}, "no fold 4 among 3"),
            ({"folds": 2, "fold": 1, "validation": 0.5}, "no images for training"),
        ],
    )
    def test_impossible_folds_are_refused(self, values, message):
        with pytest.raises(RequestError, match=message):
            api.plan(**values)

    def test_the_plan_of_a_fold_can_be_written_and_read(self, tmp_path):
        plan = fold_plans(api.plan(), 5)["fold-4"]
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        again = api.plan(tmp_path / "plan.toml")
        assert (again.split.folds, again.split.fold) == (5, 4)
        assert again.to_toml() == plan.to_toml()

    def test_the_seeds_follow_that_of_the_plan_and_nothing_else_changes(self):
        plan = api.plan(seed=7)
        plans = seed_plans(plan, 3)
        assert [(name, plan.training.seed) for name, plan in plans.items()] == [
            ("seed-7", 7),
            ("seed-8", 8),
            ("seed-9", 9),
        ]
        assert {each.to_toml().replace(f"seed = {each.training.seed}\n", "") for each in plans.values()} == {
            plan.to_toml().replace("seed = 7\n", "")
        }

    @pytest.mark.parametrize(
        ("seeds", "folds", "where"), [(1, None, "--seeds"), (None, 0, "--folds"), (2, 2, "--seeds, --folds")]
    )
    def test_a_single_seed_or_fold_and_seeds_with_folds_are_refused(self, seeds, folds, where):
        with pytest.raises(RequestError) as caught:
            plan_series(api.plan(), seeds, folds)
        assert caught.value.where == where

    @pytest.mark.parametrize("option", ["seeds", "folds"])
    def test_the_number_of_runs_has_a_limit(self, cli, option):
        """A hundred million plans took all memory before anything was said."""
        answer = cli("run", f"--{option}", "100000000", "--dry-run")
        assert answer.code == 2
        assert f"A series has at most 1,000 {option}, not 100,000,000." in answer.err

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (("--workers", "100000"), "workers=100000 is not valid: expected at most 256."),
            (("--batch", "10000000"), "batch=10000000 is not valid: expected at most 65,536."),
            (("--epochs", "10000000"), "epochs=10000000 is not valid: expected at most 1,000,000."),
            (("--arch", "unet:convolutions=100000"), "convolutions=100000 is not valid: expected at most 100."),
            (("--arch", "unet:depth=100000"), "depth=100000 is not valid: expected at most 16."),
            (("--bottleneck", "transformer:layers=100000"), "layers=100000 is not valid: expected at most 100."),
            (("--data", "synthetic:height=100000"), "height=100000 is not valid: expected at most 4,096."),
            (("--data", "synthetic:count=100000000"), "count=100000000 is not valid: expected at most 10,000,000."),
        ],
    )
    def test_so_have_the_numbers_of_a_plan(self, cli, words, what):
        answer = cli("run", *words, "--dry-run")
        assert answer.code == 2
        assert what in answer.err

    def test_seeds_above_the_largest_are_refused(self):
        with pytest.raises(RequestError, match="exceed the largest"):
            seed_plans(api.plan(seed=2**32 - 1), 2)

    def test_dry_run_shows_the_plan_and_the_runs(self, cli, tmp_path):
        answer = cli("run", "--folds", "3", "--seed", "5", "--dry-run")
        assert answer.code == 0
        assert "arch\tunet" in answer.out
        assert answer.out.endswith("run\ttraining.seed\tfold\nfold-1\t5\t1/3\nfold-2\t5\t2/3\nfold-3\t5\t3/3\n")
        assert not list(tmp_path.iterdir())

    def test_an_existing_folder_is_refused(self, cli, tmp_path):
        answer = cli("run", "--seeds", "2", "--out", str(tmp_path))
        assert answer.code == 2
        assert "exists" in answer.err


class TestSpread:
    @given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
    def test_is_numpys_mean_and_sample_standard_deviation(self, values):
        spread = Spread.of(values)
        assert spread.n == len(values)
        assert spread.mean == pytest.approx(np.mean(values))
        assert spread.std == pytest.approx(np.std(values, ddof=1))

    def test_of_one_value_has_no_deviation(self):
        assert Spread.of([0.25]) == Spread(0.25, None, 1)
        assert str(Spread.of([0.25])) == "0.2500"

    def test_leaves_out_runs_where_a_score_is_undefined(self):
        spread_of = spreads([{"a": 0.5, "b": None}, {"a": 0.7, "b": None}, {"a": None, "b": None}])
        assert spread_of["a"].n == 2
        assert spread_of["a"].mean == pytest.approx(0.6)
        assert spread_of["b"] is None


def without_observers(observers=None, load=hooks.load_hooks):
    return load(observers=[])


@pytest.fixture
def no_observers(monkeypatch):
    """Let runs have no observers."""
    monkeypatch.setattr(hooks, "load_hooks", without_observers)


@pytest.fixture
def pretended(monkeypatch):
    """Replace training: each run takes one of the `answers`, a status or an error to raise; return the runs' names."""
    from marsseg_core.training import loop as engine

    def use(answers):
        ran, remaining = [], iter(answers)

        def execute(plan, *, out, data=None, suffix=""):
            answer = next(remaining)
            if isinstance(answer, BaseException):
                raise answer
            ran.append(out.name + suffix)
            out.mkdir(exist_ok=True)
            subsets = {"test": {"miou": 0.5}} if answer == "finished" else {}
            metrics = {"status": answer, "subsets": subsets}
            (out / "plan.toml").write_text(plan.to_toml())
            (out / "metrics.json").write_text(json.dumps(metrics))
            return SimpleNamespace(metrics=metrics)

        def resume(folder, plan, *, moved, data=None):
            return execute(plan, out=folder.path, data=data, suffix=" resumed")

        monkeypatch.setattr(engine, "execute", execute)
        monkeypatch.setattr(engine, "resume", resume)
        return ran

    return use


@dataclass(frozen=True)
class InThisProcess(Executor):
    """Does each task in this process when its result is awaited."""

    killed: ClassVar[list[str]] = []
    interrupted_by: ClassVar[str] = ""

    def start(self, spec):
        return InThisProcessWorkers([*self.killed], self.interrupted_by)


class InThisProcessWorkers(Workers):
    places = 2

    def __init__(self, killed, interrupted_by):
        self.killed, self.interrupted_by, self.tasks = killed, interrupted_by, []

    def submit(self, task):
        self.tasks.append(task)

    def wait(self, seconds):
        task = self.tasks.pop(0)
        if task.name == self.interrupted_by:
            raise KeyboardInterrupt
        if task.name in self.killed:
            self.killed.remove(task.name)
            return [TaskResult(task, lost=True, error="signal 9.")]
        return [TaskResult(task, **task.answer())]

    def stop(self):
        pass


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


class TestSeries:
    def test_an_interrupted_run_ends_the_series_and_finished_runs_stay(self, pretended, tmp_path):
        ran = pretended(["finished", "interrupted"])
        series = marsseg.series(seeds=3, out=tmp_path / "s", **SMALL)
        assert series.interrupted
        assert ran == ["seed-0", "seed-1"]
        assert summary(tmp_path / "s")["status"] == "interrupted"
        assert summary(tmp_path / "s")["runs"] == {"seed-0": "finished", "seed-1": "interrupted", "seed-2": None}
        assert summary(tmp_path / "s")["subsets"]["test"]["miou"] == {"mean": 0.5, "std": None, "n": 1}

    def test_ctrl_c_between_runs_leaves_a_summary(self, pretended, tmp_path):
        pretended(["finished", KeyboardInterrupt()])
        with pytest.raises(KeyboardInterrupt):
            marsseg.series(seeds=3, out=tmp_path / "s", **SMALL)
        assert summary(tmp_path / "s")["status"] == "interrupted"

    def test_a_failing_run_ends_the_series_with_its_error(self, pretended, tmp_path):
        pretended(["finished", RunError("The loss became nan.")])
        with pytest.raises(RunError, match="nan"):
            marsseg.series(seeds=3, out=tmp_path / "s", **SMALL)
        assert summary(tmp_path / "s")["status"] == "failed"
        assert summary(tmp_path / "s")["runs"] == {"seed-0": "finished", "seed-1": None, "seed-2": None}

    def test_if_the_first_run_is_refused_no_folder_remains(self, pretended, tmp_path):
        pretended([RequestError("It does not fit.")])
        with pytest.raises(RequestError):
            marsseg.series(seeds=2, out=tmp_path / "s", **SMALL)
        assert not (tmp_path / "s").exists()

    def test_impossible_folds_are_refused_before_the_first_run(self, pretended, tmp_path):
        ran = pretended(["finished"] * 30)
        with pytest.raises(RequestError, match="subset would be empty"):
            marsseg.series(folds=30, out=tmp_path / "s", **SMALL | {"data": "synthetic:count=24:height=16:width=32"})
        assert ran == []
        assert not (tmp_path / "s").exists()

    def test_the_command_ends_with_130_when_interrupted(self, pretended, cli, tmp_path):
        pretended(["finished", "interrupted"])
        answer = cli("run", "--seeds", "2", "--data", SMALL["data"], "--out", "s")
        assert answer.code == 130
        assert "miou\t0.5000" in answer.out
        assert "over 1 of 2 seeds" in answer.out
        pretended(["interrupted"])
        assert cli("run", "--seeds", "2", "--data", SMALL["data"], "--out", "t").code == 130

    def test_the_data_is_read_once(self, pretended, monkeypatch, tmp_path):
        from marsseg_plugins.datasets.synthetic import Synthetic

        reads, load = [], Synthetic.load
        monkeypatch.setattr(Synthetic, "load", lambda self: reads.append(self) or load(self))
        pretended(["finished"] * 3)
        marsseg.series(seeds=3, out=tmp_path / "s", **SMALL)
        assert len(reads) == 1


class TestElsewhere:
    """Several runs at the same time, by an executor that pretends."""

    def answers(self, pretended, *answers, **arguments):
        pretended(answers)
        return marsseg.series(seeds=3, on=InThisProcess(), out=self.path, **SMALL, **arguments)

    @pytest.fixture(autouse=True)
    def path_of_the_series(self, tmp_path):
        self.path = tmp_path / "s"

    def test_the_runs_are_those_of_a_series(self, pretended):
        series = self.answers(pretended, *["finished"] * 3)
        assert series.finished == ("seed-0", "seed-1", "seed-2")
        assert summary(self.path) == series.to_json()
        expected = seed_plans(api.plan(**SMALL), 3)
        assert {name: api.plan(self.path / name).to_toml() for name in expected} == {
            name: plan.to_toml() for name, plan in expected.items()
        }

    def test_a_run_that_fails_lets_the_others_end(self, pretended):
        with pytest.raises(RunError, match=r"1 of 3 runs failed. seed-0: The loss became nan."):
            self.answers(pretended, RunError("The loss became nan."), "finished", "finished")
        assert summary(self.path)["runs"] == {"seed-0": None, "seed-1": "finished", "seed-2": "finished"}
        pretended(["finished"])
        assert marsseg.resume(self.path).status == "finished"

    def test_runs_that_all_fail_before_they_have_a_folder_can_be_run_again(self, pretended, tmp_path):
        """What the workers wrote, which may say why they failed, stays too."""
        plugin = kills_its_process_once(tmp_path)  # no epoch, no kill
        with pytest.raises(RunError, match="3 of 3 runs failed") as caught:
            self.answers(pretended, *[RunError("No network.")] * 3, plugins=[plugin])
        assert caught.value.hint == f"To run them again: marsseg run --resume {self.path} --trust"
        assert (self.path / "workers").is_dir()
        pretended(["finished"] * 3)
        assert marsseg.resume(self.path, trust=True).status == "finished"

    @pytest.mark.parametrize("interrupted", ["seed-0", "seed-1"])
    def test_ctrl_c_interrupts_the_series(self, pretended, monkeypatch, interrupted):
        monkeypatch.setattr(InThisProcess, "interrupted_by", interrupted)
        series = self.answers(pretended, "finished")
        assert series.interrupted
        first = "finished" if interrupted == "seed-1" else None
        assert summary(self.path)["runs"] == {"seed-0": first, "seed-1": None, "seed-2": None}

    def test_a_lost_run_is_begun_again_and_not_for_ever(self, pretended, monkeypatch, caplog):
        monkeypatch.setattr(InThisProcess, "killed", ["seed-0", "seed-1", "seed-1", "seed-1"])
        with pytest.raises(RunError, match=r"seed-1: signal 9. It was started 3 times."):
            self.answers(pretended, "finished", "finished")
        assert summary(self.path)["runs"] == {"seed-0": "finished", "seed-1": None, "seed-2": "finished"}

    def test_objects_of_this_process_are_refused(self, pretended, tiny):
        with pytest.raises(RequestError, match="cannot have a data set that was passed as a Python object"):
            marsseg.series(seeds=2, jobs=2, out=self.path, **SMALL | {"data": tiny})
        assert not self.path.exists()

    def test_a_single_run_needs_no_executor(self, cli):
        answer = cli("run", "--jobs", "2", "--dry-run")
        assert answer.code == 2
        assert "add --seeds or --folds" in answer.err


def test_a_worker_says_that_it_waits_for_another_process(tmp_path, caplog, monkeypatch):
    folder, locked = RunFolder(tmp_path), iter([True, True])
    monkeypatch.setattr(continuation, "is_locked", lambda path: next(locked, False))
    monkeypatch.setattr(continuation, "_PAUSE", 0)
    for _ in range(2):
        continuation.wait_for_claim(folder)
    assert [record.getMessage() for record in caplog.records] == [
        f"Another process is working on {tmp_path}. This one waits until it has ended."
    ]


class TestResume:
    def interrupted(self, pretended, path, answers=("finished", "interrupted"), **kind):
        pretended(answers)
        return marsseg.series(out=path, **(kind or {"seeds": 3}), **SMALL)

    @pytest.mark.parametrize(
        ("kind", "names"), [({"seeds": 3}, "seed-0 seed-1 seed-2"), ({"folds": 3}, "fold-1 fold-2 fold-3")]
    )
    def test_keeps_finished_runs_resumes_the_interrupted_one_and_runs_the_others(
        self, pretended, tmp_path, kind, names
    ):
        plan = self.interrupted(pretended, tmp_path / "s", **kind).path / "series.toml"
        _, second, third = names.split()
        before = plan.read_bytes()
        ran = pretended(["finished"] * 2)
        series = marsseg.resume(tmp_path / "s")
        assert ran == [f"{second} resumed", third]
        assert (series.status, series.finished) == ("finished", tuple(names.split()))
        assert summary(tmp_path / "s") == series.to_json()
        assert plan.read_bytes() == before
        third_plan = api.plan(tmp_path / "s" / third)
        expected = seed_plans(api.plan(**SMALL), 3) if "seeds" in kind else fold_plans(api.plan(**SMALL), 3)
        assert third_plan.to_toml() == expected[third].to_toml()

    def test_a_series_that_was_killed_in_its_first_run_has_what_it_needs(self, pretended, tmp_path, cli):
        """The first run was killed before it had a plan."""
        self.interrupted(pretended, tmp_path / "s", ["interrupted"])
        for file in (tmp_path / "s" / "seed-0").iterdir():
            file.unlink()
        (tmp_path / "s" / "seed-0" / ".plan.123.toml").touch()
        (tmp_path / "s" / ".summary.123.json").touch()
        ran = pretended(["finished"] * 3)
        answer = cli("run", "--resume", "s")
        assert answer.code == 0, answer.err
        assert ran == ["seed-0", "seed-1", "seed-2"]
        assert "over 3 seeds" in answer.out
        assert sorted(path.name for path in (tmp_path / "s").glob(".*")) == []

    def test_an_interruption_says_how_to_go_on(self, pretended, tmp_path, cli):
        self.interrupted(pretended, tmp_path / "s")
        pretended(["interrupted"])
        answer = cli("run", "--resume", "s")
        assert answer.code == 130
        assert "marsseg run --resume s" in answer.err

    def test_a_finished_series_is_refused(self, pretended, tmp_path, cli):
        self.interrupted(pretended, tmp_path / "s", ["finished"] * 3)
        answer = cli("run", "--resume", "s")
        assert (answer.code, "The series is finished" in answer.err) == (2, True)
        assert cli("run", "--resume", "s", "--epochs", "3").code == 2

    def test_one_at_a_time(self, pretended, tmp_path):
        series = self.interrupted(pretended, tmp_path / "s")
        with RunFolder(series.path).claimed(), pytest.raises(RequestError, match="Another process"):
            marsseg.resume(series)

    def test_the_summary_follows_a_run_that_is_resumed_alone(self, pretended, tmp_path):
        self.interrupted(pretended, tmp_path / "s", ["finished", "finished", "interrupted"])
        member = tmp_path / "s" / "seed-2"
        follow(member)
        assert summary(tmp_path / "s")["status"] == "interrupted"
        (member / "metrics.json").write_text((tmp_path / "s" / "seed-1" / "metrics.json").read_text())
        follow(member)
        assert summary(tmp_path / "s")["status"] == "finished"
        assert summary(tmp_path / "s")["subsets"]["test"]["miou"]["n"] == 3

    def test_a_series_of_0_1_0_is_resumed_from_the_plans_of_its_runs(self, pretended, tmp_path):
        series = shutil.copytree(REPOSITORY / "tests" / "frozen" / "series", tmp_path / "s")
        (series / "summary.json").write_text(json.dumps(summary(series) | {"status": "interrupted"}))
        shutil.rmtree(series / "seed-1")
        scores = {"status": "finished", "parts": {"test": {"miou": 0.7}}}  # those that the second run pretends to have
        (series / "seed-0" / "metrics.json").write_text(json.dumps(scores))
        ran = pretended(["finished"])
        assert marsseg.resume(series).status == "finished"
        assert ran == ["seed-1"]
        assert summary(series)["subsets"]["test"]["miou"]["mean"] == pytest.approx(0.6)
        first, second = (api.plan(series / name) for name in ("seed-0", "seed-1"))
        assert second.to_toml() == seed_plans(first, 2)["seed-1"].to_toml()

    def test_a_series_of_0_1_0_that_was_killed_in_its_first_run_is_refused(self, tmp_path, cli):
        series = shutil.copytree(REPOSITORY / "tests" / "frozen" / "series", tmp_path / "s")
        (series / "summary.json").unlink()
        shutil.rmtree(series / "seed-1")
        answer = cli("run", "--resume", "s")
        assert answer.code == 2
        assert "does not record how many runs it has" in answer.err
        assert "--resume s/seed-0" in " ".join(answer.err.split())

    @pytest.mark.parametrize("content", ['{"series": "seeds", "runs": {"../x": null}, "status": ""}', "{}", "[]", "{"])
    def test_a_damaged_summary_is_refused(self, tmp_path, content):
        (tmp_path / "summary.json").write_text(content)
        with pytest.raises(RequestError, match="summary"):
            marsseg.resume(tmp_path)

    def test_moved_data_are_recorded_for_the_series_and_its_finished_runs(self, tiny_file, tmp_path, monkeypatch):
        """A series whose runs are not trained here: finished ones have the split of the data."""
        from marsseg_core.training import loop as engine

        data = shutil.copy(tiny_file, tmp_path / "tiles.npz")
        monkeypatch.setattr(engine, "_train_and_score", lambda *arguments, **more: None)
        monkeypatch.setattr(Series, "finished", property(lambda self: tuple(self.metrics)))
        with pytest.raises(KeyError):  # the first run has no metrics
            marsseg.series(seeds=2, out=tmp_path / "s", **SMALL | {"data": data})
        metrics = {"status": "finished", "subsets": {}}
        (tmp_path / "s" / "seed-0" / "metrics.json").write_text(json.dumps(metrics))
        data.rename(tmp_path / "moved.npz")
        with pytest.raises(RequestError, match="no such file") as caught:
            marsseg.resume(tmp_path / "s")
        assert f"--resume {tmp_path / 's'} --data" in caught.value.hint
        with pytest.raises(KeyError):
            marsseg.resume(tmp_path / "s", data=tmp_path / "moved.npz")
        for plan in ("series.toml", "seed-0/plan.toml", "seed-1/plan.toml"):
            assert f'path = "{tmp_path / "moved.npz"}"' in (tmp_path / "s" / plan).read_text()


def graphs():
    """Count the graphs of TensorFlow that are in memory."""
    gc.collect()
    return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Run a series on two folds; return it, and the number of graphs before and after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "load_hooks", without_observers)
        before = graphs()
        series = marsseg.series(folds=2, out=tmp_path_factory.mktemp("series") / "s", **SMALL)
        return series, before, graphs()


@pytest.mark.slow
class TestWithTraining:
    def test_the_summary_has_numpys_mean_and_deviation_of_the_runs(self, folds):
        series, *_ = folds
        scores = summary(series.path)["subsets"]["test"]
        subsets = [
            json.loads((series.path / name / "metrics.json").read_text())["subsets"]["test"]
            for name in ("fold-1", "fold-2")
        ]
        for name in ("miou", "miou_an2dl", "accuracy"):
            values = [subset[name] for subset in subsets]
            assert scores[name]["mean"] == pytest.approx(np.mean(values))
            assert scores[name]["std"] == pytest.approx(np.std(values, ddof=1))
        soil = [subset["iou"]["soil"] for subset in subsets]
        assert scores["iou_soil"]["mean"] == pytest.approx(np.mean(soil))
        known = {"miou", "miou_an2dl", "miou_all", "miou_per_image", "accuracy"}
        assert set(scores) >= known | {f"iou_{name}" for name in subsets[0]["iou"]}
        assert set(scores) == set(metric_values(subsets[0]))

    def test_every_image_is_tested_once(self, folds):
        splits = [json.loads((folds[0].path / name / "split.json").read_text()) for name in ("fold-1", "fold-2")]
        assert sorted(splits[0]["test"] + splits[1]["test"]) == list(range(24))

    def test_a_run_of_a_series_equals_the_single_run_of_its_plan(self, folds, no_observers, tmp_path):
        alone = marsseg.run(folds[0].path / "fold-2", out=tmp_path / "alone")
        member = folds[0].path / "fold-2"
        assert (alone.path / "metrics.json").read_bytes() == (member / "metrics.json").read_bytes()
        assert (alone.path / "plan.toml").read_bytes() == (member / "plan.toml").read_bytes()
        assert (alone.path / "split.json").read_bytes() == (member / "split.json").read_bytes()

    def test_a_killed_series_ends_like_one_that_was_not(self, folds, no_observers, tmp_path, monkeypatch):
        """Killed after the first epoch of its second run."""
        from marsseg_core.training import loop as engine

        def dying(run, *arguments, **options):
            if run.path.name == "fold-2":
                raise SystemExit
            write_end(run, *arguments, **options)

        write_end = engine.write_end
        with monkeypatch.context() as patch:
            patch.setattr(engine, "write_end", dying)
            with pytest.raises(SystemExit):
                marsseg.series(folds=2, out=tmp_path / "s", **SMALL)
        assert summary(tmp_path / "s")["runs"] == {"fold-1": "finished", "fold-2": None}
        marsseg.resume(tmp_path / "s")
        assert summary(tmp_path / "s") == summary(folds[0].path)

    def test_workers_give_the_same_scores_also_if_one_is_killed(self, folds, tmp_path, monkeypatch):
        monkeypatch.setenv("MARSSEG_DISABLE", "report,progress")
        plugin = kills_its_process_once(tmp_path)
        # A single process has as many threads as this one: their number changes the last bits.
        series = marsseg.series(folds=2, on="local", out=tmp_path / "s", plugins=[plugin], **SMALL)
        assert (tmp_path / "s" / "killed").exists()
        assert series.metrics == folds[0].metrics
        assert summary(tmp_path / "s") == summary(folds[0].path)

    def test_no_network_stays_in_memory(self, folds):
        _, before, after = folds
        assert after <= before
