"""The leaderboard of benchmarks/: its plans, its budget, its results and its tables, without a training."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import tomllib
from dataclasses import replace
from importlib import resources
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.paths import REPOSITORY

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_plugins import recipes

FINISHED = REPOSITORY / "tests" / "frozen" / "finished"
BENCHMARKS = REPOSITORY / "benchmarks"
PLANS = sorted((BENCHMARKS / "leaderboard").glob("*/*.toml"))


@pytest.fixture
def board(monkeypatch) -> SimpleNamespace:
    """The modules of the leaderboard, by name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    parts = ("budget", "results", "rows", "store", "tables", "train")
    modules = {name: importlib.import_module(f"board.{name}") for name in parts}
    return SimpleNamespace(**modules, main=importlib.import_module("leaderboard"))


def measured(matrices, parameters=400_000) -> dict:
    facts = {
        "date": "2026-11-26",
        "machine": "an abacus",
        "parameters": parameters,
        "multiply_accumulates": 63_918_080,
        "milliseconds": 3.21,
    }
    return facts | {"classes": ["soil", "big_rock"], "matrices": matrices}


@pytest.fixture
def result(board):
    """`result("scratch/unet", matrices, …)` → the result of a row with one run for each list of matrices."""

    def make(name, *runs, parameters=400_000, seconds=290.0, validation=0.5):
        track, _, row = name.partition("/")
        members = [
            board.results.Member(7, seconds + 60 * number, validation, measured(run, parameters))
            for number, run in enumerate(runs)
        ]
        return board.results.Result(board.rows.Row(track, BENCHMARKS / f"{row}.toml"), tuple(members))

    return make


GOOD, POOR = [[[8, 2], [0, 4]], [[6, 0], [2, 2]]], [[[5, 5], [2, 2]], [[3, 3], [2, 2]]]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_plan_can_be_run_and_leaves_the_rest_to_the_leaderboard(path, board):
    assert path.parent.name in board.rows.TRACKS
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    assert document["summary"]
    assert not document.keys() & {"data", "split", "cleaning"}
    assert not document.get("training", {}).keys() & {"seed", "epochs"}
    words = board.train.SETTINGS | {"data": "synthetic", "seed": 2, "epochs": 6}
    plan = marsseg.plan(path, **words, overrides=board.train.OVERRIDES)
    assert (plan.training.epochs, plan.split.seed) == (6, 0)


RECIPES = [path for path in PLANS if path.read_text(encoding="utf-8").startswith('summary = "The recipe ')]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_row_that_names_a_recipe_is_that_recipe(path, board):
    row = board.rows.Row(path.parent.name, path)
    summary = tomllib.loads(path.read_text(encoding="utf-8"))["summary"]
    name = summary.split()[2].strip(":,")
    recipe = tomllib.loads((resources.files(recipes) / f"{name}.toml").read_text(encoding="utf-8"))
    del recipe["summary"], recipe["training"]["epochs"]
    if "with the best epoch kept" in summary:
        assert recipe["training"].pop("keep") == "last"
    assert row.without_method == recipe


class TestTheBudget:
    def test_gives_a_multiple_of_the_rounds(self, board):
        ends = [30.0, 40.0, 60.0, 80.0]  # the first epochs of two rounds take 30 and 20 s, further ones 10 and 20 s
        assert board.budget.epochs_within(109, ends, rounds=2) == 4
        assert board.budget.epochs_within(110, ends, rounds=2) == 6
        assert board.budget.epochs_within(5, ends, rounds=2) == 2
        assert board.budget.fewer_epochs(100, 12, 150.0, rounds=3) == 6
        assert board.budget.fewer_epochs(100, 3, 150.0, rounds=3) is None

    def test_gives_the_number_of_epochs(self, board):
        assert board.budget.epochs_within(100, [30.0, 40.0]) == 8  # 30 + 7 · 10
        assert board.budget.epochs_within(5, [30.0, 40.0]) == 1

    def test_gives_fewer_where_the_training_took_longer(self, board):
        assert board.budget.fewer_epochs(100, 20, 102.0) is None
        assert board.budget.fewer_epochs(100, 20, 200.0) == 10
        assert board.budget.fewer_epochs(100, 20, 103.5) == 19
        assert board.budget.fewer_epochs(100, 1, 200.0) is None

    def test_counts_the_lesser_time_of_each_epoch_of_two_trainings(self, board):
        assert board.budget.least_seconds([30.0, 40.0, 60.0], [20.0, 50.0, 60.0]) == [20.0, 30.0, 40.0]
        assert board.budget.least_seconds([30.0, 40.0], [1.0]) == [30.0, 40.0]  # the second one was interrupted
        assert board.budget.least_seconds([], []) == []

    def test_goes_on_after_an_interruption(self, board, tmp_path, monkeypatch):
        meter = importlib.import_module("board.meter")
        clock = iter([50.0, 53.0, 58.0])
        monkeypatch.setattr(meter, "processor_seconds", lambda: next(clock))
        path = tmp_path / "seconds.json"
        path.write_text("[10.0, 20.0, 30.0]")  # the third epoch was not stored, and is trained again
        callback = meter.Meter(path)
        for epoch in (2, 3):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch)
        assert json.loads(path.read_text()) == [10.0, 20.0, 23.0, 28.0]

    def test_is_refused_where_the_time_of_an_epoch_is_missing(self, board, tmp_path):
        """A training that was killed after the checkpoint of an epoch, and before its time was written."""
        (tmp_path / "seconds.json").write_text("[10.0]")
        callback = importlib.import_module("board.meter").Meter(tmp_path / "seconds.json")
        with pytest.raises(RequestError, match="time of epoch 2 was not written"):
            callback.on_epoch_begin(2)


class TestAResult:
    def test_is_the_mean_over_the_runs(self, result):
        one, two = result("scratch/unet", GOOD), result("scratch/unet", GOOD, POOR)
        assert one.miou == pytest.approx((14 / 18 + 6 / 10) / 2)
        assert two.miou == pytest.approx((one.miou + result("scratch/unet", POOR).miou) / 2)
        assert one.ious == pytest.approx({"soil": 14 / 18, "big_rock": 6 / 10})

    def test_takes_the_least_time_of_the_runs(self, result):
        assert result("scratch/unet", GOOD, POOR, POOR, seconds=120.0).minutes == pytest.approx(2.0)

    def test_has_an_interval_over_the_places(self, result):
        random = np.random.default_rng(0)
        narrow, wide = (
            [(np.eye(2) * 50 + random.integers(0, spread, (2, 2))).astype(int).tolist() for _ in range(40)]
            for spread in (5, 90)
        )
        intervals = [result("scratch/unet", matrices) for matrices in (narrow, wide)]
        for each in intervals:
            assert each.interval[0] < each.miou < each.interval[1]
        widths = [high - low for low, high in (each.interval for each in intervals)]
        assert widths[0] < widths[1] / 2

    def test_takes_no_time_of_another_machine(self, board, result):
        (first, second) = result("scratch/unet", GOOD, POOR).members
        second = replace(second, seconds=5.0, measured=second.measured | {"machine": "another abacus"})
        assert (
            board.results.Result(board.rows.Row("scratch", BENCHMARKS), (first, second)).minutes == first.seconds / 60
        )

    def test_of_an_unfinished_run_does_not_exist(self, board, tmp_path):
        assert board.results.read_member(tmp_path / "run", [1.0], tmp_path / "answer.json") is None


class TestTheTables:
    def test_have_the_rows_of_their_track_the_best_first(self, board, result):
        rows = [
            result("scratch/poor", POOR),
            result("scratch/large", GOOD, parameters=600_000),
            result("small/x", GOOD),
        ]
        tables = board.tables.tracks_of({300.0: rows})
        assert {key: [each.row.name for each in value] for key, value in tables.items()} == {
            ("scratch", 300.0): ["large", "poor"],
            ("small", 300.0): ["x", "poor"],
        }

    def test_compare_images_without_labels_with_the_same_plan_without_them(self, board, result, tmp_path):
        plans = {
            "unlabelled/fixmatch": 'summary = "x"\narch = "unet"\nsemi = "fixmatch"',
            "scratch/twin": 'arch = "unet"',
            "scratch/other": 'arch = "dense"',
        }
        rows = []
        for name, text in plans.items():
            track, _, stem = name.partition("/")
            plan = tmp_path / f"{stem}.toml"
            plan.write_text(text)
            members = result(name, GOOD, parameters=600_000).members
            rows.append(board.results.Result(board.rows.Row(track, plan), members))
        tables = board.tables.tracks_of({300.0: rows})
        assert {str(each.row) for each in tables["unlabelled", 300.0]} == {"unlabelled/fixmatch", "scratch/twin"}

    def test_are_written_as_markdown_and_html(self, board, result):
        tables = board.tables.tracks_of({300.0: [result("scratch/unet", GOOD, POOR)], 20.0: []})
        notes = ["Failed: small/y: <no> memory"]
        text = board.tables.to_markdown(tables, notes, "python x")
        assert "## scratch, 5 processor minutes" in text
        row = next(line for line in text.splitlines() if line.startswith("| scratch/unet"))
        assert row.endswith("| 0.589 | 0.425 | 400,000 | 64 M | 4.8 | 3.2 | 7 | 2 |")
        assert " 4.8 (over) " in board.tables.to_markdown(
            board.tables.tracks_of({200.0: tables["scratch", 300.0]}), [], ""
        )
        assert "Failed: small/y: <no> memory" in text
        assert "Machine: an abacus. Date: 2026-11-26." in text
        page = board.tables.to_html(tables, notes, "python x")
        assert "&lt;no&gt; memory" in page
        every = dict.fromkeys([(track, 300.0) for track in board.rows.TRACKS], tables["scratch", 300.0])
        assert "`" not in board.tables.to_html(every, notes, "python x")
        assert "<td>scratch/unet</td>" in page

    def test_name_the_machine_of_each_row_if_they_differ(self, board, result):
        (member,) = result("scratch/other", GOOD).members
        other = replace(member, measured=member.measured | {"machine": "another abacus"})
        rows = [
            result("scratch/unet", GOOD),
            board.results.Result(board.rows.Row("scratch", BENCHMARKS / "x"), (other,)),
        ]
        text = "Budgets of different machines cannot be compared. an abacus: scratch/unet. another abacus: scratch/x."
        for table, expected in ((rows, True), (rows[:1], False)):
            tables = board.tables.tracks_of({300.0: table})
            assert (text in board.tables.to_markdown(tables, [], "")) is expected
            assert (text in board.tables.to_html(tables, [], "")) is expected

    def test_name_the_machine_of_further_seeds(self, board, result):
        (first, second) = result("scratch/unet", GOOD, POOR).members
        second = replace(second, measured=second.measured | {"machine": "another abacus"})
        row = board.results.Result(board.rows.Row("scratch", BENCHMARKS / "x"), (first, second))
        text = board.tables.to_markdown(board.tables.tracks_of({300.0: [row]}), [], "")
        assert "Some further seeds were trained, for as many epochs, on another abacus: scratch/x." in text
        assert "cannot be compared" not in text


class TestTheMachine:
    @pytest.mark.parametrize(("flags", "expected"), [("fma avx2", "An Abacus"), ("avx512f", "An Abacus with AVX-512")])
    def test_has_a_name(self, board, tmp_path, flags, expected):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor\t: 0\nmodel name\t: An Abacus\nflags\t\t: fpu {flags}\n\n" * 2)
        assert board.train.machine(file) == f"{expected}, {os.cpu_count()} cores"


class TestARun:
    """What the script trains, with a training that only writes its result."""

    @pytest.fixture
    def trained(self, board, result, monkeypatch) -> list:
        """The tasks that were done. `best` validates best.

        An epoch takes 10 s; 20 s in `slow`, but for the first two, and in the first long training of `disturbed`.
        """
        tasks, done = [], {}

        def process(task, row):
            if row.name == "broken":
                raise board.main.RowError("no such loss")
            tasks.append((row.name, task.epochs, task.seed if task.out else "timing"))
            long = row.name == "slow" or (row.name == "disturbed" and task.out)
            each = 20.0 if long and task.epochs > 2 else 10.0
            seconds = board.main.Path(task.seconds)
            seconds.parent.mkdir(parents=True, exist_ok=True)
            seconds.write_text(json.dumps([each * (epoch + 1) for epoch in range(task.epochs)]))
            parameters = 600_000 if row.name == "huge" else 400_000
            validation = 0.9 if row.name == "best" else 0.4
            done[task.out] = board.results.Member(
                task.epochs, each * task.epochs, validation, measured(GOOD, parameters)
            )

        def read_member(run, seconds, answer):
            return replace(done[str(run)], seconds=seconds[-1]) if seconds else None

        monkeypatch.setattr(board.main, "_process", process)
        monkeypatch.setattr(board.main, "read_member", read_member)
        return tasks

    @pytest.fixture
    def run(self, board, tmp_path):
        def call(*names, seeds=1, finalists=1, data="data", **changed):
            rows = [board.rows.Row(*name.split("/")[:1], tmp_path / f"{name.split('/')[1]}.toml") for name in names]
            for row in rows:
                row.plan.touch()
            store = board.store.Store(tmp_path / "results", data)
            places = "data", tmp_path / "out", tmp_path / "leaderboard.md", "command", store
            leaderboard = board.main.Leaderboard(*places, seeds=seeds, finalists=finalists, **changed)
            leaderboard.run(rows, [100.0])
            return leaderboard

        return call

    def test_trains_the_finalists_with_more_seeds(self, trained, run):
        assert [len(each.members) for each in run("scratch/unet", "scratch/best", seeds=3).results[100.0]] == [1, 3]
        assert trained == [
            ("unet", 2, "timing"),
            ("unet", 10, 0),
            ("best", 2, "timing"),
            ("best", 10, 0),
            ("best", 10, 1),
            ("best", 10, 2),
        ]

    def test_counts_the_guests_of_a_table_among_its_finalists(self, trained, run):
        results = run("scratch/best", "small/x", seeds=2).results[100.0]  # best is also in the table `small`
        assert {str(each.row): len(each.members) for each in results} == {"scratch/best": 2, "small/x": 1}

    @pytest.mark.parametrize(
        ("track", "plan", "message"),
        [
            ("unlabelled", "semi = 'fixmatch:transductive=true'", "a transductive run learns from the images of the"),
            ("unlabelled", f"semi = 'pseudo:runs={FINISHED}'", "finished runs hide the time of their training"),
            ("unlabelled", "arch = 'unet'", "each row there has one"),
            ("scratch", "semi = 'fixmatch'", "a semi-supervised method is for the track unlabelled"),
            ("unlabelled", "semi = 'fixmatch'\ntraining.unlabelled = 'synthetic:count=9'", "those of the data set"),
            ("unlabelled", "semi = 'fixmatch'\ntraining.unlabelled = 'training'", "those of the data set"),
            ("scratch", "split.labelled = 0.5", "learn from the same labelled images"),
            ("scratch", "cleaning.drop_duplicates = true", "learn from the same labelled images"),
            ("scratch", f"training.init = '{FINISHED}'", "the training of the initial weights (training.init) is not"),
            ("scratch", "encoder = 'efficientnet_lite0:weights=imagenet'", "are for the track pretrained"),
            ("pretrained", "encoder = 'efficientnet_lite0:weights=WEIGHTS'", "only published ones are allowed"),
        ],
    )
    def test_refuses_rows_whose_scores_could_not_be_compared(self, trained, run, tmp_path, track, plan, message):
        weights = tmp_path / "weights.npz"
        weights.touch()
        (tmp_path / "x.toml").write_text(plan.replace("WEIGHTS", str(weights)))
        assert message in run(f"{track}/x").failed[f"{track}/x"]
        assert not trained

    def test_takes_published_weights_in_their_track(self, trained, run, tmp_path):
        (tmp_path / "x.toml").write_text("encoder = 'efficientnet_lite0:weights=imagenet'")
        assert run("pretrained/x").results[100.0]

    def test_takes_the_training_subset_beside_the_images_without_labels(self, trained, run, tmp_path):
        (tmp_path / "x.toml").write_text('semi = "fixmatch"\ntraining.unlabelled = "own,training"')
        assert run("unlabelled/x").results[100.0]

    def test_trains_whole_rounds(self, trained, run, tmp_path):
        (tmp_path / "x.toml").write_text('semi = "pseudo:runs=none:rounds=3"')
        run("unlabelled/x")
        assert trained == [("x", 6, "timing"), ("x", 9, 0)]

    def test_takes_fewer_epochs_where_they_take_longer_later(self, trained, run):
        (each,) = run("scratch/slow").results[100.0]
        assert trained == [("slow", 2, "timing"), ("slow", 10, 0), ("slow", 10, "timing"), ("slow", 5, 0)]
        assert each.epochs == 5

    def test_keeps_the_epochs_of_a_training_that_other_programs_slowed_down(self, trained, run):
        for _ in ("first", "once more"):
            (each,) = run("scratch/disturbed").results[100.0]
            assert (each.epochs, each.minutes) == (10, pytest.approx(100 / 60))
        assert trained == [("disturbed", 2, "timing"), ("disturbed", 10, 0), ("disturbed", 10, "timing")]

    def test_goes_on_where_it_was(self, trained, run):
        run("scratch/unet")
        trained.clear()
        assert run("scratch/unet").results[100.0]
        assert not trained

    def test_trains_again_after_a_change_of_the_plan(self, trained, run, tmp_path):
        run("scratch/unet")
        trained.clear()
        (tmp_path / "unet.toml").write_text('arch = "unet:width=0.5"')
        run("scratch/unet")
        assert trained == [("unet", 2, "timing"), ("unet", 10, 0)]

    def test_is_not_repeated_after_a_change_of_its_summary(self, trained, run, tmp_path):
        run("scratch/unet")
        trained.clear()
        (tmp_path / "unet.toml").write_text('# a comment\nsummary = "other words"')
        run("scratch/unet")
        assert not trained

    def test_takes_what_is_published_and_trains_only_what_is_missing(self, trained, run, tmp_path):
        (published,) = run("scratch/unet", publish=True).results[100.0]
        trained.clear()
        shutil.rmtree(tmp_path / "out")
        (each,) = run("scratch/unet").results[100.0]
        assert (each.members, trained) == (published.members, [])
        (each,) = run("scratch/unet", seeds=3, publish=True).results[100.0]
        assert trained == [("unet", 10, 1), ("unet", 10, 2)]
        trained.clear()
        shutil.rmtree(tmp_path / "out")
        assert run("scratch/unet", seeds=3).results[100.0] == [each]
        assert not trained

    def test_trains_again_what_was_published_of_another_plan_or_of_other_data(self, trained, run, tmp_path):
        run("scratch/unet", publish=True)
        for change in ("data", "plan"):
            trained.clear()
            shutil.rmtree(tmp_path / "out")
            if change == "plan":
                (tmp_path / "unet.toml").write_text('arch = "unet:width=0.5"')
            run("scratch/unet", data="other" if change == "data" else "data")
            assert trained == [("unet", 2, "timing"), ("unet", 10, 0)]

    def test_keeps_what_was_published_of_other_data(self, trained, run):
        (published,) = run("scratch/unet", publish=True).results[100.0]
        run("scratch/unet", data="fewer", publish=True)
        trained.clear()
        assert run("scratch/unet", train=False).results[100.0] == [published]
        assert run("scratch/unet", data="fewer", train=False).results[100.0]
        assert not trained

    def test_publishes_nothing_unasked(self, trained, run, tmp_path):
        run("scratch/unet")
        assert not (tmp_path / "results").exists()

    def test_trains_nothing_for_the_tables_of_what_is_published(self, trained, run, tmp_path):
        run("scratch/unet", publish=True)
        trained.clear()
        leaderboard = run("scratch/unet", "small/new", seeds=3, train=False)
        assert [(each.row.name, len(each.members)) for each in leaderboard.results[100.0]] == [("unet", 1)]
        page = (tmp_path / "leaderboard.md").read_text()
        assert "Not trained yet, 1.66667 processor minutes: small/new." in page
        assert "Further seeds not trained yet, 1.66667 processor minutes: scratch/unet." in page
        assert not trained
        run("scratch/unet", seeds=3, publish=True)
        run("scratch/unet", "small/new", seeds=3, train=False)
        assert "Further seeds" not in (tmp_path / "leaderboard.md").read_text()
        assert not leaderboard.failed

    def test_tells_what_failed_and_goes_on(self, trained, run, tmp_path):
        leaderboard = run("scratch/broken", "small/huge", "scratch/unet")
        assert leaderboard.failed == {
            "scratch/broken": "no such loss",
            "small/huge": "600,000 parameters are more than the 500,000 of the track",
        }
        assert [each.row.name for each in leaderboard.results[100.0]] == ["unet"]
        assert "scratch/unet" in (tmp_path / "leaderboard.md").read_text()
        assert "no such loss" in (tmp_path / "out" / "leaderboard.html").read_text()


def test_the_page_of_the_documentation_is_what_is_published(board, real_tiles, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    command = ["leaderboard.py", str(real_tiles), "--out", str(tmp_path), "--page", str(page), "--stored"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as end:
        board.main.main()
    assert end.value.code == 0
    assert page.read_text() == (REPOSITORY / "docs" / "leaderboard.md").read_text()


@pytest.mark.slow
def test_a_row_is_trained_and_measured_on_the_test_subset(board, tmp_path):
    plan = tmp_path / "scratch" / "tiny.toml"
    plan.parent.mkdir()
    plan.write_text('summary = "tiny"\narch = "unet:width=0.0625"\n[training]\nbatch = 8')
    row = board.rows.Row("scratch", plan)
    store = board.store.Store(tmp_path / "results", "synthetic")
    page = tmp_path / "to" / "leaderboard.md"
    places = "synthetic:count=40", tmp_path / "out", page, "command", store
    leaderboard = board.main.Leaderboard(*places, publish=True, seeds=1)
    leaderboard.run([row], [1.0])
    assert not leaderboard.failed
    ((result,),) = leaderboard.results.values()
    folder = RunFolder.open(next((tmp_path / "out").glob("scratch/tiny/*/*/1s/*/seed-0")))
    metrics = folder.read_metrics()
    assert result.miou == pytest.approx(metrics["subsets"]["test"]["miou"])
    assert (result.epochs, result.validation) == (metrics["epochs"], metrics["subsets"]["validation"]["miou"])
    assert "scratch/tiny" in page.read_text()
    assert tuple(store.read(row, 1.0)) == result.members
