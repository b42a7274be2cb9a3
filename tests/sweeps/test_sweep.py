"""A sweep from its request to its best plan. Only the last test trains; the others pretend."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.pretended import InThisProcess, Pretended

import marsseg_core as marsseg
import marsseg_core.api
from marsseg_core.cli.sweep import _print_summary
from marsseg_core.errors import RequestError
from marsseg_core.experiments.comparison import compare_runs
from marsseg_core.planning.request import Request
from marsseg_core.registry.session import open_session
from marsseg_core.sweeps.coordinator import Coordinator
from marsseg_core.sweeps.folder import SweepFolder
from marsseg_core.sweeps.options import SweepOptions, SweepRequest, seconds_of
from marsseg_core.sweeps.page import write_page
from marsseg_core.sweeps.pruning import TrialReporter
from marsseg_core.sweeps.result import SweepResult
from marsseg_core.sweeps.space import make_space
from marsseg_core.sweeps.study import open_study
from marsseg_core.sweeps.sweep import begin_sweep, open_sweep
from marsseg_core.sweeps.trial import score_trial

TINY = {"data": "synthetic:count=16:height=16:width=16", "arch": "unet:depth=1:width=0.125"}
VARIED = ("loss=wssce", "loss=dice", "training.learning_rate=1e-4..1e-2")


def pretend(task):
    """The result of a run whose score is its learning rate."""
    folder = Path(task.arguments["folder"])
    if "plan" not in task.arguments:
        return {"value": {"miou": 0.5}}
    folder.mkdir()
    shutil.copy(task.arguments["plan"], folder / "plan.toml")
    rate = tomllib.loads((folder / "plan.toml").read_text())["training"]["learning_rate"]
    return {"value": {"state": "finished", "value": rate, "test": {}, "epochs": 1, "processor_seconds": 2.0}}


def begin(tmp_path, name="sweep", compositions=TINY, **options):
    options = SweepOptions(VARIED, **{"sampler": "random", "trials": 6} | options)
    request = SweepRequest(
        options, Request(compositions=compositions, sections={"training": {"epochs": "1"}}), tmp_path
    )
    session = open_session()
    space = make_space(options.varied, request.request, session)
    return begin_sweep(request, space, session, tmp_path / name)


def run(sweep, answer=pretend, places=2, **options):
    workers = InThisProcess(places, answer, **options)
    return Coordinator(sweep, Pretended(workers), places, lambda summary: None, trust=False).run(alone=True)


def facts(summary):
    return [(trial.number, trial.state, trial.value, dict(trial.settings)) for trial in summary.trials]


def test_a_sweep_does_not_depend_on_the_order_in_which_trials_end(tmp_path):
    first, second = begin(tmp_path, "a"), begin(tmp_path, "b")
    summary = run(first)
    assert facts(summary) == facts(run(second, places=4, backwards=True))
    assert (summary.status, summary.counts) == ("finished", {"finished": 6})
    best = max(summary.trials, key=lambda trial: trial.value)
    assert summary.ranked[0].number == best.number
    assert best.test == {"miou": 0.5}
    assert [trial.test for trial in summary.trials if trial is not best] == [{}] * 5
    plan = tomllib.loads(first.folder.best.read_text())
    assert plan["training"]["learning_rate"] == best.value
    assert plan["loss"][0]["name"] == best.settings["loss"]
    assert json.loads(first.folder.summary.read_text())["best"] == best.name
    assert first.folder.table.read_text().count("\n") == 7


def test_a_trial_that_fails_harms_no_other(tmp_path):
    def answer(task):
        return {"error": "The loss is not finite."} if "trial-0002" in task.name else pretend(task)

    summary = run(begin(tmp_path), answer)
    assert summary.counts == {"finished": 5, "failed": 1}
    assert (summary.trials[2].state, summary.trials[2].reason) == ("failed", "The loss is not finite.")


def test_a_trial_that_loses_its_worker_is_resumed_and_not_for_ever(tmp_path):
    tried = []

    def answer(task):
        tried.append(task.name)
        lost = task.name == "trial-0001, try 1" or "trial-0002" in task.name
        return {"lost": True, "error": "Its process ended: signal 9."} if lost else pretend(task)

    summary = run(begin(tmp_path), answer)
    assert summary.counts == {"finished": 5, "failed": 1}
    assert [trial.tries for trial in summary.trials] == [1, 2, 3, 1, 1, 1]
    assert "signal 9. It was started 3 times" in summary.trials[2].reason


def test_a_best_trial_that_loses_its_worker_is_scored_again(tmp_path):
    lost = iter([True])

    def answer(task):
        if "test" in task.name and next(lost, False):
            return {"lost": True, "error": "Its process ended: signal 9."}
        return pretend(task)

    assert run(begin(tmp_path), answer).ranked[0].test == {"miou": 0.5}


def test_an_interrupted_sweep_goes_on_with_its_trials(tmp_path):
    def stop(task):
        if "trial-0003" in task.name:
            raise KeyboardInterrupt
        return pretend(task)

    expected = facts(run(begin(tmp_path, "whole")))
    sweep = begin(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(sweep, stop)
    path = sweep.folder.path
    assert json.loads(sweep.folder.summary.read_text())["status"] == "interrupted"
    again = open_sweep(path, trials=None, disable=(), trust=False)
    assert facts(run(again)) == expected
    # Killed while it drew a trial: the next process draws the same.
    begin(tmp_path, "killed").study.ask()
    assert facts(run(open_sweep(tmp_path / "killed", trials=None, disable=(), trust=False))) == expected
    more = run(open_sweep(path, trials=8, disable=(), trust=False))
    assert facts(more)[:6] == expected
    assert more.counts == {"finished": 8}


def test_a_sweep_goes_on_only_with_what_it_began_with(tmp_path):
    """The content of a split, or of a plan, decides values. Trials with different ones could not be compared."""
    plan, split = tmp_path / "plan.toml", tmp_path / "split.csv"
    words = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4

    def write_split(words):
        split.write_text("\n".join(["item,subset", *(f"{item},{word}" for item, word in enumerate(words))]))

    write_split(words)
    plan.write_text("[training]\nbatch = 4\n")
    options = SweepOptions(VARIED, sampler="random", trials=6)
    sections = {"training": {"epochs": "1"}, "split": {"subsets": str(split)}}
    request = SweepRequest(options, Request(str(plan), compositions=TINY, sections=sections), tmp_path)
    session = open_session()
    sweep = begin_sweep(request, make_space(VARIED, request.request, session), session, tmp_path / "sweep")

    def open_again():
        return open_sweep(sweep.folder.path, trials=None, disable=(), trust=False)

    open_again()
    plan.write_text("[training]\nbatch = 8\n")
    with pytest.raises(RequestError, match=r"training.batch was 4, and is 8 now"):
        open_again()
    plan.write_text("[training]\nbatch = 4\n")
    write_split(words[::-1])
    with pytest.raises(RequestError, match=r"split.subsets_hash was \w+, and is \w+ now"):
        open_again()
    stored = json.loads(sweep.folder.request.read_text())
    del stored["settings"]  # a sweep that an earlier version began
    sweep.folder.request.write_text(json.dumps(stored))
    open_again()


def test_an_error_of_what_is_done_with_the_lock_is_not_taken_for_another_lock(tmp_path):
    with pytest.raises(BlockingIOError), SweepFolder(tmp_path).locked():
        raise BlockingIOError


def test_only_one_process_coordinates_unless_it_is_asked_to_join(tmp_path):
    sweep = begin(tmp_path)
    with sweep.folder.coordinated(alone=True) as first:
        assert sweep.folder.alive(first)
        with (
            pytest.raises(RequestError, match="Another process is working on this sweep"),
            sweep.folder.coordinated(alone=True),
        ):
            pass
        with sweep.folder.coordinated(alone=False) as second:
            assert first != second
            assert not sweep.folder.is_last(second)
        assert sweep.folder.is_last(first)
    assert not sweep.folder.alive(first)
    assert not (sweep.folder.path / "coordinators").exists()


def test_budgets_end_a_sweep(tmp_path):
    assert run(begin(tmp_path, trials=None, cpu=5.0), places=1).counts == {"finished": 3}
    assert seconds_of("1.5h", "") == 5400
    with pytest.raises(RequestError, match="not a duration"):
        seconds_of("5", "--wall 5")


def test_a_sampler_that_learns_skips_what_was_tried(tmp_path, monkeypatch):
    monkeypatch.setattr("marsseg_core.sweeps.coordinator._MOST_SKIPPED", 20)
    sweep = begin(tmp_path, sampler="tpe", trials=3)
    assert run(sweep).counts["finished"] == 3
    assert open_sweep(sweep.folder.path, trials=4, disable=(), trust=False).request.options.trials == 4
    with pytest.raises(RequestError, match="not the folder of a sweep"):
        SweepFolder.open(tmp_path)


def test_the_page_needs_no_other_file(tmp_path, monkeypatch, caplog):
    sweep = begin(tmp_path)
    summary = run(sweep)
    assert write_page(sweep, summary)
    page = sweep.folder.page.read_text(encoding="utf-8")
    for text in ("Importances", "History", "Settings and scores", "One setting at a time", summary.ranked[0].name):
        assert text in page
    assert "Not drawn" not in page
    assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=", page)
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.delitem(sys.modules, "optuna.visualization", raising=False)
    for name in [name for name in sys.modules if name.startswith(("optuna.visualization", "plotly."))]:
        monkeypatch.delitem(sys.modules, name)
    assert not write_page(sweep, summary)
    assert "marsseg[sweep]" in caplog.text


def test_transductive_trials_are_named_with_the_scores(tmp_path, capsys):
    def answer(task):
        result = pretend(task)
        return {"value": result["value"] | {"transductive": task.name.startswith("trial-0001")}}

    for each, names in ((pretend, []), (answer, ["trial-0001"])):
        sweep = begin(tmp_path, name=each.__name__, trials=3)
        summary = run(sweep, each)
        assert [trial.name for trial in summary.ranked if trial.transductive] == names
        _print_summary(sweep, summary)
        assert write_page(sweep, summary)
        page = sweep.folder.page.read_text(encoding="utf-8")
        for text in (capsys.readouterr().out, page, SweepResult.of(tmp_path, summary)._repr_html_()):
            assert ("Transductive: trial-0001. Trained with images of" in text) == bool(names)
        assert [trial["run"] for trial in summary.to_json()["trials"] if "transductive" in trial] == names
        rows = list(csv.DictReader(summary.to_csv().splitlines()))
        assert [row["trial"] for row in rows if row.get("transductive") == "true"] == names
        assert ("transductive" in rows[0]) == bool(names)


def test_a_run_whose_score_falls_behind_is_interrupted(tmp_path):
    journal = tmp_path / "journal.log"
    study = open_study(journal, direction="maximize")
    for _ in range(5):
        trial = study.ask()
        for epoch in (1, 2):
            trial.report(0.5 * epoch, epoch)
        study.tell(trial, 1.0)
    reporter = TrialReporter(str(journal), study.ask()._trial_id, "median", epochs=4)
    run = SimpleNamespace(best_by="val_miou")
    reporter.marsseg_epoch_finished(run, {"epoch": 1, "val_miou": 0.6})
    reporter.marsseg_epoch_finished(run, {"epoch": 2, "val_miou": None})
    assert not reporter.pruned
    with pytest.raises(KeyboardInterrupt):
        reporter.marsseg_epoch_finished(run, {"epoch": 2, "val_miou": 0.7})
    assert reporter.pruned


class TestInPython:
    def sweep(self, out, answer=pretend, **arguments):
        varied = {"loss": ["wssce", ["dice", "lovasz"]], "training": {"learning_rate": "1e-4..1e-2"}}
        words = {**TINY, "vary": varied, "trials": 4, "sampler": "random", "epochs": 1, "jobs": 2} | arguments
        return marsseg.sweep(on=Pretended(InThisProcess(2, answer)), out=out, **words)

    def test_the_result_has_the_trials_and_the_best_plan(self, tmp_path):
        result = self.sweep(tmp_path / "sweep", best=2)
        assert (result.status, result.interrupted, len(result.trials)) == ("finished", False, 4)
        assert {trial.settings["loss"] for trial in result.trials} == {"wssce", "dice,lovasz"}
        assert [trial.test for trial in result.ranked] == [{"miou": 0.5}, {"miou": 0.5}, {}, {}]
        plan = marsseg.plan(result.best_plan)
        assert plan.training.learning_rate == result.best.value == max(trial.value for trial in result.trials)
        assert plan.to_toml() == marsseg.plan(result.run(result.best)).to_toml()
        assert result.best.name in repr(result)
        assert (tmp_path / "sweep" / "sweep.html").is_file()

    def test_it_draws_what_the_command_draws(self, tmp_path):
        same = self.sweep(tmp_path / "python", vary={"loss": ["wssce", "dice"], "training.learning_rate": "1e-4..1e-2"})
        assert facts(same) == facts(run(begin(tmp_path, trials=4)))

    def test_ctrl_c_interrupts_it_and_it_goes_on(self, tmp_path):
        def stop(task):
            if "trial-0002" in task.name:
                raise KeyboardInterrupt
            return pretend(task)

        assert self.sweep(tmp_path / "sweep", stop).interrupted
        executor = Pretended(InThisProcess(2, pretend))
        result = marsseg.sweep(resume=tmp_path / "sweep", trials=5, on=executor)
        assert (result.status, len(result.trials)) == ("finished", 5)
        with pytest.raises(RequestError, match="has its own 'loss'"):
            marsseg.sweep(resume=tmp_path / "sweep", loss="dice", on=executor)

    @pytest.mark.parametrize(
        "other",
        [
            {"sampler": "grid"},
            {"pruner": "median"},
            {"sampler_seed": 1},
            {"best": 2},
            {"wall": "1h"},
            {"cpu": "1h"},
            {"overrides": ["training.epochs=2"]},
            {"plugins": ["mine.py"]},
            {"bottleneck": None},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_one_that_goes_on_has_its_own_options(self, other):
        with pytest.raises(RequestError, match=f"A sweep that goes on has its own '{next(iter(other))}'"):
            marsseg.sweep(resume="nowhere", **other)

    def test_objects_are_refused(self, tmp_path, tiny):
        with pytest.raises(RequestError, match="In a sweep, data must be a string"):
            self.sweep(tmp_path / "sweep", data=tiny)


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RequestError, match=r"marsseg\[sweep\]"):
        begin(tmp_path)
    assert not (tmp_path / "sweep").exists()


def test_a_dry_run_prints_the_space_and_three_plans(cli, tmp_path):
    words = ["--arch", TINY["arch"], "--data", TINY["data"], "--sampler", "random", "--dry-run"]
    words += [word for text in VARIED for word in ("--vary", text)]
    answer = cli("sweep", *words)
    assert answer.code == 0, answer.err
    assert "loss\twssce | dice\n" in answer.out
    assert "Combinations: uncountable\n" in answer.out
    assert "objective\tval_miou\n" in answer.out
    assert answer.out.count("Trial ") == 3
    planned = json.loads(cli("sweep", *words, "--json").out)
    assert planned["options"]["objective"] == "val_miou"
    assert planned["settings"]["loss"] == ["wssce", "dice"]
    assert planned["settings"]["training.learning_rate"]["log"] is True
    assert planned["combinations"] is None
    assert [set(each["settings"]) for each in planned["examples"]] == [set(planned["settings"])] * 3
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("words", ["--vary loss=dice", "--sampler tpe", "--pruner median", "--seed 0", "--report 2"])
def test_the_options_of_a_sweep_that_goes_on_are_its_own(cli, words):
    for how in ("--resume", "--join"):
        answer = cli("sweep", how, "nowhere", *words.split())
        assert answer.code == 2
        assert f"{words.split()[0]} cannot be used with it" in answer.err
        assert "is not the folder of a sweep" in cli("sweep", how, "nowhere", "--trials", "9").err


@pytest.mark.parametrize("command", ["sweep", "ablate"])
def test_there_is_at_least_one_job(cli, command):
    answer = cli(command, "--jobs", "0")
    assert answer.code == 2
    assert "Invalid value for '--jobs'" in answer.err  # the rest is Typer's, and differs between its versions


@pytest.mark.slow
def test_trials_are_runs(tmp_path, without_observers, monkeypatch):
    sweep = begin(tmp_path, trials=1, report=0)
    (trial,) = run(sweep, lambda task: task.answer(), places=1).trials
    folder = sweep.folder.trial(0)
    metrics = folder.read_metrics()
    assert (trial.state, trial.epochs) == ("finished", 1), trial.reason
    assert [*metrics["subsets"]] == ["validation"]
    assert metrics["subsets"]["validation"]["miou"] == trial.value
    (group,) = compare_runs([sweep.folder.path], subset="validation").groups
    assert group.runs[0].path == folder.path

    from marsseg_core.training import ended

    scored, score = [], ended.score_subsets
    monkeypatch.setattr(ended, "score_subsets", lambda run, subsets: scored.append([*subsets]) or score(run, subsets))
    scores = score_trial(folder=str(folder.path), disabled=(), trust=False)
    assert scored == [["test"]]
    assert [*folder.read_metrics()["subsets"]] == ["validation", "test"]
    assert folder.read_metrics()["subsets"]["test"]["miou"] == scores["miou"]
    folder.check_unchanged()
