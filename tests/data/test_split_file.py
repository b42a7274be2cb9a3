"""Test splits that the data or a file give: how items are found, what is told, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.leaks import leak_warnings
from marsseg_core.data.names import StoredNames, image_of, names_as_arrays, tile_name
from marsseg_core.data.split import Split
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import make_split
from marsseg_core.errors import RequestError

NAMES = [f"site{number % 2}/{letter}.png" for number, letter in enumerate("abcdefghij")]


def data(names=NAMES, split=None, groups=None, count=10):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    masks = np.tile(np.array([0, 1], np.uint8), (count, 4, 2))
    return SegmentationData(images, masks, ("soil", "rock"), (), groups, "craters", names=names, split=split)


@pytest.fixture
def split_of(tmp_path):
    """Return a function that splits data by a file with this text."""

    def split(text, of=None, name="split.csv", **options):
        path = tmp_path / name
        path.write_text(text)
        return make_split(of or data(), SplitOptions(subsets=str(path), **options))

    return split


def table(subsets, names=NAMES, header="item,subset"):
    return "\n".join([header, *(f"{name},{subset}" for name, subset in zip(names, subsets, strict=False))])


WORDS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
WHOLE = Split((0, 1, 2, 3, 4, 5), (6, 7), (8, 9), "file")


class TestItems:
    @pytest.mark.parametrize(
        "names",
        [NAMES, [name.removesuffix(".png") for name in NAMES], [name[6:] for name in NAMES], [*"abcdefghij"]],
        ids=["whole", "without suffix", "without folder", "stems"],
    )
    def test_are_given_by_their_names(self, split_of, names):
        assert split_of(table(WORDS, names)) == WHOLE

    def test_are_given_by_their_numbers_where_they_have_no_names(self, split_of):
        assert split_of(table(WORDS, range(10)), data(names=None)) == WHOLE
        assert split_of(table(WORDS, range(10))) == WHOLE

    def test_with_a_name_that_is_a_number_are_found_by_it(self, split_of):
        names = [f"{9 - number}.png" for number in range(10)]
        assert split_of(table(WORDS, range(10)), data(names=names)).test == (0, 1)

    def test_of_one_image_follow_its_name(self, split_of):
        names = [tile_name(f"{image}.png", 0, left) for image in "abcde" for left in (0, 64)]
        found = split_of(table(["train", "train", "train", "valid", "test"], "abcde"), data(names=names))
        assert (found.validation, found.test) == ((6, 7), (8, 9))
        single = split_of(table(WORDS, names), data(names=names))
        assert single == WHOLE

    def test_with_the_same_end_are_not_guessed(self, split_of):
        names = [f"{folder}/{stem}.png" for stem in "abcde" for folder in ("x", "y")]
        with pytest.raises(RequestError, match=r"None of its items is in the data \(a, b, c and 2 more\)"):
            split_of(table(WORDS[::2], "abcde"), data(names=names))

    @pytest.mark.parametrize(
        ("names", "keys", "first"),
        [
            ([f"t{n}" for n in range(10)], [f"t{n}.png" for n in range(10)], "t0.png is t0"),
            (
                [f"tile_{n}" for n in range(10)],
                [f"images/tile_{n}.JPG" for n in range(10)],
                "images/tile_0.JPG is tile_0",
            ),
            (NAMES, [f"all/{name}" for name in NAMES], "all/site0/a.png is site0/a.png"),
            ([f"{n}.tif" for n in range(10)], [f"x/y/{n}.png" for n in range(10)], "x/y/0.png is 0.tif"),
            (None, [f"{n}.png" for n in range(10)], "0.png is 0"),
            (None, [f"images/{n:04}.png" for n in range(10)], "images/0000.png is 0"),
        ],
    )
    def test_may_have_a_suffix_or_folders_that_the_data_do_not_have(self, split_of, names, keys, first):
        found = split_of(table(WORDS, keys), data(names=names))
        assert found == WHOLE
        assert found.notes == (
            f"The items of split.csv are found without folders or suffixes that the data do not have: {first}.",
        )

    @pytest.mark.parametrize(
        ("names", "keys", "message"),
        [
            (None, ["a/1.png", "b/1.png"], "a/1.png and b/1.png would both mean 1"),
            ([*"abcdefghij"], ["x/a", "a.png"], "x/a and a.png would both mean a"),
            ([*"abcdefgh", "i.png", "i.jpg"], ["x/i"], "x/i may mean i.jpg, i.png"),
        ],
    )
    def test_that_are_not_clear_without_them_are_refused(self, split_of, names, keys, message):
        with pytest.raises(RequestError) as caught:
            split_of(table(WORDS, keys), data(names=names))
        assert caught.value.what == f"It is not clear which items are meant: {message}."

    def test_in_another_folder_are_not_taken_for_those_that_end_so(self, split_of):
        with pytest.raises(RequestError, match="None of its items is in the data"):
            split_of(table(WORDS, [f"site9/{letter}.png" for letter in "abcdefghij"]))

    def test_that_only_one_side_knows_are_told(self, split_of):
        text = table(["train"] * 4 + ["val", "test"], NAMES[:6]) + "\nz.png,test"
        found = split_of(text)
        assert found.remarks == ("1 item of split.csv is not in the data: z.png.",)
        assert found.notes == ("4 of 10 images are in no subset of split.csv, and not used.",)


class TestFiles:
    @pytest.mark.parametrize("header", ["file_id,split", "Image,Subset", '"item","subset"'])
    def test_have_one_of_several_headers(self, split_of, header):
        assert split_of(table(WORDS, header=header)) == WHOLE

    def test_may_have_more_columns_and_other_separators(self, split_of):
        rows = [f"{number};{name};{word}" for number, (name, word) in enumerate(zip(NAMES, WORDS, strict=True))]
        assert split_of("\n".join(["id;item;subset", *rows, ""])) == WHOLE

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "A split needs the columns `item` and `subset` (or `fold`); the first line is: "),
            ("a,b\n1,2", "A split needs the columns `item` and `subset` (or `fold`); the first line is: a,b"),
            ("item,subset\na.png,trian", "Line 2: there is no subset 'trian'."),
            ("item,subset\na,train,b", "Line 2 has 3 fields; the header has 2."),
            ("item,subset\na,train\nb,test\na,test", "The item a has two subsets: train (line 2) and test (line 4)."),
            ("item,subset\na,train\nsite0/a.png,test", "Line 3 puts site0/a.png into test; it is in train already."),
            ("item,fold\na,one", "Line 2: a fold must be a whole number, not 'one'."),
            ("item,fold\na," + "9" * 5000, f"Line 2: a fold must be a whole number, not '{'9' * 40}'."),
            ("item,fold\na,1\nb,1", "A file of folds must give at least 2 folds."),
        ],
    )
    def test_that_say_something_else_are_refused(self, split_of, text, message):
        with pytest.raises(RequestError) as caught:
            split_of(text)
        assert caught.value.what == message
        assert caught.value.where.endswith("split.csv")

    def test_with_a_number_of_thousands_of_digits_are_refused(self, split_of):
        with pytest.raises(RequestError, match="None of its items is in the data"):
            split_of("item,subset\n" + "9" * 5000 + ",test")

    def test_that_do_not_exist_are_refused(self):
        with pytest.raises(RequestError, match=r"This table cannot be read: No such file"):
            make_split(data(), SplitOptions(subsets="none.csv"))


class TestLists:
    @pytest.fixture
    def lists(self, tmp_path):
        """The three lists of WHOLE, as Windows writes them, and the text that names them."""
        for subset, letters in (("train", "abcdef"), ("val", "gh"), ("test", "ij")):
            text = "".join(f"{letter}\r\n" for letter in letters)
            (tmp_path / f"{subset}.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
        return f"train={tmp_path}/train.txt,val={tmp_path}/val.txt,test={tmp_path}/test.txt"

    def test_give_the_items_of_each_subset(self, lists):
        assert make_split(data(), SplitOptions(subsets=lists)) == WHOLE

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("g\n\na\n", "The item a has two subsets: train (line 1 of train.txt) and validation (line 3 of val.txt)."),
            ("g\nsite0/a\n", "Line 2 of val.txt puts site0/a.png into validation; it is in train already."),
            ("\n", "This list has no item."),
        ],
    )
    def test_that_say_something_else_are_refused(self, lists, tmp_path, text, message):
        (tmp_path / "val.txt").write_text(text)
        with pytest.raises(RequestError) as caught:
            make_split(data(), SplitOptions(subsets=lists))
        assert caught.value.what == message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("train=a.txt,val", "'val' does not name a subset and its list."),
            ("train=a.txt,learn=b.txt", "'learn=b.txt' does not name a subset and its list."),
            ("val=a.txt,valid=b.txt", "The subset validation has two lists."),
            ("test=a.txt", "This list cannot be read: No such file or directory."),
        ],
    )
    def test_are_named_by_subset(self, text, message):
        with pytest.raises(RequestError) as caught:
            make_split(data(), SplitOptions(subsets=text))
        assert caught.value.what == message

    @pytest.mark.parametrize("subsets", ["train.txt,val.txt,test.txt", "."])
    def test_that_are_not_named_so_are_an_error_that_says_how(self, lists, tmp_path, monkeypatch, subsets):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RequestError) as caught:
            make_split(data(), SplitOptions(subsets=subsets))
        assert "--split train=" in caught.value.hint
        assert "validation=" in caught.value.hint


class TestMissingSubsets:
    def test_are_drawn_from_the_training_images_and_told(self, split_of):
        found = split_of(table(["train"] * 8 + ["test"] * 2), validation=0.25)
        assert len(found.validation) == 2
        assert found.test == (8, 9)
        assert found.remarks == ("The split has no validation subset: 2 of 8 training images (25 %) are drawn for it.",)
        assert found == split_of(table(["train"] * 8 + ["test"] * 2), validation=0.25)
        assert (
            "1 of 8 training images (12.5 %) is drawn for it."
            in split_of(table(["train"] * 8 + ["test"] * 2), validation=0.125).remarks[0]
        )

    def test_keep_groups_together(self, split_of):
        groups = np.arange(10) // 2
        found = split_of(table(["train"] * 8 + ["test"] * 2), data(groups=groups), validation=0.25)
        assert found.validation in [(0, 1), (2, 3), (4, 5), (6, 7)]
        assert found.remarks[0].startswith("The split has no validation subset: 2 of 8 training images (25 %; 1 group")

    def test_name_the_place_that_is_drawn_and_say_how_to_draw_single_images(self, split_of):
        names = [f"train/{place}/{item}.png" for place in ("gale", "gusev") for item in range(4)] + ["val/a", "val/b"]
        sites = data(names=names, groups=np.arange(10) // 4)
        rows = "".join(f"{name},{'train' if name.startswith('train') else 'val'}\n" for name in names)
        found = split_of(f"item,subset\n{rows}", sites, test=0.15)
        (remark,) = found.remarks
        place = "gale" if 0 in found.test else "gusev"
        assert remark == (
            f"The split has no test subset: 4 of 8 training images (50 %; 1 group: train/{place}) are drawn for it. A "
            "group stays together, so this is not the share of 15 %. groups=none (data set folder) draws single "
            "images; --split FILE takes subsets of your own."
        )

    def test_cannot_be_drawn_without_training_images(self, split_of):
        with pytest.raises(RequestError, match="The train subset of this split has no image"):
            split_of(table(["val"] * 5 + ["test"] * 5))


class TestFolds:
    TEXT = table([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], header="item,fold")

    def test_are_test_subsets_in_turn(self, split_of):
        splits = [split_of(self.TEXT, folds=3, fold=fold, validation=0.2) for fold in (1, 2, 3)]
        assert [split.test for split in splits] == [(0, 3, 6, 9), (1, 4, 7), (2, 5, 8)]
        assert all(len({*split.train, *split.validation, *split.test}) == 10 for split in splits)

    @pytest.mark.parametrize(
        ("folds", "message"),
        [(None, "This file gives 3 folds, each of which is a test subset."), (4, "This file gives 3 folds, not 4.")],
    )
    def test_must_be_asked_for_by_their_number(self, split_of, folds, message):
        with pytest.raises(RequestError) as caught:
            split_of(self.TEXT, folds=folds, fold=folds and 1)
        assert caught.value.what == message

    def test_do_not_come_from_a_file_of_subsets(self, split_of):
        with pytest.raises(RequestError, match="This file gives subsets, not folds"):
            split_of(table(WORDS), folds=2, fold=1)


class TestRunsOfOthers:
    @staticmethod
    def recorded(data, **more):
        return json.dumps(
            {"fingerprint": data.fingerprint(), "source": "craters", "classes": ["soil", "rock"], "ignored": []}
            | {"train": [0, 1, 2, 3, 4, 5], "validation": [6, 7], "test": [8, 9], "names": data.names}
            | more
        )

    def test_give_their_split(self, split_of):
        assert split_of(self.recorded(data(names=None)), data(names=None), name="split.json") == WHOLE

    def test_are_given_by_their_folders_too(self, tmp_path):
        (tmp_path / "split.json").write_text(self.recorded(data()))
        assert make_split(data(), SplitOptions(subsets=str(tmp_path))) == WHOLE

    def test_of_other_data_give_it_by_name(self, split_of):
        other = data(names=[*reversed(NAMES)])
        text = self.recorded(data(), fingerprint="other")
        assert split_of(text, other, name="split.json") == Split((4, 5, 6, 7, 8, 9), (2, 3), (0, 1), "file")

    def test_of_other_data_with_two_names_for_one_item_are_refused(self, split_of):
        """The last one once counted, so that a training image could be scored as a new one."""
        recorded = data(names=["a.png", *NAMES[1:9], "site0/a.png"])
        with pytest.raises(RequestError, match=r"The recorded item site0/a\.png puts site0/a\.png into test; it is"):
            split_of(self.recorded(recorded, fingerprint="other"), name="split.json")

    def test_of_other_data_without_names_are_refused(self, split_of):
        with pytest.raises(RequestError, match=r"This is the split of other data \(craters\)"):
            split_of(self.recorded(data(names=None), fingerprint="x"), name="split.json")


OWN = {"train": [0, 1, 2, 3], "test": [8, 9], "validation": [4]}


class TestTheDataOwnSplit:
    def test_is_taken(self):
        assert make_split(data(split=OWN), SplitOptions()) == Split((0, 1, 2, 3), (4,), (8, 9), "given")

    def test_is_not_taken_for_folds_or_where_it_is_to_be_drawn(self):
        with_split = data(split=OWN)
        drawn = make_split(data(), SplitOptions(subsets="drawn"))
        assert make_split(with_split, SplitOptions(subsets="drawn")) == drawn
        folds = make_split(with_split, SplitOptions(folds=2, fold=1))
        assert folds == make_split(data(), SplitOptions(folds=2, fold=1))
        assert folds.remarks == (
            "The data come with a split, which folds do not use: all images are divided into folds.",
        )

    def test_may_call_its_subsets_as_folders_do(self):
        assert data(split={"train": [0], "val": [4]}).split == Split((0,), (4,), (), "given")

    @pytest.mark.parametrize(
        ("split", "message"),
        [
            ({"val": [0], "validation": [1]}, "A split has the subsets train, validation, test, not val."),
            ({"learn": [0]}, "A split has the subsets train, validation, test, not learn."),
            ([0, 1], "A split has the subsets train, validation, test, not [0, 1]."),
            ({"train": [10]}, "The split has item 10; items are numbered 0 to 9."),
            ({"train": [1], "test": [1]}, "The split has an item twice."),
        ],
    )
    def test_is_checked(self, split, message):
        with pytest.raises(RequestError) as caught:
            data(split=split)
        assert caught.value.what == message


class TestLeaks:
    def test_of_groups_are_told_where_a_split_is_given(self):
        groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
        grouped = data(groups=groups)
        assert leak_warnings(grouped, WHOLE) == []
        (warning,) = leak_warnings(grouped, Split((0, 1, 2, 4), (3, 5), (6, 7), "file"))
        assert warning.startswith("2 groups have images in more than one subset of the split (such as the group of si")


class TestNames:
    def test_are_stored_as_bytes(self):
        names = StoredNames(*names_as_arrays(["a", "größe.png", "b\udcff"]))
        assert [*names] == ["a", "größe.png", "b\udcff"]
        assert names[1:] == ["größe.png", "b\udcff"]
        assert names[-1] == "b\udcff"

    @pytest.mark.parametrize("name", ["a.png", "a@r1", "a@r1cx.png", "a@r1c2.png"])
    def test_that_are_no_tiles_are_their_images(self, name):
        assert image_of(name) == name

    def test_stand_in_errors(self):
        masks = np.zeros((2, 4, 4), np.uint8)
        masks[1] = 7
        with pytest.raises(RequestError, match=r"The mask of b\.png holds the value 7"):
            SegmentationData(np.zeros((2, 4, 4, 1), np.uint8), masks, ("x", "y"), names=["a.png", "b.png"])

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            ("ab", "The names of the items must be a list of strings, not 'ab'."),
            (["a"], "There are 10 images and 1 names."),
            ([1] * 10, "The name of an item must be a string, not 1."),
            (["a"] * 10, "Two items have the name a."),
        ],
    )
    def test_are_checked(self, names, message):
        with pytest.raises(RequestError) as caught:
            data(names=names)
        assert caught.value.what == message
