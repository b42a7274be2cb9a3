"""A run must not use a network that learned its held-out images; of initial weights that did, it warns."""

import json
import shutil
from dataclasses import replace

import pytest
from helpers.paths import FROZEN

import marsseg_core as marsseg
from marsseg_core.data.duplicates import digest_of
from marsseg_core.data.split import Split
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.registry.kinds import ARCHITECTURE, LOSS, METHOD
from marsseg_core.training.finished_runs import check_runs, warn_of_known_images

RUN = FROZEN / "finished"


@pytest.fixture(scope="module")
def data():
    return marsseg.dataset("synthetic:count=20:height=16:width=32")


@pytest.fixture(scope="module")
def own():
    """The split of the run."""
    recorded = RunFolder(RUN).read_split()
    return Split(*(tuple(recorded[subset]) for subset in ("train", "validation", "test")))


@pytest.fixture(scope="module")
def swapped(own):
    return Split(own.test, own.validation, own.train)


def test_its_own_split_is_accepted(data, own, caplog):
    check_runs(marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"]), data, own, [ARCHITECTURE])
    warn_of_known_images(marsseg.plan(init=RUN), data, own)
    assert not caplog.records


def test_several_runs_are_joined_by_a_plus_or_set_as_a_list(tmp_path):
    runs = [str(shutil.copytree(RUN, tmp_path / name)) for name in ("a", "b+c", "d,e")]
    joined = marsseg.plan(arch="unet", loss="wssce,distill", overrides=[f"loss.distill.runs={'+'.join(runs)}"])
    listed = marsseg.plan(arch="unet", loss="wssce,distill", overrides=[f"loss.distill.runs={','.join(runs)}"])
    assert joined.resolved[LOSS][1].component.runs == listed.resolved[LOSS][1].component.runs == tuple(runs)


def test_of_a_run_that_is_not_finished_it_is_told(data, own, tmp_path, caplog):
    run = shutil.copytree(RUN, tmp_path / "run")
    (run / "metrics.json").unlink()
    check_runs(marsseg.plan(arch="unet", loss=f"wssce,distill:runs={run}"), data, own, [LOSS])
    assert "is not finished" in caplog.text


def test_a_network_that_learned_the_test_images_is_refused(data, swapped):
    plan = marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"])
    with pytest.raises(RequestError, match="trained on images of this run's validation or test subset") as caught:
        check_runs(plan, data, swapped, [ARCHITECTURE])
    assert "--split" in caught.value.hint


def test_of_a_network_of_other_data_it_is_unknown(own, caplog):
    plan = marsseg.plan(arch="refine", overrides=[f"arch.refine.run={RUN}"])
    check_runs(plan, marsseg.dataset("synthetic:count=21:height=16:width=32"), own, [ARCHITECTURE])
    assert "was trained on other data" in caplog.text


class TestATransductiveRun:
    """Its images without labels may be those that score this run, even if both have one split."""

    @pytest.fixture
    def used(self, tmp_path):
        """Give a function that copies the run, as one that has used so many of its held-out images."""

        def make(held_out):
            run = shutil.copytree(RUN, tmp_path / "run")
            facts = {"source": "more", "images": 9, "held_out": held_out, "transductive": True, "fingerprint": ""}
            split = json.loads((run / "split.json").read_text())
            (run / "split.json").write_text(json.dumps(split | {"unlabelled": facts}))
            return run

        return make

    @staticmethod
    def words(kind, run):
        """A plan whose component of this kind uses the run, with the kinds that are checked with it."""
        return {
            "refine": ({"arch": "refine", "overrides": [f"arch.refine.run={run}"]}, ARCHITECTURE),
            "distill": ({"arch": "unet", "loss": f"wssce,distill:runs={run}"}, LOSS),
            "pseudo": ({"arch": "unet", "semi": f"pseudo:runs={run}", "unlabelled": "synthetic"}, METHOD),
        }[kind]

    @pytest.mark.parametrize("kind", ["refine", "distill", "pseudo"])
    def test_is_refused_as_it_knows_the_test_images_without_their_labels(self, data, own, used, kind):
        words, checked = self.words(kind, used(4))
        with pytest.raises(RequestError, match="is transductive: it learned from images of this run's val") as caught:
            check_runs(marsseg.plan(**words), data, own, [checked])
        assert "Use a run that is not transductive" in caught.value.hint

    def test_may_be_used_by_one_that_says_so_too(self, data, own, used, caplog):
        run = used(4)
        words, _ = self.words("distill", run)
        words |= {"semi": "mean_teacher:transductive=true", "unlabelled": "synthetic", "init": run}
        plan = marsseg.plan(**words)
        check_runs(plan, data, own, [LOSS])
        warn_of_known_images(plan, data, own)
        assert not caplog.records

    def test_that_found_none_of_its_held_out_images_is_accepted(self, data, own, used):
        words, checked = self.words("refine", used(0))
        check_runs(marsseg.plan(**words), data, own, [checked])

    def test_that_held_out_other_images_is_accepted(self, data, own, used):
        words, checked = self.words("refine", used(4))
        check_runs(marsseg.plan(**words), data, Split(own.train[2:], own.train[:0], own.train[:0]), [checked])

    def test_gives_a_warning_where_it_gives_the_initial_weights(self, data, own, used, caplog):
        warn_of_known_images(marsseg.plan(arch="unet", init=used(4)), data, own)
        assert "begins with is transductive" in caplog.text
        assert "The scores do not hold for new images" in caplog.text


@pytest.mark.parametrize("learns", [False, True])
def test_a_teacher_that_has_learned_other_classes_is_refused(own, learns, tmp_path):
    """An ignored class that a network has not learned has some probability all the same."""
    run = shutil.copytree(RUN, tmp_path / "run")
    text = (run / "plan.toml").read_text()
    assert "learn_ignored = false" in text
    (run / "plan.toml").write_text(text.replace("learn_ignored = false", f"learn_ignored = {str(learns).lower()}"))
    data = replace(marsseg.dataset("synthetic:count=20:height=16:width=32"), ignore_classes=(0,))
    others = marsseg.plan(arch="unet", loss=f"wssce,distill:runs={run}", learn_ignored=not learns)
    what = "has learned the ignored classes" if learns else "has not learned the ignored classes"
    with pytest.raises(RequestError, match=what) as caught:
        check_runs(others, data, own, [LOSS])
    assert caught.value.hint.endswith(f"training.learn_ignored={str(learns).lower()}.")
    check_runs(marsseg.plan(arch="unet", loss=f"wssce,distill:runs={run}", learn_ignored=learns), data, own, [LOSS])


class TestARunThatUsedImagesWithoutLabels:
    """Its images may be held out by another run, which `--unlabelled` names a source of."""

    @pytest.fixture
    def used(self, tmp_path, data, own):
        run = shutil.copytree(RUN, tmp_path / "run")
        split = json.loads((run / "split.json").read_text())
        facts = {"source": "more", "images": 2, "held_out": 0, "transductive": False, "fingerprint": ""}
        facts["hashes"] = [digest_of(data.images[own.test[0]]).hex(), "00"]
        (run / "split.json").write_text(json.dumps(split | {"unlabelled": facts}))
        return run

    def test_is_refused_where_it_labels_or_teaches(self, data, own, used):
        plan = marsseg.plan(arch="unet", loss=f"wssce,distill:runs={used}")
        with pytest.raises(RequestError, match="uses learned from images of this run's validation or test") as caught:
            check_runs(plan, data, own, [LOSS])
        assert caught.value.hint.startswith("Use a run that did not.")

    def test_gives_a_warning_where_it_gives_the_initial_weights(self, data, own, used, caplog):
        others = replace(data, masks=data.masks[::-1].copy())  # of another fingerprint, and without names
        warn_of_known_images(marsseg.plan(arch="unet", init=used), others, own)
        assert "begins with learned from images of this run's validation and test subsets" in caplog.text

    def test_is_accepted_where_they_are_no_held_out_images(self, data, own, used):
        plan = marsseg.plan(arch="unet", loss=f"wssce,distill:runs={used}")
        check_runs(plan, data, replace(own, test=own.test[1:]), [LOSS])


class TestARunOfOtherData:
    """Of the same images with other masks, of another size or in other tiles, for example."""

    NAMES = tuple(f"site{n % 2}/{n}.png" for n in range(20))

    @pytest.fixture
    def begins(self, data, own, tmp_path, caplog):
        """Give a function that returns what is told where a network begins with the run's, by the names of both."""

        def told(names, theirs, split=own, **facts):
            run = shutil.copytree(RUN, tmp_path / "run")
            changes = {"fingerprint": "0" * 32, "names": theirs and [*theirs]} | facts
            (run / "split.json").write_text(json.dumps(json.loads((run / "split.json").read_text()) | changes))
            warn_of_known_images(marsseg.plan(arch="unet", init=run), replace(data, names=names and [*names]), split)
            return caplog.text

        return told

    def test_that_has_the_names_of_held_out_images_may_know_them(self, begins, swapped):
        told = begins(self.NAMES, self.NAMES, swapped)
        assert f"with the names of {len(swapped.test)} of this run's validation" in told

    def test_that_has_their_tiles_may_know_them(self, begins, swapped):
        tiles = [f"{name}@r0c0" for name in self.NAMES]
        told = begins(self.NAMES, tiles, swapped)
        assert f"with the names of {len(swapped.test)} of this run's validation" in told

    def test_that_has_its_split_by_name_is_accepted(self, begins):
        assert not begins(self.NAMES, self.NAMES)

    def test_that_keeps_other_tiles_of_an_image_apart_as_this_one_does_is_accepted(self, begins, own):
        image_of_each = dict(zip((*own.train, *own.validation, *own.test), [*range(10)] * 2, strict=True))
        tiles = [f"{image_of_each[n]}.png@r0c{n}" for n in range(20)]
        assert not begins(tiles, tiles)

    @pytest.mark.parametrize(("names", "theirs"), [(None, NAMES), (NAMES, None)])
    def test_without_names_may_know_them(self, begins, names, theirs):
        told = begins(names, theirs)
        assert "The run whose weights this one begins with, " in told
        assert ", was trained on other data (" in told

    def test_that_is_transductive_may_know_them_without_their_labels(self, begins):
        facts = {"source": "more", "images": 9, "held_out": 4, "transductive": True, "fingerprint": ""}
        assert "begins with is transductive" in begins(self.NAMES, self.NAMES, unlabelled=facts)


@pytest.mark.parametrize(
    "words", [{"init": "{run}"}, {"encoder": "efficientnet_lite0:weights={run}"}], ids=["init", "encoder"]
)
def test_initial_weights_that_know_the_test_images_give_a_warning(data, swapped, caplog, words, tmp_path):
    run = shutil.copytree(RUN, tmp_path / "run")
    with (run / "plan.toml").open("a") as plan:
        plan.write('\n[encoder]\nname = "efficientnet_lite0"\n')
    words = {name: text.format(run=run) for name, text in words.items()}
    warn_of_known_images(marsseg.plan(arch="unet", **words), data, swapped)
    assert f"{len(swapped.test)} images of this run's validation and test subsets" in caplog.text


class TestARunThatLearnedFromAnother:
    """Knowledge of held-out images is passed on, so the runs behind a run are checked as well."""

    @pytest.fixture
    def leaking(self, tmp_path, data, own, swapped):
        """Give a function that makes a run with the split of this one that has learned, so, from one that has not."""

        def make(how, gone=False):
            first = shutil.copytree(RUN, tmp_path / "first")
            split = json.loads((first / "split.json").read_text()) | {"train": swapped.train, "test": swapped.test}
            (first / "split.json").write_text(json.dumps(split))
            second = shutil.copytree(RUN, tmp_path / "second")
            words = {
                "initial weights": {"init": first},
                "a teacher": {"loss": f"wssce,distill:runs={first}"},
                "a first network": {"arch": "refine", "overrides": [f"arch.refine.run={first}"]},
            }[how]
            (second / "plan.toml").write_text(marsseg.plan(**words).to_toml())
            if gone:
                shutil.rmtree(first)
            return second

        return make

    @pytest.mark.parametrize("how", ["initial weights", "a teacher", "a first network"])
    def test_is_refused_as_a_teacher(self, data, own, leaking, how):
        plan = marsseg.plan(arch="unet", loss=f"wssce,distill:runs={leaking(how)}")
        with pytest.raises(RequestError, match="has learned from was trained on images of this run's") as caught:
            check_runs(plan, data, own, [LOSS])
        assert "has not learned from" in caught.value.hint

    def test_gives_a_warning_where_it_gives_the_initial_weights(self, data, own, leaking, caplog):
        warn_of_known_images(marsseg.plan(arch="unet", init=leaking("a teacher")), data, own)
        assert "second has learned from was trained on" in caplog.text

    def test_gives_a_warning_where_the_other_is_gone(self, data, own, leaking, caplog):
        plan = marsseg.plan(arch="unet", loss=f"wssce,distill:runs={leaking('initial weights', gone=True)}")
        check_runs(plan, data, own, [LOSS])
        assert "first, which is not there any more" in caplog.text
