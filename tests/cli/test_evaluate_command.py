"""`marsseg evaluate`: scores of finished runs on their own subsets and on other data, side by side."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.ai4mars_tree import make_tree

import marsseg_core as marsseg
from marsseg_core.data.duplicates import digest_of
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.runs.other_data import split_of_same_images, training_images_in

pytestmark = pytest.mark.usefixtures("without_reports")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Give `scenes(name, count, seed)`, which writes an .npz file of labelled images of 16 × 32 pixels."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    folder = tmp_path_factory.mktemp("evaluate")

    def make(name, count=24, seed=0, height=16, width=32):
        data = Synthetic(count=count, height=height, width=width, seed=seed).load()
        np.savez(folder / f"{name}.npz", images=data.images[..., 0], masks=data.masks)
        return folder / f"{name}.npz"

    return make


@pytest.fixture(scope="module")
def run(scenes):
    """Train a tiny network and return the run folder."""
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "batch": 5}
    path = scenes("own")
    return marsseg.run(**words, data=str(path), epochs=2, learning_rate=0.01, out=path.parent / "run").path


@pytest.fixture
def other(run, tmp_path):
    """Copy the run folder."""
    shutil.copytree(run, tmp_path / "other")
    return tmp_path / "other"


def stored_scores(run):
    return json.loads((run / "metrics.json").read_text())["subsets"]


def scores(answer):
    """Return the cells of each row of the table, by the name of the score."""
    assert answer.code == 0, answer.err
    rows = answer.out.split("\n\n")[0].splitlines()
    return {row.split("\t")[0]: row.split("\t")[1:] for row in rows}


class TestOnItsOwnData:
    def test_a_page_of_a_wrong_name_is_refused_before_the_work(self, cli, run):
        answer = cli("evaluate", str(run), "--html", "page.txt")
        assert (answer.code, "does not end in .html" in answer.err) == (2, True)

    @pytest.mark.parametrize("subset", ["test", "validation"])
    def test_the_scores_are_exactly_those_at_the_end_of_the_run(self, cli, run, subset):
        answer = cli("evaluate", str(run), "--subset", subset, "--json")
        assert answer.code == 0, answer.err
        document = json.loads(answer.out)
        assert document["schema"] == 2
        (score,) = document["scores"]
        assert score == {"run": str(run), "data": "npz:own.npz", "subset": subset} | stored_scores(run)[subset]

    def test_without_ignored_classes_there_is_one_reading_of_the_score(self, cli, run):
        own = f"npz:path={run.parent / 'own.npz'}"
        readings = {"miou_an2dl", "miou_all"}
        assert {*scores(cli("evaluate", str(run), "--data", f"{own}:ignore_classes=0"))} > readings
        assert not {*scores(cli("evaluate", str(run), "--data", f"{own}:ignore_classes=none"))} & readings

    def test_the_default_is_the_test_subset_with_all_scores(self, cli, run):
        answer = cli("evaluate", str(run))
        rows = scores(answer)
        stored = stored_scores(run)["test"]
        assert rows["score"] == ["test"]
        assert rows["miou"] == [f"{stored['miou']:.4f}"]
        assert {"miou_an2dl", "miou_all", "miou_per_image", "accuracy", "images", "iou soil", "support sand"} <= set(
            rows
        )
        assert "labelled / predicted\tsoil\tbedrock\tsand\tbig_rock" in answer.out

    def test_all_and_train_count_their_images(self, cli, run):
        assert scores(cli("evaluate", str(run), "--subset", "all"))["images"] == ["24"]
        train, validation = (
            len(json.loads((run / "split.json").read_text())[name]) for name in ("train", "validation")
        )
        assert scores(cli("evaluate", str(run), "--subset", "train"))["images"] == [str(train)]
        assert scores(cli("evaluate", str(run), "--subset", "val"))["images"] == [str(validation)]

    def test_a_run_that_is_not_finished_says_so(self, cli, run, other):
        assert "not finished" not in cli("evaluate", str(run)).err
        metrics = json.loads((other / "metrics.json").read_text())
        (other / "metrics.json").write_text(json.dumps(metrics | {"status": "interrupted"}))
        assert "other is not finished: what is scored is its network so far." in cli("evaluate", "other").err

    def test_a_transductive_run_says_so(self, cli, run, other, caplog):
        assert "ransductive" not in cli("evaluate", str(run)).out
        recorded = RunFolder(other).read_split()
        used = {"source": "own.npz", "images": 24, "held_out": 7, "transductive": True, "fingerprint": ""}
        (other / "manifest.json").unlink()
        (other / "split.json").write_text(json.dumps(recorded | {"unlabelled": used}))
        answer = cli("evaluate", str(other), "--html", "page.html")
        assert answer.code == 0, answer.err
        assert (
            f"{other}: test of npz:own.npz, transductive\nTransductive: {other}. Trained with images of" in answer.out
        )
        assert f"Transductive: {other}." in (other.parent / "page.html").read_text(encoding="utf-8")
        answers = [json.loads(cli("evaluate", str(each), "--json").out)["scores"][0] for each in (run, other)]
        assert [each.get("transductive") for each in answers] == [None, True]
        marsseg.evaluate(other)
        assert "scores on these do not hold for new images" in caplog.text

    @pytest.mark.parametrize("subset", ["test", "all"])
    def test_data_that_changed_is_refused(self, cli, other, scenes, subset):
        plan = (other / "plan.toml").read_text()
        changed = scenes("changed", seed=1)
        (other / "plan.toml").write_text(plan.replace("own.npz", changed.name))
        (other / "manifest.json").unlink()  # as in older runs; newer runs report that the plan was changed
        answer = cli("evaluate", str(other), "--subset", subset)
        assert answer.code == 2
        assert "not what the run was trained on" in answer.err

    def test_data_that_moved_are_passed_by_data(self, cli, run, scenes):
        moved = scenes("moved")
        rows = scores(cli("evaluate", str(run), "--data", str(moved), "--subset", "test"))
        assert rows["miou"] == [f"{stored_scores(run)['test']['miou']:.4f}"]

    def test_items_dropped_by_cleaning_are_not_scored(self, cli, scenes, run, tmp_path):
        with np.load(scenes("own")) as arrays:
            images, masks = arrays["images"], arrays["masks"]
        # Add a copy of each of the first 6 images.
        np.savez(tmp_path / "twice.npz", images=np.r_[images, images[:6]], masks=np.r_[masks, masks[:6]])
        words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "epochs": 1}
        cleaned = marsseg.run(**words, data="twice.npz", drop_duplicates=True, out="cleaned")
        assert len(cleaned.data) == 24
        answer = cli("evaluate", "cleaned", "--json")
        assert json.loads(answer.out)["scores"][0]["miou"] == stored_scores(cleaned.path)["test"]["miou"]

    def test_python_gives_the_same_scores(self, run, scenes):
        assert marsseg.evaluate(run).to_json() == stored_scores(run)["test"]
        assert len(marsseg.evaluate(run, str(scenes("first", 5, 3))).per_image) == 5


class TestIntervals:
    def test_are_a_column_beside_the_score_and_say_what_was_drawn(self, cli, run):
        answer = cli("evaluate", str(run), "--subset", "train", "--interval")
        rows = scores(answer)
        train = len(json.loads((run / "split.json").read_text())["train"])
        assert rows["score"] == ["train", "train, 95 % interval"]
        low, high = map(float, rows["miou"][1].split(" to "))
        assert 0 <= low < float(rows["miou"][0]) < high <= 1
        assert rows["accuracy"][1] == ""
        assert f"95 % intervals: bootstrap over {train} images, 2,000 draws" in answer.out

    def test_of_too_few_images_are_refused_in_words(self, cli, run):
        answer = cli("evaluate", str(run), "--interval")
        test = len(json.loads((run / "split.json").read_text())["test"])
        assert scores(answer)["miou"][1] == f"too few images: {test}"
        assert f"no interval: it needs 10 images with labels, not {test}" in " ".join(answer.out.split())

    def test_are_in_the_json(self, cli, run):
        answer = cli("evaluate", str(run), "--subset", "all", "--interval", "--json")
        interval = json.loads(answer.out)["scores"][0]["interval"]
        assert (interval["places"], interval["resampled"], interval["draws"]) == (24, "images", 2000)
        assert interval["miou"] == list(marsseg.evaluate(run, subset="all").intervals().miou)


class TestTrainingImagesInOtherData:
    """A score on images that the run was trained on is not one on new images, and says so."""

    @pytest.fixture
    def other_masks(self, scenes, tmp_path):
        """Write the images of the run in an .npz file with other masks."""
        with np.load(scenes("own")) as arrays:
            images, masks = arrays["images"], arrays["masks"]
        np.savez(tmp_path / "reading2.npz", images=images, masks=np.where(masks == 2, 1, masks))
        return "reading2.npz"

    def test_are_counted(self, cli, run, other_masks):
        train = len(json.loads((run / "split.json").read_text())["train"])
        answer = cli("evaluate", str(run), "--data", other_masks)
        warning = f"{run} on {other_masks}: {train} of 24 images are training images of the run. This is not a score on"
        assert warning in " ".join(answer.err.split())
        assert f"all of {other_masks} ({train} of 24 images are training images of the run)" in answer.out

    def test_of_the_runs_that_it_learned_from_are_counted_too(self, cli, run, other, other_masks, tmp_path):
        first = shutil.copytree(run, tmp_path / "first")
        split = json.loads((first / "split.json").read_text())
        known = {*split["train"], *split["test"]}
        (first / "split.json").write_text(json.dumps(split | {"train": split["test"], "test": split["train"]}))
        (first / "manifest.json").unlink()
        (other / "manifest.json").unlink()
        text = (other / "plan.toml").read_text()
        assert '\ninit = "none"\n' in text
        (other / "plan.toml").write_text(text.replace('\ninit = "none"\n', f'\ninit = "{first}"\n'))
        answer = cli("evaluate", str(other), "--data", other_masks)
        counted = f"({len(known)} of 24 images are training images of the run or of those behind it)"
        assert counted in answer.out, answer.err

    def test_are_found_by_name_where_the_data_of_the_run_are_gone(self, run, tiny, other):
        split = json.loads((other / "split.json").read_text())
        split["names"] = [f"{item}.png" for item in range(24)]
        (other / "split.json").write_text(json.dumps(split))
        data = replace(tiny, names=[f"{item}.jpg" for item in range(23)] + [f"{split['train'][0]}.png"])
        assert str(training_images_in(data, RunFolder(other), lambda: None)) == (
            "1 of 24 images have the names of training images of the run"
        )
        assert training_images_in(tiny, RunFolder(other), lambda: None) is None

    def test_of_another_size_are_found_by_name(self, run, tiny, other):
        split = json.loads((other / "split.json").read_text())
        names = [f"{item}.png" for item in range(24)]
        (other / "split.json").write_text(json.dumps(split | {"names": names}))
        own = replace(tiny, images=tiny.images[:, :8], masks=tiny.masks[:, :8])
        found = training_images_in(replace(tiny, names=names), RunFolder(other), lambda: own)
        assert str(found) == f"{len(split['train'])} of 24 images have the names of training images of the run"

    def test_include_those_that_the_run_used_without_labels(self, tiny, other):
        split = json.loads((other / "split.json").read_text())
        facts = {"source": "more", "images": 1, "held_out": 0, "transductive": False, "fingerprint": ""}
        facts["hashes"] = [digest_of(tiny.images[7]).hex()]
        (other / "split.json").write_text(json.dumps(split | {"unlabelled": facts}))
        assert str(training_images_in(tiny, RunFolder(other), lambda: None)) == (
            "1 of 24 images are training images of the run, 1 of them without labels"
        )

    def test_new_images_are_not_among_them(self, cli, run, scenes):
        answer = cli("evaluate", str(run), "--data", str(scenes("new", 5, 3)))
        assert "training images" not in answer.out + answer.err

    def test_a_subset_of_the_run_is_scored_with_other_masks_of_its_images(self, cli, run, other_masks):
        answer = cli("evaluate", str(run), "--data", other_masks, "--subset", "test")
        rows = scores(answer)
        assert rows["images"] == [str(len(json.loads((run / "split.json").read_text())["test"]))]
        assert rows["support bedrock"] == ["0"]
        assert f"the run's test images, with the masks of {other_masks}" in answer.out

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda images: images[:-1], "it has 23 items, not 24"),
            (lambda images: images[::-1], "its images are in another order"),
            (lambda images: np.r_[images[:22], 255 - images[22:]], "2 of its 24 images differ"),
            (lambda images: images[:, :8], "its images are of 8 × 32 × 1, not 16 × 32 × 1"),
        ],
    )
    def test_other_images_are_refused_with_the_reason(self, run, change, reason):
        own = marsseg.dataset("synthetic", count=24, height=16, width=32)
        images = change(own.images)
        other = replace(own, images=images, masks=np.ones(images.shape[:3], np.uint8), source="other", groups=None)
        with pytest.raises(RequestError, match=f"not what the run was trained on.*{reason}"):
            split_of_same_images(other, RunFolder(run), lambda: own)


class TestSideBySide:
    def test_runs_are_columns(self, cli, run, other):
        answer = cli("evaluate", str(run), "other", "--html", "page.html")
        page = (other.parent / "page.html").read_text(encoding="utf-8")
        assert f"{stored_scores(run)['test']['miou']:.4f}" in page
        assert "image of other" in page
        assert 'alt="Confusion matrix: other"' in page
        rows = scores(answer)
        assert rows["score"] == [str(run), "other"]
        assert rows["miou"][0] == rows["miou"][1]

    def test_a_series_is_its_runs(self, cli, run, tmp_path):
        for name in ("seed-0", "seed-1"):
            shutil.copytree(run, tmp_path / "series" / name)
        summary = {
            "series": "seeds",
            "status": "finished",
            "runs": {"seed-0": "finished", "seed-1": None},
            "subsets": {},
        }
        (tmp_path / "series" / "summary.json").write_text(json.dumps(summary))
        assert scores(cli("evaluate", "series"))["score"] == ["series/seed-0", "series/seed-1"]

    def test_data_sets_are_columns(self, cli, run, scenes):
        first, second = scenes("first", 5, 3), scenes("second", 7, 4)
        rows = scores(cli("evaluate", str(run), "--data", str(first), "--data", str(second)))
        assert rows["score"] == [str(first), str(second)]
        assert rows["images"] == ["5", "7"]
        assert rows["accuracy"][0] != rows["accuracy"][1]

    def test_runs_on_data_sets_are_columns_of_both(self, cli, run, other, scenes):
        first, second = scenes("first", 5, 3), scenes("second", 7, 4)
        rows = scores(cli("evaluate", str(run), "other", "--data", str(first), "--data", str(second)))
        assert rows["score"] == [f"{r} on {d}" for r in (run, "other") for d in (first, second)]
        assert rows["images"] == ["5", "7", "5", "7"]

    def test_the_gold_levels_of_ai4mars_are_in_one_table(self, cli, run, tmp_path):
        tree = make_tree(tmp_path / "release")
        levels = [f"ai4mars:path={tree.root}:camera=ncam:labels=gold{n}:height=16:width=32" for n in (1, 2, 3)]
        rows = scores(cli("evaluate", str(run), *(word for level in levels for word in ("--data", level))))
        assert rows["score"] == levels
        assert rows["images"] == ["3", "3", "3"]
        assert len(set(rows["accuracy"])) > 1


class TestOtherImages:
    def test_of_another_size_are_predicted_in_tiles(self, cli, run, scenes):
        large = scenes("large", 3, 5, 40, 50)
        answer = cli("evaluate", str(run), "--data", str(large), "--json")
        assert answer.code == 0, answer.err
        (score,) = json.loads(answer.out)["scores"]
        network, data = marsseg.load(run), marsseg.dataset(str(large))
        from marsseg_core.evaluation.confusion import Confusion
        from marsseg_core.networks.predictor import Predictor

        confusion = Confusion(data.class_names, data.ignore_classes)
        confusion.update(data.masks, np.stack(list(Predictor([network]).probabilities(data.images))))
        assert score["miou"] == pytest.approx(confusion.miou, abs=1e-6)

    def test_are_seen_flipped_with_tta(self, cli, run):
        plain, flipped = (scores(cli("evaluate", str(run), *words)) for words in ([], ["--tta"]))
        assert plain["images"] == flipped["images"]
        assert plain["miou_per_image"] != flipped["miou_per_image"]

    def test_with_other_classes_are_refused(self, cli, other, scenes):
        split = json.loads((other / "split.json").read_text())
        split["classes"][4] = "boulder"
        (other / "split.json").write_text(json.dumps(split))
        (other / "manifest.json").unlink()
        answer = cli("evaluate", "other", "--data", str(scenes("first", 5, 3)))
        assert answer.code == 2
        assert "boulder; those of the data are background, soil, bedrock, sand, big_rock" in answer.err


class TestRequests:
    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (["nowhere"], "'nowhere' is not a run folder"),
            (["RUN", "--subset", "tests"], "Did you mean 'test'?"),
            (["RUN", "--data", "nowhere.npz"], "There is no file or folder 'nowhere.npz'."),
        ],
    )
    def test_that_make_no_sense_are_refused(self, cli, run, words, what):
        answer = cli("evaluate", *(str(run) if word == "RUN" else word for word in words))
        assert (answer.code, answer.out) == (2, "")
        assert what in answer.err

    def test_a_run_whose_split_is_damaged_is_refused(self, cli, other):
        (other / "split.json").write_text('{"schema": 1}')
        answer = cli("evaluate", "other")
        assert answer.code == 2
        assert "split.json" in answer.err
