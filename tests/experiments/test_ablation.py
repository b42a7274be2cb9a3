"""The effects of an ablation: which runs are pairs, what their mean is, and how sure it is."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from scipy import stats

import marsseg_core.api  # noqa: F401, it shows results in notebooks
from marsseg_core.experiments.ablation import AblationRun, Factor, analyse
from marsseg_core.experiments.ablation_tables import combinations_table, effects_csv, effects_table
from marsseg_core.experiments.markup import latex_table, markdown_table
from marsseg_core.figures.ablation import _limits, ablation_figure
from marsseg_core.runs.records import Record
from marsseg_core.sweeps.result import AblationResult
from marsseg_core.sweeps.summary import Summary, TrialRecord

LOSS = Factor("loss", ("wssce", "dice"))
ARCH = Factor("arch", ("unet", "dense"))


def run(score, seed=0, items=(1, 2), fingerprint="data", **settings):
    record = Record(
        Path("run"),
        {},
        str(seed),
        "none",
        "finished",
        {"test": {"miou": score, "dice": score and score / 2}},
        {},
        fingerprint,
        ("soil", "rock"),
        (),
        {"test": items},
    )
    return AblationRun({name.replace("__", "."): text for name, text in settings.items()}, record)


def effects(runs, *factors):
    return {each.choice: each for each in analyse(runs, factors, "miou", "test", rises=True).effects}


def test_an_effect_is_the_mean_over_pairs_and_its_interval_that_over_seeds():
    scores = {0: (0.50, 0.53), 1: (0.60, 0.61), 2: (0.40, 0.45)}
    runs = [run(pair[choice], seed, loss=LOSS.choices[choice]) for seed, pair in scores.items() for choice in (0, 1)]
    effect = effects(runs, LOSS)["dice"]
    differences = [0.03, 0.01, 0.05]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert effect.mean == pytest.approx(0.03)
    assert effect.interval == pytest.approx((expected.low, expected.high))
    assert (effect.baseline_score, effect.score) == pytest.approx((0.5, 0.53))
    assert [*effect.by_seed.values()] == pytest.approx(differences)


def test_pairs_have_the_same_other_settings_and_those_of_a_seed_count_once():
    """Twice as many combinations of other settings are no more seeds: the interval keeps its degrees of freedom."""
    gains = {("unet", 0): 0.02, ("unet", 1): 0.04, ("dense", 0): 0.06, ("dense", 1): 0.08}
    runs = [
        run(0.1 * seed + (arch == "dense") * 0.3 + (loss == "dice") * gains[arch, seed], seed, arch=arch, loss=loss)
        for arch, loss, seed in product(ARCH.choices, LOSS.choices, (0, 1))
    ]
    effect = effects(runs, ARCH, LOSS)["dice"]
    assert effect.mean == pytest.approx(0.05)
    assert [*effect.by_seed.values()] == pytest.approx([0.04, 0.06])
    assert sorted(effect.by_others) == pytest.approx([0.03, 0.07])
    half = stats.t.ppf(0.975, 1) * 0.01
    assert effect.interval == pytest.approx((0.05 - half, 0.05 + half))


def test_one_setting_at_a_time_is_compared_with_the_baseline_alone():
    runs = [
        run(0.5, arch="unet", loss="wssce"),
        run(0.6, arch="dense", loss="wssce"),
        run(0.4, arch="unet", loss="dice"),
    ]
    found = effects(runs, ARCH, LOSS)
    assert found["dense"].mean == pytest.approx(0.1)
    assert found["dice"].mean == pytest.approx(-0.1)
    assert found["dice"].baseline_score == 0.5
    assert found["dice"].interval is None


def test_a_parameter_that_only_one_choice_has_is_averaged_over():
    runs = [
        run(0.5, arch="unet"),
        run(0.6, arch="dense", arch__dense__depth="2"),
        run(0.8, arch="dense", arch__dense__depth="3"),
    ]
    depth = Factor("arch.dense.depth", ("2", "3"))
    found = effects(runs, ARCH, depth)
    assert found["dense"].mean == pytest.approx(0.2)
    assert found["3"].mean == pytest.approx(0.2)


def test_runs_on_other_items_or_data_are_no_pairs():
    for other in ({"items": (1, 3)}, {"fingerprint": "others"}):
        effect = effects([run(0.5, loss="wssce"), run(0.6, loss="dice", **other)], LOSS)["dice"]
        assert effect.mean is effect.score is effect.interval is None


def test_a_missing_run_leaves_its_combination_out_and_not_its_seed():
    runs = [
        run(0.5 + 0.1 * (loss == "dice"), seed, arch=arch, loss=loss)
        for arch, loss, seed in product(ARCH.choices, LOSS.choices, (0, 1, 2))
        if (arch, loss, seed) != ("dense", "dice", 1)
    ]
    effect = effects(runs, ARCH, LOSS)["dice"]
    assert ([*effect.by_seed], len(effect.by_others), effect.incomplete) == (["0", "1", "2"], 1, 1)


def test_an_undefined_score_is_a_missing_run():
    ablation = analyse(
        [run(0.5, loss="wssce"), run(None, loss="dice")], [LOSS], "miou", "test", rises=True, missing=[(Path("x"), "y")]
    )
    assert ablation.missing == ((Path("x"), "y"), (Path("run"), "miou is undefined"))
    assert [each.settings for each in ablation.combinations] == [{"loss": "wssce"}]


@pytest.fixture(scope="module")
def ablation():
    runs = [
        run(0.5 + 0.01 * seed + 0.1 * (loss == "dice"), seed, arch=arch, loss=loss)
        for arch, loss, seed in product(ARCH.choices, LOSS.choices, (0, 1))
    ]
    factors = [ARCH, LOSS, Factor("schedule", ("plateau", "cosine"))]
    return analyse(runs, factors, "miou", "test", rises=True)


def test_a_notebook_shows_the_effects_and_their_plot(ablation):
    trials = [TrialRecord(0, "finished", {"loss": "dice"}, 0.6), TrialRecord(1, "failed", {}, reason="no memory")]
    result = AblationResult.of(Path("runs/ablation"), Summary("finished", "miou", True, trials), [ablation])
    first, *others = repr(result).splitlines()
    assert first == "AblationResult('runs/ablation': finished, 1 of 2 trials finished)"
    assert any("dice instead of wssce: +0.1000" in line for line in others)
    html = result._repr_html_()
    assert html.count('src="data:image/png;base64,') == 1
    assert "+0.1000 to +0.1000" in html
    interrupted = AblationResult.of(Path("runs/ablation"), Summary("interrupted", "miou", True, trials), [])
    assert "1 of 2 trials finished" in interrupted._repr_html_()


def test_tables_say_how_sure_each_effect_is(ablation):
    table = effects_table(ablation)
    rows = {row[1]: dict(zip(table.headers, row, strict=True)) for row in table.rows}
    assert rows["dice"]["effect"] == "+0.1000"
    assert rows["dice"]["95 % interval"] == "+0.1000 to +0.1000"
    assert rows["dice"]["pairs"] == "2 seeds × 2"
    assert (rows["cosine"]["effect"], rows["cosine"]["95 % interval"]) == ("–", "no pair of runs")
    best, *_, baseline = combinations_table(ablation).rows
    assert best[:3] == ("unet", "dice", "0.6050 ± 0.0071")
    assert baseline[:2] == ("dense", "wssce")
    assert ("unet", "wssce", "0.5050 ± 0.0071", "2", "baseline", "") in combinations_table(ablation).rows


def test_tables_say_which_rows_are_of_transductive_runs(ablation):
    runs = [run(score, loss=choice) for score, choice in zip((0.5, 0.6, 0.7), "abc", strict=True)]
    runs[1] = replace(runs[1], record=replace(runs[1].record, transductive=True))
    found = analyse(runs, [Factor("loss", ("a", "b", "c"))], "miou", "test", rises=True)
    for table in (effects_table(found), combinations_table(found)):
        column = table.headers.index("transductive")
        assert [row[column] for row in table.rows if "b" in row] == ["yes"]
        assert [row[column] for row in table.rows if "c" in row] == [""]
    rows = csv.DictReader(effects_csv([found]).splitlines())
    assert [row["transductive"] for row in rows] == ["true", "false"]
    assert "Transductive: rows with yes in the column of this name." in found.note
    result = AblationResult.of(Path("runs/ablation"), Summary("finished", "miou", True, []), [found])
    assert found.note in result._repr_html_()
    assert ablation.note == ""
    for table in (effects_table(ablation).headers, combinations_table(ablation).headers, effects_csv([ablation])):
        assert "transductive" not in table


def test_the_csv_has_each_score(ablation):
    first, *_ = csv.DictReader(effects_csv([ablation, ablation]).splitlines())
    assert (first["metric"], first["choice"], first["effect"], first["seeds"]) == ("miou", "dense", "0.0", "2")


def test_markup_shows_texts_literally():
    assert markdown_table(["a|b", "n"], [["x\\", "1"]], right=["n"]) == "| a\\|b | n |\n| --- | --: |\n| x\\\\ | 1 |\n"
    latex = latex_table(["a_b", "n"], [["50 %", "±1"]], right=["n"])
    assert r"\begin{tabular}{lr}" in latex
    assert "a\\_b & n \\\\\n\\midrule\n50 \\% & $\\pm$1 \\\\" in latex


def test_a_minus_in_latex_is_one_before_numbers_alone():
    latex = latex_table(["run", "n"], [["seed-0 -1", "-0.5 to 1e-4"]], right=["n"])
    assert "seed-0 -1 & $-$0.5 to 1e-4" in latex


def test_a_very_wide_interval_does_not_hide_the_others(ablation):
    assert _limits(ablation.effects) == pytest.approx((-0.1, 0.2))  # the differences of the seeds are from 0 to 0.1


def test_a_figure_is_the_same_bytes_each_time(ablation, tmp_path):
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        for name in ("a", "b"):
            ablation_figure(ablation, tmp_path / f"{name}.{form}", form)
        first = (tmp_path / f"a.{form}").read_bytes()
        assert first.startswith(start)
        assert first == (tmp_path / f"b.{form}").read_bytes()
