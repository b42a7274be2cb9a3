"""Test comparisons: groups of runs, ranks, differing settings, and paired differences with their uncertainty."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.experiments.comparison import score_called
from marsseg_core.experiments.series import fold_plans, seed_plans
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.registry.kinds import METHOD

pytestmark = pytest.mark.usefixtures("without_reports")

CLASSES = ("soil", "rock")
BASE = "unet:width=0.125"


@pytest.fixture
def write(tmp_path):
    """Return a function: `write("name", 0.7)` makes a run folder with the score 0.7 and the files that are compared."""

    def make(name, score, *, plan=None, status="finished", fingerprint="data", test=(7, 8, 9), names=None, **words):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        plan = plan or api.plan(**({"arch": BASE} | words))
        (folder / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
        scores = {"images": 3, "miou": score, "iou": dict.fromkeys(CLASSES, score), "support": {"soil": 5, "rock": 6}}
        subsets = {"validation": scores | {"miou": 0.4}} | ({"test": scores} if status == "finished" else {})
        (folder / "metrics.json").write_text(json.dumps({"schema": 1, "status": status, "subsets": subsets}))
        split = {"fingerprint": fingerprint, "source": "data", "classes": CLASSES, "ignored": []}
        split |= {"train": [0, 1], "validation": [5, 6], "test": list(test)}
        split |= {} if names is None else {"names": names}
        if any(getattr(each.options, "transductive", False) for each in plan.resolved[METHOD]):
            used = {"source": "data", "images": 5, "held_out": 3, "transductive": True, "fingerprint": ""}
            split["unlabelled"] = used
        (folder / "split.json").write_text(json.dumps(split))
        return folder

    return make


@pytest.fixture
def seeds(write):
    """Return a function: `seeds("name", [0.5, 0.6])` makes the folder of a series with a run for each score."""

    def make(name, scores, **words):
        plans = seed_plans(api.plan(**({"arch": BASE} | words)), len(scores))
        for (member, plan), score in zip(plans.items(), scores, strict=True):
            folder = write(f"{name}/{member}", score, plan=plan)
        return folder.parent

    return make


GOOD, POOR = [0.60, 0.66, 0.63, 0.70], [0.55, 0.58, 0.61, 0.60]
BY_SEED_AND_FOLD = {"wssce": [[0.60, 0.66, 0.63], [0.70, 0.71, 0.66]], "dice": [[0.55, 0.58, 0.61], [0.60, 0.67, 0.64]]}


class TestGroups:
    def test_runs_that_differ_in_the_seed_alone_are_one_group(self, seeds):
        comparison = marsseg.compare(seeds("a", GOOD))
        (group,) = comparison.groups
        assert (group.label, group.rank, group.values) == ("A", 1, tuple(GOOD))
        assert group.spread.mean == pytest.approx(np.mean(GOOD))
        assert group.spread.std == pytest.approx(np.std(GOOD, ddof=1))
        assert comparison.differing == {}

    def test_runs_may_be_passed_one_by_one_or_as_a_list(self, write):
        folders = [write("a", 0.6), write("b", 0.5, loss="dice")]
        for comparison in (marsseg.compare(*folders), marsseg.compare(folders)):
            assert [group.values for group in comparison.groups] == [(0.6,), (0.5,)]
        with pytest.raises(RequestError, match="nothing to compare"):
            marsseg.compare([])

    def test_the_folds_of_a_plan_are_one_group_although_their_test_items_differ(self, write):
        for fold, (name, plan) in enumerate(fold_plans(api.plan(arch=BASE), 3).items()):
            folder = write(f"cv/{name}", 0.5 + fold / 10, plan=plan, test=(fold,))
        comparison = marsseg.compare(folder.parent)
        assert [group.spread.n for group in comparison.groups] == [3]
        assert comparison.other_data == ()

    @pytest.mark.parametrize("both", [False, True])
    def test_say_whether_they_are_transductive(self, write, cli, both):
        """Even where all of them are."""
        semi = "mean_teacher:transductive=true"
        first = write("a", 0.7, semi=semi)
        second = write("b", 0.6, semi=f"{semi}:weight=2" if both else None)
        comparison = marsseg.compare(first, second)
        assert comparison.differing["semi.transductive"] == ("true", "true" if both else "false")
        assert "transductive true" in comparison.title(comparison.groups[0])
        answer = cli("compare", str(first), str(second))
        assert ("Transductive: A, B." if both else "Transductive: A.") in answer.err
        assert "semi.transductive\ttrue" in answer.out

    def test_are_ranked_by_their_mean(self, seeds):
        comparison = marsseg.compare(seeds("poor", POOR, loss="dice"), seeds("good", GOOD))
        assert [group.values for group in comparison.groups] == [tuple(GOOD), tuple(POOR)]
        assert [(group.label, group.rank) for group in comparison.groups] == [("A", 1), ("B", 2)]

    def test_the_number_of_workers_makes_no_other_group(self, write):
        write("a", 0.5, workers=1)
        folder = write("b", 0.5, workers=3, seed=1)
        assert len(marsseg.compare(folder.parent).groups) == 1

    def test_the_same_plan_seed_and_fold_counts_once(self, write):
        first, again = write("first", 0.6), write("second", 0.6)
        comparison = marsseg.compare(first, again, first)
        assert comparison.groups[0].spread.n == 1
        assert comparison.skipped == ((again, f"the same plan, seed and fold as {first}"),)

    def test_an_option_missing_in_an_old_plan_has_its_default(self, write):
        new, old = write("new", 0.6), write("old", 0.6, seed=1)
        text = (old / "plan.toml").read_text()
        assert 'folds = "none"\n' in text
        (old / "plan.toml").write_text(text.replace('folds = "none"\n', "").replace('init = "none"\n', ""))
        assert len(marsseg.compare(new, old).groups) == 1


class TestDifferingSettings:
    def differing(self, *folders):
        return dict(marsseg.compare(*folders).differing)

    def test_only_settings_that_differ_are_listed(self, write):
        folders = write("a", 0.6), write("b", 0.5, arch="unet:width=0.25", epochs=9)
        assert self.differing(*folders) == {"arch.unet.width": ("0.125", "0.25"), "training.epochs": ("7", "9")}

    def test_of_another_component_only_the_name_is_listed(self, write):
        folders = write("a", 0.6), write("b", 0.5, arch="dense:width=0.25"), write("c", 0.4, arch="unet:width=0.25")
        differing = self.differing(*folders)
        assert differing["arch"] == ("unet", "dense", "unet")
        assert differing["arch.unet.width"] == ("0.125", "–", "0.25")
        assert not {name for name in differing if name.startswith("arch.dense")}

    def test_a_list_is_written_as_the_user_types_it(self, write):
        folders = write("a", 0.6, loss="dice:weight=0.3,wssce"), write("b", 0.5, loss="dice")
        differing = self.differing(*folders)
        assert differing["loss"] == ("dice,wssce", "dice")
        assert differing["loss.dice.weight"] == ("0.3", "1.0")

    def test_versions_are_listed_once_for_each_distribution(self, write):
        new, old = write("new", 0.6), write("old", 0.5)
        text = (old / "plan.toml").read_text().replace(f'version = "{marsseg.version()}"', 'version = "0.0.1"')
        (old / "plan.toml").write_text(text)
        assert self.differing(new, old) == {"version.marsseg": (marsseg.version(), "0.0.1")}


class TestTitle:
    """Test the title of a group: its letter, and its values of the settings that differ."""

    def titles(self, *folders):
        comparison = marsseg.compare(*folders)
        return [comparison.title(group) for group in comparison.groups]

    def test_of_a_single_group_is_its_letter(self, write):
        assert self.titles(write("a", 0.6)) == ["A"]

    def test_has_the_name_of_a_component(self, write):
        folders = write("a", 0.6, loss="dice"), write("b", 0.5, loss="dice,wssce")
        assert self.titles(*folders) == ["A · dice", "B · dice,wssce"]

    def test_names_the_kind_if_there_is_no_component(self, write):
        folders = write("a", 0.6, bottleneck="aspp"), write("b", 0.5, bottleneck="none")
        assert self.titles(*folders) == ["A · aspp", "B · bottleneck none"]

    def test_has_the_name_of_a_parameter_without_its_component(self, write):
        folders = write("a", 0.6), write("b", 0.5, arch="unet:width=0.25")
        assert self.titles(*folders) == ["A · width 0.125", "B · width 0.25"]

    def test_has_the_section_of_an_option(self, write):
        folders = write("a", 0.6), write("b", 0.5, epochs=9)
        assert self.titles(*folders) == ["A · training.epochs 7", "B · training.epochs 9"]

    def test_leaves_out_settings_that_a_group_does_not_have(self, write):
        folders = write("a", 0.6), write("b", 0.5, arch="dense:width=0.25"), write("c", 0.4, arch="unet:width=0.25")
        assert self.titles(*folders) == ["A · unet · width 0.125", "B · dense", "C · unet · width 0.25"]

    def test_has_the_settings_in_the_order_of_the_comparison(self, write):
        folders = write("a", 0.6), write("b", 0.5, arch="unet:width=0.25", epochs=9)
        (_, other), comparison = self.titles(*folders), marsseg.compare(*folders)
        assert other == "B · width 0.25 · training.epochs 9"
        assert list(comparison.differing) == ["arch.unet.width", "training.epochs"]

    def test_begins_with_two_letters_after_z(self, write):
        folders = [write(str(epochs), 1 / epochs, epochs=epochs) for epochs in range(1, 29)]
        assert [title.partition(" ")[0] for title in self.titles(*folders)][24:] == ["Y", "Z", "AA", "AB"]


class TestPairedDifferences:
    def test_are_scipys_paired_t_interval(self, seeds):
        comparison = marsseg.compare(seeds("poor", POOR, loss="dice"), seeds("good", GOOD))
        difference = comparison.groups[1].difference
        interval = stats.ttest_rel(POOR, GOOD).confidence_interval(0.95)
        assert difference.pairs == 4
        assert difference.mean == pytest.approx(np.mean(np.subtract(POOR, GOOD)))
        assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))
        assert comparison.groups[0].difference is None

    def test_are_of_equal_seeds_only(self, seeds, write):
        folders = [seeds("good", GOOD[:3]), seeds("poor", POOR[:2], loss="dice", seed=1)]
        difference = marsseg.compare(*folders).groups[1].difference
        expected = stats.ttest_rel(POOR[:2], GOOD[1:3]).confidence_interval(0.95)
        assert difference.pairs == 2
        assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))

    def test_of_one_pair_have_no_estimate(self, write, cli):
        folders = write("a", 0.6), write("b", 0.5, loss="dice")
        difference = marsseg.compare(*folders).groups[1].difference
        assert (difference.pairs, difference.low, difference.high) == (1, None, None)
        assert difference.mean == pytest.approx(-0.1)
        assert "-0.1000\tneeds at least two pairs\t1" in cli("compare", *map(str, folders)).out

    @pytest.mark.parametrize("by", ["miou", "iou_soil"])
    def test_of_two_pairs_are_shown_as_far_as_they_are_possible(self, seeds, cli, by):
        folders = seeds("good", [0.6, 0.9]), seeds("poor", [0.5, 0.1], loss="dice")
        assert "-0.4500\t-1.0000 to +1.0000\t2" in cli("compare", *map(str, folders), "--by", by).out

    def test_of_fewer_pairs_than_runs_say_so(self, seeds, write, cli):
        """The means differ by 0.1 here, and the only pair by nothing."""
        folders = seeds("good", [0.5, 0.7]), write("b", 0.5, loss="dice")
        answer = cli("compare", *map(str, folders))
        assert "+0.0000\tneeds at least two pairs\t1 of 2" in answer.out
        assert "Not all runs are in pairs: B." in answer.err

    def test_do_not_exist_without_a_common_seed(self, write, cli):
        folders = write("a", 0.6, seed=1), write("b", 0.5, loss="dice")
        assert marsseg.compare(*folders).groups[1].difference.pairs == 0
        assert "no run with the same seed" in cli("compare", *map(str, folders)).out

    def test_are_of_equal_folds_only(self, write, tmp_path):
        scores = {"good": GOOD[:3], "poor": POOR[:3]}
        for loss, name in (("wssce", "good"), ("dice", "poor")):
            plans = fold_plans(api.plan(arch=BASE, loss=loss), 3)
            for fold, (member, plan) in enumerate(plans.items()):
                write(f"{name}/{member}", scores[name][fold], plan=plan, test=(fold,))
        comparison = marsseg.compare(tmp_path)
        expected = stats.ttest_rel(POOR[:3], GOOD[:3]).confidence_interval(0.95)
        assert comparison.groups[1].difference.low == pytest.approx(expected.low)


class TestSeveralSeedsOnTheSameFolds:
    """The runs of one fold are scored on the same images, whatever their seeds: they are not independent."""

    @pytest.fixture
    def folders(self, write, tmp_path):
        """Three folds by each loss with each of two seeds."""
        for loss, by_seed in BY_SEED_AND_FOLD.items():
            for seed, scores in enumerate(by_seed):
                plans = fold_plans(api.plan(arch=BASE, loss=loss, seed=seed), 3)
                for fold, (member, plan) in enumerate(plans.items()):
                    write(f"{loss}-{seed}/{member}", scores[fold], plan=plan, test=(fold,))
        return tmp_path

    def test_have_the_paired_interval_of_the_means_of_the_folds(self, folders, cli):
        difference = marsseg.compare(folders).groups[1].difference
        good, poor = (np.mean(BY_SEED_AND_FOLD[loss], axis=0) for loss in ("wssce", "dice"))
        expected = stats.ttest_rel(poor, good).confidence_interval(0.95)
        assert (difference.pairs, difference.folds, difference.mean) == (6, 3, pytest.approx(np.mean(poor - good)))
        assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
        assert difference.to_json()["folds"] == 3
        assert f"{expected.low:+.4f} to {expected.high:+.4f}\t6 in 3 folds" in cli("compare", str(folders)).out

    def test_have_the_interval_of_the_mean_of_the_folds(self, folders, cli, tmp_path):
        assert cli("compare", str(folders), "--markdown", "x.md", "--groups", "x.csv", "--latex", "x.tex").code == 0
        low, high = stats.ttest_1samp(np.mean(BY_SEED_AND_FOLD["wssce"], axis=0), 0).confidence_interval(0.95)
        assert f" | {low:.4f} to {high:.4f} | 6 |" in (tmp_path / "x.md").read_text()
        with (tmp_path / "x.csv").open(newline="") as file:
            rows = {(row["group"], row["score"]): row for row in csv.DictReader(file)}
        row = rows["A", "iou_rock"]
        assert (row["n"], float(row["low"]), float(row["high"])) == ("6", pytest.approx(low), pytest.approx(high))
        assert "Of a fold with several seeds, the scores are averaged first." in (tmp_path / "x.tex").read_text()

    def test_of_a_single_fold_are_compared_by_seed(self, write, tmp_path):
        for loss, by_seed in BY_SEED_AND_FOLD.items():
            for seed, scores in enumerate(by_seed):
                plan = fold_plans(api.plan(arch=BASE, loss=loss, seed=seed), 3)["fold-1"]
                write(f"{loss}-{seed}", scores[0], plan=plan)
        difference = marsseg.compare(tmp_path).groups[1].difference
        good, poor = ([scores[0] for scores in BY_SEED_AND_FOLD[loss]] for loss in ("wssce", "dice"))
        expected = stats.ttest_rel(poor, good).confidence_interval(0.95)
        assert (difference.pairs, difference.folds) == (2, None)
        assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


class TestOtherItems:
    @pytest.mark.parametrize(
        ("split", "reason"), [({"fingerprint": "other"}, "other data"), ({"test": (3, 4)}, "other items of the data")]
    )
    def test_a_run_scored_on_them_is_listed_without_a_rank(self, write, cli, split, reason):
        folders = write("a", 0.5), write("b", 0.4, loss="dice"), write("odd", 0.9, loss="focal", **split)
        comparison = marsseg.compare(*folders)
        assert comparison.other_data == ((folders[2], reason),)
        assert [group.rank for group in comparison.groups] == [1, 2, None]
        assert comparison.groups[2].values == (0.9,)
        assert comparison.groups[2].difference is None
        answer = cli("compare", *map(str, folders))
        assert f"{folders[2]}\t{reason}" in answer.out
        assert "cannot be compared" in answer.err

    @pytest.mark.parametrize(
        ("odd", "reason"),
        [
            ({"test": (3, 8)}, "other items of the data: 1 of its 2 items is not among the 3 of most runs"),
            ({"fingerprint": "other"}, "other data: its 3 items have the same names"),
            (
                {"fingerprint": "other", "names": [f"{n}.jpg" for n in range(10)]},
                "other data: 3 of its 3 items are not among the 3 of most runs",
            ),
        ],
    )
    def test_named_items_that_differ_are_counted(self, write, odd, reason):
        names = [f"{number}.png" for number in range(10)]
        folders = write("a", 0.5, names=names), write("b", 0.4, names=names, loss="dice")
        other = write("odd", 0.9, loss="focal", **({"names": names} | odd))
        assert marsseg.compare(*folders, other).other_data == ((other, reason),)

    def test_names_that_are_too_few_are_refused(self, write):
        write("a", 0.5)
        broken = write("broken", 0.5, names=["0.png"], loss="dice")
        ((path, reason),) = marsseg.compare(broken.parent).skipped
        assert path == broken
        assert "split.json: names must have a name for item 9" in reason

    def test_folds_of_a_file_are_comparable_with_those_of_the_same_file_alone(self, write, tmp_path):
        own = {"subsets": "own.csv", "subsets_hash": "1" * 64}
        for name, loss, split in [
            ("file", "wssce", own),
            ("same file, other seed", "dice", {**own, "seed": 7}),
            ("other file", "dice", {**own, "subsets_hash": "2" * 64}),
            ("drawn", "wssce", {"subsets": "drawn"}),
        ]:
            for member, plan in fold_plans(api.plan(arch=BASE, loss=loss), 2).items():
                write(f"{name}/{member}", 0.5, plan=replace(plan, split=replace(plan.split, **split)))
        comparison = marsseg.compare(tmp_path)
        ranked = {run.path.parent.name for group in comparison.groups if group.rank for run in group.runs}
        assert ranked == {"file", "same file, other seed"}
        assert {(path.parent.name, reason) for path, reason in comparison.other_data} == {
            ("other file", "other folds of the data"),
            ("drawn", "other folds of the data"),
        }

    def test_drawn_folds_are_the_same_whether_or_not_the_data_come_with_a_split(self, write, tmp_path):
        for subsets, loss in (("given", "wssce"), ("drawn", "dice")):
            for member, plan in fold_plans(api.plan(arch=BASE, loss=loss), 2).items():
                write(f"{subsets}/{member}", 0.5, plan=replace(plan, split=replace(plan.split, subsets=subsets)))
        assert [group.rank for group in marsseg.compare(tmp_path).groups] == [1, 2]

    def test_folds_and_a_single_test_subset_are_not_comparable(self, write):
        for name, plan in fold_plans(api.plan(arch=BASE), 2).items():
            write(f"cv/{name}", 0.5, plan=plan)
        single = write("single", 0.9)
        assert [path for path, _ in marsseg.compare(single.parent).other_data] == [single]


class TestRunsWithoutAScore:
    def test_are_listed_with_the_reason(self, write, cli):
        good, stopped, killed = write("a", 0.6), write("b", 0.5, status="interrupted"), write("c", 0.4)
        (killed / "metrics.json").unlink()
        broken = write("d", 0.3)
        (broken / "split.json").write_text("{")
        answer = cli("compare", str(good.parent))
        assert answer.code == 1
        assert "1 of the runs could not be read" in answer.err
        assert f"{stopped}\tinterrupted" in answer.out
        assert f"{killed}\taborted or still running" in answer.out
        assert f"{broken}\tsplit.json cannot be read" in answer.out
        assert len(marsseg.compare(good.parent).groups) == 1

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("metrics.json", b"", "metrics.json cannot be read: it is empty."),
            ("metrics.json", b"{}", "metrics.json: status, subsets are missing."),
            ("metrics.json", b'{"status": NaN}', "metrics.json cannot be read: a run never writes the number NaN."),
            ("metrics.json", b"[" * 10_000, "metrics.json cannot be read: its values are nested too deeply."),
            (
                "metrics.json",
                b'{"status": "finished", "subsets": {"test": {"miou": "x"}}}',
                "subsets.test.miou must be",
            ),
            ("split.json", b"[]", "split.json: the content must be a table, not []."),
            ("plan.toml", b"a = " + b"[" * 10_000, "plan.toml is not valid TOML: its values are nested too deeply."),
            ("plan.toml", b"\xff", "plan.toml is not valid TOML: 'utf-8' codec can't decode byte"),
            ("manifest.json", b'{"files": {"split.json": [1]}}', "manifest.json: files.split.json[0] must be a string"),
        ],
    )
    def test_one_broken_run_is_told_and_the_others_are_compared(self, write, name, content, says):
        good, broken = write("a", 0.6), write("b", 0.5, loss="dice")
        (broken / name).write_bytes(content)
        comparison = marsseg.compare(good, broken)
        assert [group.runs[0].path for group in comparison.groups] == [good]
        assert comparison.unreadable == (broken,)
        assert says in dict(comparison.skipped)[broken]
        assert comparison.to_json()["unreadable"] == [str(broken)]

    def test_a_ragged_confusion_matrix_gives_no_scores(self, write):
        folder, other = write("a", 0.6), write("b", 0.5, loss="dice")
        for each in (folder, other):
            content = json.loads((each / "metrics.json").read_text())
            content["subsets"]["test"] |= {"confusion": [[1, 2], [3]], "dice": 0.5}
            (each / "metrics.json").write_text(json.dumps(content))
        assert len(marsseg.compare(folder, other, by="dice").groups) == 2

    def test_are_an_error_if_no_run_has_a_score(self, write):
        folder = write("b", 0.5, status="interrupted")
        with pytest.raises(RequestError, match=r"^No run has scores of the test subset: .*b: interrupted"):
            marsseg.compare(folder)
        for number in range(6):
            write(f"more/{number}", 0.5, status="interrupted")
        with pytest.raises(RequestError, match="4: interrupted; and 1 more"):
            marsseg.compare(folder.parent / "more")

    def test_include_those_with_an_undefined_score(self, write):
        undefined, good = write("a", None, loss="dice"), write("b", 0.5)
        comparison = marsseg.compare(undefined, good)
        assert comparison.skipped == ((undefined, "miou is undefined"),)
        with pytest.raises(RequestError, match="undefined in all"):
            marsseg.compare(undefined)


class TestCommand:
    def test_prints_a_ranked_table_and_the_differing_settings(self, seeds, cli):
        folders = seeds("poor", POOR, loss="dice"), seeds("good", GOOD)
        lines = cli("compare", *map(str, folders)).out.splitlines()
        assert lines[0] == "rank\tgroup\ttest miou\tn\tto the best\t95 % interval\tpairs\truns"
        assert lines[1].startswith("1\tA\t0.6475 ± 0.0427\t4\t\t\t\t")
        assert lines[2].startswith("2\tB\t0.5850 ± 0.0265\t4\t-0.0625\t")
        assert lines[4:] == ["setting that differs\tA\tB", "loss\twssce\tdice"]

    def test_compares_by_the_iou_of_a_class_or_on_the_validation_subset(self, write, cli):
        folder = write("a", 0.6)
        assert "test iou_rock" in cli("compare", str(folder), "--by", "iou_rock").out
        assert "validation miou\tn\t" in cli("compare", str(folder), "--subset", "validation").out
        assert "0.4000" in cli("compare", str(folder), "--subset", "validation").out

    def test_takes_the_words_of_folders_and_underscores_for_the_spaces_of_a_class(self, write):
        folder = write("a", 0.6)
        text = (folder / "metrics.json").read_text().replace('"rock"', '"dune sand"')
        (folder / "metrics.json").write_text(text)
        comparison = marsseg.compare(folder, by="iou_dune_sand", subset="val")
        assert (comparison.by, comparison.subset) == ("iou_dune sand", "validation")

    def test_takes_underscores_only_where_one_class_can_be_meant(self):
        assert score_called("iou_a_b_c", ["iou_a b_c"]) == "iou_a b_c"
        assert score_called("iou_a_b_c", ["iou_a b_c", "iou_a_b c"]) == "iou_a_b_c"
        assert score_called("iou_a_b", ["iou_a b", "iou_a_b"]) == "iou_a_b"

    def test_json_has_a_schema_and_full_precision(self, seeds, cli):
        folders = seeds("poor", POOR, loss="dice"), seeds("good", GOOD)
        document = json.loads(cli("compare", *map(str, folders), "--json").out)
        best, other = document["groups"]
        assert document["schema"] == 2
        assert best["mean"] == np.mean(GOOD)
        assert [run["value"] for run in best["runs"]] == GOOD
        assert other["settings"] == {"loss": "dice"}
        assert other["difference"]["pairs"] == 4

    def test_csv_has_every_run_with_every_score_in_full_precision(self, seeds, cli, tmp_path):
        third = [1 / 3, 0.1 + 0.2]
        answer = cli("compare", str(seeds("a", third)), "--csv", "x.csv")
        assert answer.code == 0
        with (tmp_path / "x.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["miou"]) for row in rows] == third
        assert [float(row["iou_rock"]) for row in rows] == third
        assert [(row["group"], row["rank"], row["seed"], row["fold"]) for row in rows] == [
            ("A", "1", "0", "none"),
            ("A", "1", "1", "none"),
        ]

    def test_tables_for_papers_say_what_differs_between_the_groups(self, seeds, cli, tmp_path):
        folders = seeds("poor", POOR, loss="dice"), seeds("good", GOOD)
        assert cli("compare", *map(str, folders), "--markdown", "x.md", "--latex", "x.tex").code == 0
        header, _, first, second = (tmp_path / "x.md").read_text().splitlines()
        assert header.startswith("| rank | group | loss | test miou | test miou, 95 % interval | n |")
        assert first.startswith(f"| 1 | A | wssce | {np.mean(GOOD):.4f} ±")
        assert second.startswith("| 2 | B | dice | ")
        lines = (tmp_path / "x.tex").read_text().splitlines()
        assert lines[:2] == [r"\begin{table}", r"\centering"]
        assert lines[2].startswith(r"\caption{Test miou: mean $\pm$ sample standard deviation over n runs.")
        assert lines[3:5] == [r"\label{tab:x}", r"\begin{tabular}{lrrrrrr}"]
        columns = r"loss & test miou & test miou, 95 \% interval & n & to the best & 95 \% interval & pairs \\"
        assert lines[6] == columns
        assert lines[8].startswith(f"wssce & {np.mean(GOOD):.4f} $\\pm$")
        difference = np.mean(POOR) - np.mean(GOOD)
        assert f"& $-${-difference:.4f} & $-$" in lines[9]

    def test_tables_for_papers_have_the_t_interval_of_each_mean_as_far_as_it_is_possible(self, seeds, cli, tmp_path):
        folders = seeds("good", GOOD), seeds("wide", [0.1, 0.6], loss="dice")
        assert cli("compare", *map(str, folders), "--markdown", "x.md").code == 0
        _, _, first, second = (tmp_path / "x.md").read_text().splitlines()
        low, high = stats.ttest_1samp(GOOD, 0).confidence_interval(0.95)
        assert f" | {low:.4f} to {high:.4f} | 4 |" in first
        assert " | 0.0000 to 1.0000 | 2 |" in second

    def test_tables_for_papers_of_single_runs_have_no_interval_of_a_mean(self, write, cli, tmp_path):
        folders = write("a", 0.6), write("b", 0.5, loss="dice")
        assert cli("compare", *map(str, folders), "--markdown", "x.md").code == 0
        assert (tmp_path / "x.md").read_text().startswith("| rank | group | loss | test miou | n |")

    def test_groups_as_csv_have_mean_deviation_and_interval_of_every_score(self, seeds, write, cli, tmp_path):
        folders = write("poor", 1 / 3, loss="dice"), seeds("good", GOOD)
        answer = cli("compare", *map(str, folders), "--groups", "x.csv")
        assert (answer.code, "Table written: x.csv" in answer.err) == (0, True)
        with (tmp_path / "x.csv").open(newline="") as file:
            rows = {(row["group"], row["score"]): row for row in csv.DictReader(file)}
        interval = stats.ttest_1samp(GOOD, 0).confidence_interval(0.95)
        for name in ("miou", "iou_rock"):
            best, single = rows["A", name], rows["B", name]
            assert (best["rank"], best["loss"], best["n"]) == ("1", "wssce", "4")
            assert (float(best["mean"]), float(best["std"])) == (np.mean(GOOD), pytest.approx(np.std(GOOD, ddof=1)))
            assert (float(best["low"]), float(best["high"])) == pytest.approx((interval.low, interval.high))
            assert (single["loss"], float(single["mean"]), single["n"]) == ("dice", 1 / 3, "1")
            assert single["std"] == single["low"] == single["high"] == ""

    def test_a_table_for_latex_keeps_the_ranks_where_a_group_has_none(self, write, cli, tmp_path):
        folders = write("a", 0.5), write("b", 0.4, loss="dice"), write("odd", 0.9, loss="focal", test=(3, 4))
        assert cli("compare", *map(str, folders), "--latex", "x.tex").code == 0
        assert "\n-- & focal & 0.9000 " in (tmp_path / "x.tex").read_text()

    def test_figure_is_a_png(self, seeds, write, cli, tmp_path):
        folders = seeds("poor", POOR, loss="dice"), seeds("good", GOOD), write("odd", 0.2, test=(1,), loss="focal")
        assert cli("compare", *map(str, folders), "--figure", "x.png").code == 0
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")

    def test_a_page_has_the_ranking_and_what_differs(self, seeds, cli, tmp_path):
        folders = seeds("poor", POOR, loss="dice"), seeds("good", GOOD)
        answer = cli("compare", *map(str, folders), "--html", "x.html")
        assert (answer.code, "Page written: x.html" in answer.err) == (0, True)
        page = (tmp_path / "x.html").read_text(encoding="utf-8")
        assert f"{np.mean(GOOD):.4f} ±" in page
        assert "<td>loss</td><td>wssce</td><td>dice</td>" in page
        assert "B · dice</th>" in page

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (["--by", "mio"], "Did you mean 'miou'?"),
            (["--subset", "train"], "One of test, validation."),
            (["--csv", "x.txt"], "does not end in .csv"),
            (["--latex", "x.txt"], "does not end in .tex"),
            (["--figure", "missing/x.png"], "There is no folder 'missing'"),
            (["--figure", "there.png"], "nothing is ever overwritten"),
            (["nowhere"], "'nowhere' is not a run folder"),
            (["x" * 300], "is not a run folder"),
        ],
    )
    def test_a_wrong_request_is_refused(self, write, cli, tmp_path, words, what):
        (tmp_path / "there.png").touch()
        answer = cli("compare", str(write("a", 0.6)), *words)
        assert answer.code == 2
        assert what in answer.err

    def test_a_broken_plan_is_listed_with_the_reason(self, write, cli):
        folder, other = write("a", 0.6), write("b", 0.5)
        (folder / "plan.toml").write_text("arch = 3")
        assert (
            f"{folder}\tplan.toml: arch must be a list, a table or a string, not 3."
            in cli("compare", str(folder), str(other)).out
        )

    def test_imports_neither_keras_nor_a_plugin(self, write, python):
        folder = write("a", 0.6)
        code = (
            "import sys; from marsseg_core.experiments.comparison import compare_runs; from pathlib import Path;"
            "compare_runs([Path(sys.argv[1])]);"
            "print({'keras', 'tensorflow', 'numpy', 'marsseg_plugins'} & {*sys.modules})"
        )
        assert python(code, str(folder)).out == "set()\n"


def test_runs_on_the_same_data_share_one_split(write, monkeypatch):
    read, calls = RunFolder.read_split, []
    monkeypatch.setattr(RunFolder, "read_split", lambda folder: calls.append(folder) or read(folder))
    folders = [write(f"run-{seed}", 0.5, seed=seed) for seed in range(4)] + [write("other", 0.5, test=(3, 4))]
    comparison = marsseg.compare(*folders)
    assert len(calls) == 2
    (group, other) = comparison.groups
    assert {id(run.items) for run in group.runs} == {id(group.runs[0].items)}
    assert other.runs[0].items["test"] == (3, 4)


class TestAlso:
    """More scores as columns, as papers show them for each class."""

    def test_the_tables_have_the_mean_and_the_deviation_of_each_class(self, cli, seeds, tmp_path):
        folders = [str(seeds("good", GOOD)), str(seeds("poor", POOR, loss="dice"))]
        answer = cli("compare", *folders, "--also", "classes,acuracy")
        assert answer.code == 2
        assert "No run has a score 'acuracy'" in answer.err
        assert "--also" in answer.err
        answer = cli("compare", *folders, "--also", "classes", "--latex", str(tmp_path / "table.tex"))
        headers, first, *_ = (line.split("\t") for line in answer.out.splitlines())
        assert headers[2:6] == ["test miou", "iou_soil", "iou_rock", "n"]
        assert first[2:6] == ["0.6475 ± 0.0427"] * 3 + ["4"]
        assert "iou\\_soil" in (tmp_path / "table.tex").read_text()

    def test_json_has_them_in_full_precision(self, cli, seeds):
        answer = json.loads(cli("compare", str(seeds("good", GOOD)), "--also", "iou_rock", "--json").out)
        assert answer["also"] == ["iou_rock"]
        assert answer["groups"][0]["also"]["iou_rock"] == {
            key: answer["groups"][0][key] for key in ("mean", "std", "n")
        }

    def test_python_takes_a_list(self, seeds):
        comparison = marsseg.compare(seeds("good", GOOD), also=["iou_soil", "classes"])
        assert comparison.also == ("iou_soil", "iou_rock")
        assert comparison.spread_of(comparison.groups[0], "iou_soil") == comparison.groups[0].spread
