"""Which images without labels a run uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.semi import DATA, SPLIT, WORDS

import marsseg_core as marsseg
from marsseg_core.data.split import Split
from marsseg_core.data.splits import make_split
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.registry import kinds
from marsseg_core.runs.data import load_unlabelled
from marsseg_core.runs.unlabelled import read_unlabelled, read_unlabelled_of

pytestmark = pytest.mark.usefixtures("without_observers")


def read(**words):
    plan = marsseg.plan(**(WORDS | {"semi": "mean_teacher"} | words))
    return read_unlabelled(plan, marsseg.dataset(DATA), SPLIT)


class TestImages:
    @pytest.mark.parametrize(
        ("source", "what", "hint"),
        [
            ("unusd", "There is no data set 'unusd'.", "Did you mean 'unused'?"),
            (
                "zzz",
                "There is no data set 'zzz'.",
                "Or the images of the labelled data set: own, training, unused.",
            ),
            ("trainin", "There is no data set 'trainin'.", "Did you mean 'training'?"),
            ("synthetic:cont=3", "There is no parameter 'cont'.", "Did you mean 'count'?"),
        ],
    )
    def test_of_a_wrong_source_are_an_error_of_the_plan(self, source, what, hint, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RequestError) as caught:
            marsseg.plan(**WORDS | {"semi": "fixmatch", "unlabelled": source})
        assert caught.value.what.startswith(what)
        assert caught.value.where == f"unlabelled='{source}'"
        assert hint in caught.value.hint

    def test_of_validation_and_test_are_left_out(self):
        unlabelled = read()
        assert (len(unlabelled.images), unlabelled.held_out) == (24 - 6, 6)
        held_out = {image.tobytes() for image in marsseg.dataset(DATA).images[10:]}
        assert not held_out & {image.tobytes() for image in unlabelled.images}
        assert "6 that are in the validation or test subset are left out" in str(unlabelled)

    def test_that_are_nearly_those_of_validation_and_test_are_left_out(self, tmp_path):
        """As copies with another exposure are, which `drop_duplicates` leaves out of the labelled images."""
        drawn = np.random.default_rng(0).integers(40, 200, (16, 16, 16, 1), np.uint8)
        data = replace(marsseg.dataset(DATA), images=drawn)
        np.savez(tmp_path / "darker.npz", images=drawn - 9, masks=data.masks)
        plan = marsseg.plan(**WORDS | {"unlabelled": str(tmp_path / "darker.npz")}, semi="mean_teacher")
        unlabelled = read_unlabelled(plan, data, SPLIT)
        assert unlabelled.held_out == 6
        np.testing.assert_array_equal(unlabelled.images, drawn[:10] - 9)

    def test_of_validation_and_test_are_read_one_by_one(self):
        """They may be memory-mapped, and more than memory holds."""

        class Mapped(np.ndarray):
            def __getitem__(self, key):
                assert not isinstance(key, np.ndarray), "these items are copied into memory"
                return super().__getitem__(key)

        data = marsseg.dataset(DATA)
        plan = marsseg.plan(**WORDS, semi="mean_teacher")
        assert read_unlabelled(plan, replace(data, images=data.images.view(Mapped)), SPLIT).held_out == 6

    def test_of_the_test_subset_are_used_by_a_transductive_run_which_says_so(self):
        unlabelled = read(semi="mean_teacher:transductive=true")
        assert (len(unlabelled.images), unlabelled.to_json()["transductive"]) == (24, True)
        assert unlabelled.fingerprint != read().fingerprint

    def test_that_are_all_held_out_are_an_error(self):
        with pytest.raises(RequestError, match="All images without labels are in"):
            read(unlabelled="synthetic:count=3:first=13:height=16:width=16")

    def test_of_another_size_are_an_error_unless_windows_can_be_cut(self):
        with pytest.raises(RequestError, match="16 × 15 × 1 do not fit images with labels of 16 × 16 × 1"):
            read(unlabelled="synthetic:count=3:height=16:width=15")
        assert read(unlabelled="synthetic:count=3:height=20:width=32").images.shape == (3, 20, 32, 1)

    def test_that_the_data_set_does_not_have_are_an_error(self):
        with pytest.raises(RequestError, match="has no images without labels"):
            read(unlabelled="own")

    def test_of_the_data_set_itself(self, tiny_file):
        plan = marsseg.plan(data=tiny_file, semi="mean_teacher")
        data = marsseg.dataset(tiny_file)
        split = Split((0,), (1,), (2,))
        unlabelled = read_unlabelled(plan, data, split)
        assert unlabelled.source.endswith("without labels")
        np.testing.assert_array_equal(unlabelled.images, plan.one(kinds.DATASET).unlabelled())

    def test_of_the_training_subset_are_used_where_that_is_asked(self):
        data, others = marsseg.dataset(DATA), read()
        unlabelled = read(unlabelled=f"{WORDS['unlabelled']},training")
        np.testing.assert_array_equal(unlabelled.images, np.concatenate([others.images, data.images[:10]]))
        assert (len(unlabelled.hashes), unlabelled.held_out, unlabelled.labelled) == (28, 6, 10)
        np.testing.assert_array_equal(unlabelled.others, others.images)
        assert unlabelled.source == f"{others.source} and of the training subset"
        alone = read(unlabelled="training")
        np.testing.assert_array_equal(alone.images, data.images[:10])
        assert (str(alone), len(alone.others)) == ("10 images of the training subset", 0)

    def test_of_the_training_subset_have_the_size_of_the_others(self):
        with pytest.raises(
            RequestError, match="of 20 × 32 × 1 cannot be used with labelled ones of 16 × 16 × 1"
        ) as caught:
            read(unlabelled="synthetic:count=3:height=20:width=32,training")
        assert caught.value.where == "--unlabelled synthetic:count=3:height=20:width=32,training"

    def test_in_no_subset_are_used_where_that_is_asked(self):
        data, split = marsseg.dataset(DATA), Split(tuple(range(5)), (10, 11, 12), (13, 14, 15))
        plan = marsseg.plan(**WORDS | {"unlabelled": "unused"}, semi="mean_teacher")
        unlabelled = read_unlabelled(plan, data, split)
        np.testing.assert_array_equal(unlabelled.images, data.images[5:10])
        assert str(unlabelled).endswith("without labels or in no subset")
        copied = data.images.copy()
        copied[5] = copied[13]
        unlabelled = read_unlabelled(plan, replace(data, images=copied), split)
        assert (len(unlabelled.images), unlabelled.held_out) == (4, 1)

    def test_in_no_subset_are_of_other_places_than_validation_and_test(self):
        split = Split(tuple(range(5)), (10, 11, 12), (13, 14, 15))
        data = replace(marsseg.dataset(DATA), groups=np.repeat(np.arange(8), 2))
        split = replace(split, validation=(11, 12))  # 10 is of the place of 11
        for words, expected in (("mean_teacher", range(5, 10)), ("mean_teacher:transductive=true", range(5, 11))):
            plan = marsseg.plan(**WORDS | {"unlabelled": "unused"}, semi=words)
            np.testing.assert_array_equal(read_unlabelled(plan, data, split).images, data.images[list(expected)])

    def test_in_no_subset_are_those_that_a_share_of_the_labels_leaves_out(self, tiny_file):
        """Here with the images of the file that have no labels."""
        words = {"data": tiny_file, "semi": "mean_teacher", "unlabelled": "unused"}
        plan = marsseg.plan(**words, overrides=["split.labelled=0.5"])
        data = marsseg.dataset(tiny_file)
        own, split = plan.one(kinds.DATASET).unlabelled(), make_split(data, plan.split)
        unlabelled = read_unlabelled(plan, data, split)
        left_out = sorted({*range(len(data))} - {*split.train, *split.validation, *split.test})
        assert left_out
        assert unlabelled.images.shape == (len(own) + len(left_out), *own.shape[1:])
        np.testing.assert_array_equal(unlabelled.images, np.concatenate([own, data.images[left_out]]))

    def test_that_are_memory_mapped_stay_on_disk(self, tiny_file):
        words = {"data": tiny_file, "semi": "mean_teacher", "unlabelled": "unused"}
        plan = marsseg.plan(**words, overrides=["split.labelled=0.5"])
        data = marsseg.dataset(tiny_file)
        split = make_split(data, plan.split)
        unlabelled = read_unlabelled(plan, data, split)
        assert isinstance(unlabelled.images, np.memmap)  # those of both sources
        shown = data.images.copy()
        shown[split.test[0]] = load_unlabelled(plan)[0]
        others = read_unlabelled(plan, replace(data, images=shown), split)
        assert (others.held_out, len(others.images)) == (3, len(unlabelled.images) - 3)
        assert isinstance(others.images, np.memmap)
        np.testing.assert_array_equal(others.images, unlabelled.images[3:])

    def test_in_no_subset_are_named_where_there_are_no_others(self):
        data, split = marsseg.dataset(DATA), Split(tuple(range(9)), (10, 11, 12), (13, 14, 15))
        plan = marsseg.plan(**WORDS | {"unlabelled": "own"}, semi="mean_teacher")
        with pytest.raises(RequestError, match="has no images without labels") as caught:
            read_unlabelled(plan, data, split)
        assert caught.value.hint.endswith("Or use 1 labelled image that is in no subset: --unlabelled unused.")
        with pytest.raises(RequestError, match="and all that have labels are in a subset") as caught:
            read(unlabelled="unused")
        assert "unused" not in caught.value.hint

    def test_in_no_subset_must_be_those_that_the_run_began_with(self, tmp_path):
        data, folder = marsseg.dataset(DATA), RunFolder(tmp_path)
        plan = marsseg.plan(**WORDS | {"unlabelled": "unused"}, semi="mean_teacher")
        split, other = (Split(tuple(range(count)), (10, 11, 12), (13, 14, 15)) for count in (5, 6))
        unlabelled = read_unlabelled(plan, data, split)
        classes = {"classes": [*data.class_names], "ignored": []}
        facts = {"fingerprint": "", "source": "", "unlabelled": unlabelled.to_json()} | classes | split.to_json()
        folder.write_json(folder.split, facts)
        assert read_unlabelled_of(folder, plan, data, split).fingerprint == unlabelled.fingerprint
        with pytest.raises(RequestError, match="The images without labels are not what the run was trained on"):
            read_unlabelled_of(folder, plan, data, other)

    def test_are_not_read_without_a_method(self):
        assert read(semi=None) is None
