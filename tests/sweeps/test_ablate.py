"""An ablation from its request to its tables. Only the last test trains; the others pretend."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.pretended import InThisProcess, Pretended

import marsseg
from marsseg_core.components.tasks import Task
from marsseg_core.errors import RequestError, RunError
from marsseg_core.experiments.ablation_tables import effects_table
from marsseg_core.planning.request import Request
from marsseg_core.registry.session import open_session
from marsseg_core.sweeps.ablation import results_of, write_results
from marsseg_core.sweeps.coordinator import Coordinator
from marsseg_core.sweeps.design import designed, make_design
from marsseg_core.sweeps.options import AblationOptions, SweepRequest
from marsseg_core.sweeps.sweep import begin_sweep, open_sweep

TINY = {"data": "synthetic:count=16:height=16:width=16"}
SECTIONS = {"training": {"epochs": "1"}}
CHOICES = {"arch": ["unet:depth=1:width=0.125"], "bottleneck": ["none", "aspp"], "loss": ["wssce", "dice"]}


def design(choices=CHOICES, varied=(), seeds=2, by="miou", subset="test", one_at_a_time=False, overrides=()):
    return make_design(
        choices,
        varied,
        Request(compositions=TINY, sections=SECTIONS, overrides=[*overrides]),
        open_session(),
        AblationOptions(by, subset, one_at_a_time),
        seeds=seeds,
        first_seed=0,
    )


def trials(made):
    space, alone = made.space, made.options.one_at_a_time
    several = [designed(space, number, one_at_a_time=alone) for number in range(len(made.combinations) * 2 + 1)]
    assert several.pop() is None
    return several


class TestDesign:
    def test_the_full_grid_has_all_combinations_with_one_seed_after_the_other(self):
        made = design(varied=["training.learning_rate=1e-3,1e-2"])
        assert (len(made.combinations), made.impossible) == (8, ())
        assert [each["training.seed"] for each in trials(made)] == [0] * 8 + [1] * 8
        assert [(factor.name, factor.choices) for factor in made.factors] == [
            ("bottleneck", ("none", "aspp")),
            ("loss", ("wssce", "dice")),
            ("training.learning_rate", ("0.001", "0.01")),
        ]

    def test_one_at_a_time_varies_the_baseline_in_one_setting(self):
        made = design(varied=["training.learning_rate=1e-3,1e-2"], one_at_a_time=True)
        assert [*made.combinations[0].values()] == ["none", "wssce", 0.001]
        assert len(trials(made)) == 2 * 4
        for combination in made.combinations[1:]:
            assert sum(combination[name] != value for name, value in made.combinations[0].items()) == 1

    def test_a_setting_with_one_value_plays_a_part_where_its_component_is_chosen(self):
        choices = {"loss": ["wssce,dice"], "weighting": ["fixed", "scheduled"]}
        varied = ["weighting.scheduled.start=0.2,0.8", "weighting.scheduled.end=0.5,0.5"]
        for alone in (False, True):
            made = design(choices, varied, one_at_a_time=alone)
            assert [each.get("weighting.scheduled.start") for each in made.combinations] == [None, (0.2, 0.8)]
            assert [factor.name for factor in made.factors] == ["weighting"]

    def test_impossible_combinations_are_skipped_and_counted(self):
        made = design({"arch": ["unet", "dense"], "encoder": ["none", "resnet50"]})
        assert len(made.combinations) == 3
        assert made.impossible == ("arch=dense, encoder=resnet50: The architecture 'dense' does not take an encoder.",)
        made = design(varied=["split.validation=0.2,0.7"], overrides=["split.test=0.5"])
        assert len(made.combinations) == len(made.impossible) == 4
        assert "split.validation=0.7: " in made.impossible[0]

    def test_val_is_the_validation_subset(self):
        assert AblationOptions("miou", "val").subset == "validation"

    @pytest.mark.parametrize(
        ("words", "where"),
        [
            ({"choices": {"loss": ["wsce", "dice"]}}, "--loss wsce"),
            ({"choices": {"loss": ["dice"]}}, "ablate"),
            ({"varied": ["training.learning_rate=1e-4..1e-2"]}, "--vary training.learning_rate"),
            ({"varied": ["training.seed=1,2"]}, "--vary training.seed=1,2"),
            ({"varied": ["split.seed=0..1000000"]}, "ablate"),
            ({"varied": ["split.seed=0..1000000"], "one_at_a_time": True}, "ablate"),
            ({"overrides": ["training.seed=1"]}, "--set training.seed=1"),
            ({"seeds": 0}, "--seeds"),
            ({"by": "mio"}, "--by"),
            ({"subset": "train"}, "--subset"),
            (
                {
                    "choices": {"arch": ["dense", "unet"], "loss": ["dice", "wssce"]},
                    "varied": ["arch.unet.depth=2,3"],
                    "one_at_a_time": True,
                },
                "--vary arch.unet.depth",
            ),
        ],
    )
    def test_a_wrong_request_is_refused_before_the_first_run(self, words, where):
        with pytest.raises(RequestError) as caught:
            design(**words)
        assert caught.value.where == where


def pretend(task):
    """A finished run. Dice gains 0.1; the seed adds 0.01."""
    folder = Path(task.arguments["folder"])
    folder.mkdir()
    shutil.copy(task.arguments["plan"], folder / "plan.toml")
    plan = tomllib.loads((folder / "plan.toml").read_text())
    score = 0.5 + 0.1 * (plan["loss"][0]["name"] == "dice") + 0.01 * plan["training"]["seed"]
    scores = {"miou": score, "dice": score, "iou": {"soil": score, "dune sand": score}}
    subsets = ("validation", "test")[: 1 + task.arguments["scores_test"]]
    metrics = {"status": "finished", "subsets": dict.fromkeys(subsets, scores)}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    split = {"fingerprint": "", "source": "", "classes": ["soil", "dune sand"], "ignored": [], "train": [0]}
    (folder / "split.json").write_text(json.dumps(split | {"validation": [1], "test": [2]}))
    test = {"miou": score} if task.arguments["scores_test"] else {}
    return {"value": {"state": "finished", "value": score, "test": test, "epochs": 1, "processor_seconds": 1.0}}


def begin(tmp_path, **words):
    made = design(**words)
    request = SweepRequest(made.options, made.request, tmp_path)
    return begin_sweep(request, made.space, open_session(), tmp_path / "ablation")


def run(sweep, answer=pretend):
    workers = InThisProcess(2, answer)
    return Coordinator(sweep, Pretended(workers), 2, lambda summary: None, trust=False).run(alone=True)


def test_the_results_come_from_the_run_folders(tmp_path):
    sweep = begin(tmp_path)
    summary = run(sweep)
    assert summary.counts == {"finished": 8}
    assert all(trial.test for trial in summary.trials)
    first, *others = results_of(sweep)
    assert [(each.setting, each.choice, each.mean) for each in first.effects] == [
        ("bottleneck", "aspp", pytest.approx(0)),
        ("loss", "dice", pytest.approx(0.1)),
    ]
    assert {each.by for each in others} >= {"dice", "iou_soil"}
    write_results(sweep, [first, *others])
    written = json.loads(sweep.folder.results(".json").read_text())
    assert written["baseline"] == {"bottleneck": "none", "loss": "wssce"}
    assert written["effects"][1]["seeds"] == {"0": pytest.approx(0.1), "1": pytest.approx(0.1)}
    page = sweep.folder.results(".html").read_text(encoding="utf-8")
    for text in ("Effects", "Combinations", "Baseline: bottleneck=none, loss=wssce", "data:image/png"):
        assert text in page
    assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"(?!data:)", page)
    for suffix in (".csv", ".md", ".tex", ".png", ".svg"):
        assert sweep.folder.results(suffix).stat().st_size


def test_a_score_may_be_called_with_underscores_for_spaces_and_one_that_no_run_has_costs_no_results(tmp_path, caplog):
    sweep = begin(tmp_path, by="iou_dune_sand", choices={"loss": ["wssce", "dice"]}, seeds=1)
    run(sweep)
    assert results_of(sweep)[0].by == "iou_dune sand"
    ablation = replace(sweep.request.options.ablation, by="iou_dune_send")
    options = replace(sweep.request.options, ablation=ablation)
    misspelt = replace(sweep, request=replace(sweep.request, options=options))
    assert results_of(misspelt)[0].by == "miou"
    assert "No run has a score 'iou_dune_send'. The results are those for miou." in caplog.text


def test_with_the_validation_subset_no_run_scores_its_test_subset(tmp_path):
    sweep = begin(tmp_path, subset="validation")
    assert not any(trial.test for trial in run(sweep).trials)
    assert results_of(sweep)[0].effects[1].mean == pytest.approx(0.1)


def test_a_trial_that_fails_harms_no_other_and_can_be_run_again(tmp_path):
    def answer(task):
        return {"error": "The loss is not finite."} if "trial-0001" in task.name else pretend(task)

    sweep = begin(tmp_path, choices={"loss": ["wssce", "dice", "focal"]}, one_at_a_time=True)
    assert run(sweep, answer).counts == {"finished": 5, "failed": 1}
    first = results_of(sweep)[0]
    assert [(path.name, reason) for path, reason in first.missing] == [("trial-0001", "The loss is not finite.")]
    assert [[*each.by_seed] for each in first.effects] == [["1"], ["0", "1"]]
    arguments = {"folder": sweep.folder.trial(1).path, "plan": sweep.folder.plan(1), "scores_test": True}
    pretend(Task("trial-0001, again", "", arguments))
    assert [[*each.by_seed] for each in results_of(sweep)[0].effects] == [["0", "1"]] * 2


def test_without_any_run_there_are_no_results(tmp_path):
    sweep = begin(tmp_path, seeds=1)
    run(sweep, lambda task: {"error": "No memory."})
    with pytest.raises(RunError, match=r"None of the 4 trials has finished.*No memory"):
        results_of(sweep)


def test_an_interrupted_ablation_goes_on(tmp_path):
    def stop(task):
        if "trial-0003" in task.name:
            raise KeyboardInterrupt
        return pretend(task)

    sweep = begin(tmp_path, one_at_a_time=True)
    path = sweep.folder.path
    with pytest.raises(KeyboardInterrupt):
        run(sweep, stop)
    with pytest.raises(RequestError, match="marsseg ablate --resume"):
        open_sweep(path, trials=None, disable=(), trust=False)
    again = open_sweep(path, trials=None, disable=(), trust=False, command="ablate")
    assert run(again).counts == {"finished": 6}
    assert effects_table(results_of(again, "dice")[0]).headers[3] == "test dice"
    with pytest.raises(RequestError, match=r"No run has a score 'iou_soul'.*iou_soil"):
        results_of(again, "iou_soul")


def test_a_dry_run_prints_the_plans_and_their_number(cli, tmp_path):
    words = ["--arch", "dense", "--arch", "unet", "--encoder", "none", "--encoder", "resnet50", "--dry-run"]
    answer = cli("ablate", *words)
    assert answer.code == 0, answer.err
    assert "setting\tbaseline\tother choices\narch\tdense\tunet\nencoder\tnone\tresnet50\n" in answer.out
    assert "Runs: 3 plans × 3 seeds = 9\n" in answer.out
    reason = "arch=dense, encoder=resnet50: The architecture 'dense' does not take an encoder."
    assert f"Skipped: {reason}" in answer.out
    planned = json.loads(cli("ablate", *words, "--json").out)
    assert planned["options"]["seeds"] == [0, 1, 2]
    assert planned["settings"] == {"arch": ["dense", "unet"], "encoder": ["none", "resnet50"]}
    assert planned["plans"][0] == {"arch": "dense", "encoder": "none"}
    assert (len(planned["plans"]), planned["runs"]) == (3, 9)
    assert [line.partition("\n")[0] for line in planned["skipped"]] == [reason]
    assert not [*tmp_path.iterdir()]


def test_the_command_shows_another_score_of_a_finished_ablation(cli, tmp_path):
    sweep = begin(tmp_path)
    run(sweep)
    answer = cli("ablate", "--resume", "ablation", "--by", "f1")
    assert answer.code == 0, answer.err
    assert "loss\tdice\twssce\t0.6050\t0.5050\t+0.1000\t+0.1000 to +0.1000\t2 seeds × 2" in answer.out
    assert "test dice" in (tmp_path / "ablation" / "ablation.md").read_text()
    assert json.loads(cli("ablate", "--resume", "ablation", "--json").out)["by"] == "miou"
    assert "--loss cannot be used with it" in cli("ablate", "--resume", "ablation", "--loss", "dice").err


class TestInPython:
    def ablate(self, answer=pretend, **arguments):
        return marsseg.ablate(on=Pretended(InThisProcess(2, answer)), **arguments)

    def begin(self, out, answer=pretend, **arguments):
        vary = {"bottleneck": ["none", "aspp"], "loss": ["wssce", "dice"]}
        words = {"arch": CHOICES["arch"][0], "epochs": 1, "seeds": 2, "vary": vary, **TINY}
        return self.ablate(answer, out=out, **words | arguments)

    def test_the_result_has_the_effects_that_the_command_shows(self, tmp_path):
        result = self.begin(tmp_path / "python", seed=5)
        assert (result.status, result.interrupted, len(result.trials)) == ("finished", False, 8)
        assert [(each.setting, each.choice, each.mean) for each in result.effects] == [
            ("bottleneck", "aspp", pytest.approx(0)),
            ("loss", "dice", pytest.approx(0.1)),
        ]
        assert {*result.effects[1].by_seed} == {"5", "6"}
        assert len(result.combinations) == 4
        assert result.scores["iou_soil"].effects[1].mean == pytest.approx(0.1)
        assert (Path(result) / "ablation.html").is_file()
        assert result.run(result.trials[0]) == tmp_path / "python" / "trial-0000"
        assert "loss: dice instead of wssce: +0.1000" in repr(result)

    def test_ctrl_c_interrupts_it_and_it_goes_on(self, tmp_path):
        def stop(task):
            if "trial-0003" in task.name:
                raise KeyboardInterrupt
            return pretend(task)

        result = self.begin(tmp_path / "ablation", stop, one_at_a_time=True)
        assert (result.interrupted, result.effects, result.missing) == (True, (), ())
        result = self.ablate(resume=result, by="dice")
        assert (result.status, next(iter(result.scores))) == ("finished", "dice")
        with pytest.raises(RequestError, match="An ablation that goes on has its own 'loss'"):
            self.ablate(resume=result, loss="dice")

    @pytest.mark.parametrize(
        "other",
        [{"one_at_a_time": True}, {"seeds": 2}, {"overrides": ["training.epochs=2"]}, {"plugins": ["mine.py"]}],
        ids=lambda other: next(iter(other)),
    )
    def test_one_that_goes_on_has_its_own_options(self, other):
        with pytest.raises(RequestError, match=f"An ablation that goes on has its own '{next(iter(other))}'"):
            marsseg.ablate(resume="nowhere", **other)

    def test_objects_are_refused(self, tmp_path, tiny):
        with pytest.raises(RequestError, match="In a sweep, data must be a string"):
            self.begin(tmp_path / "ablation", data=tiny)


@pytest.mark.slow
def test_a_run_scores_its_test_subset(tmp_path, without_observers):
    sweep = begin(tmp_path, choices={"arch": CHOICES["arch"], "loss": ["wssce", "dice"]}, seeds=1)
    first, _ = run(sweep, lambda task: task.answer() if "trial-0000" in task.name else pretend(task)).trials
    assert first.state == "finished", first.reason
    assert sweep.folder.trial(0).read_metrics()["subsets"]["test"]["miou"] == first.test["miou"]
    (effect,) = results_of(sweep)[0].effects
    assert effect.mean is None  # the other one pretends to be scored on other images
