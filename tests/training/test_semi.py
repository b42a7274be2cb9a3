"""Trainings with images without labels: which images they use, what they record, and how they go on."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core.data.split import Split
from marsseg_core.data.splits import make_split
from marsseg_core.errors import PluginError, RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.planning.options import SemiOptions
from marsseg_core.registry import kinds
from marsseg_core.runs.data import load_unlabelled
from marsseg_core.runs.unlabelled import read_unlabelled, read_unlabelled_of
from marsseg_core.training import labelling
from marsseg_core.training.labelling import any_label, label_images, store_labels, stored_labels
from marsseg_core.training.recorder import RunRecorder
from marsseg_core.training.rounds import Rounds
from marsseg_core.training.semi import factor_at
from marsseg_plugins.semi_supervised.pseudo import Pseudo

pytestmark = pytest.mark.usefixtures("without_observers")

DATA = "synthetic:count=16:height=16:width=16"
WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": DATA,
    "unlabelled": "synthetic:count=24:height=16:width=16",
    "batch": 4,
    "epochs": 2,
}
SPLIT = Split(tuple(range(10)), (10, 11, 12), (13, 14, 15))


def read(**words):
    plan = marsseg.plan(**(WORDS | {"semi": "mean_teacher"} | words))
    return read_unlabelled(plan, marsseg.dataset(DATA), SPLIT)


class TestImages:
    @pytest.mark.parametrize(
        ("source", "what", "hint"),
        [
            ("unusd", "There is no data set 'unusd'.", "Did you mean 'unused'?"),
            ("zzz", "There is no data set 'zzz'.", "Or the images of the labelled data set: own, unused."),
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


def test_the_factor_rises_over_the_ramp():
    options = SemiOptions(weight=2.0, ramp=4.0)
    factors = [factor_at(epoch, options) for epoch in range(6)]
    assert factors == sorted(factors)
    assert factors[0] == pytest.approx(2 * math.exp(-5))
    assert factors[4:] == [2.0, 2.0]
    assert factor_at(0, SemiOptions(weight=0.5)) == 0.5


class TestPlan:
    def test_has_no_method_by_default_and_leaves_it_out_of_its_file(self):
        plan = marsseg.plan()
        assert plan.resolved[kinds.METHOD] == ()
        assert "semi" not in plan.to_toml()
        assert ("semi", "none", "default") in plan.rows()

    def test_with_a_method_is_read_again(self, tmp_path):
        plan = marsseg.plan(semi="mean_teacher:ramp=3", unlabelled=DATA)
        file = tmp_path / "plan.toml"
        file.write_text(plan.to_toml())
        again = marsseg.plan(file)
        assert again.one(kinds.METHOD) == plan.one(kinds.METHOD)
        assert again.resolved[kinds.METHOD][0].options == SemiOptions(ramp=3.0)
        assert again.training.unlabelled == DATA
        assert marsseg.plan(file, semi=None).resolved[kinds.METHOD] == ()

    def test_takes_one_method(self):
        with pytest.raises(RequestError, match="one method"):
            marsseg.plan(semi="mean_teacher,mean_teacher")

    def test_has_the_absolute_path_of_the_images(self, tiny_file, monkeypatch):
        monkeypatch.chdir(tiny_file.parent)
        plan = marsseg.plan(semi="mean_teacher", unlabelled=tiny_file.name)
        assert plan.training.unlabelled == f"marsseg/npz:path={tiny_file.resolve()}"

    def test_keeps_the_word_for_unused_images(self, tmp_path):
        """Whatever source a plan named before."""
        file = tmp_path / "plan.toml"
        file.write_text(marsseg.plan(semi="mean_teacher", unlabelled=DATA).to_toml())
        plan = marsseg.plan(file, unlabelled="unused")
        assert plan.training.unlabelled == "unused"
        file.write_text(plan.to_toml())
        assert marsseg.plan(file).training.unlabelled == "unused"
        assert marsseg.plan(file, unlabelled=DATA).training.unlabelled == DATA

    def test_refuses_a_source_that_is_not_there(self):
        with pytest.raises(RequestError, match=r"no file or folder 'no\.npz'"):
            marsseg.plan(semi="mean_teacher", unlabelled="no.npz")

    def test_has_rounds_that_divide_the_epochs(self, tmp_path):
        words = {"semi": "pseudo:runs=none:rounds=3", "unlabelled": DATA}
        plan = marsseg.plan(epochs=6, **words)
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        assert marsseg.plan(tmp_path / "plan.toml").one(kinds.METHOD) == plan.one(kinds.METHOD)
        with pytest.raises(RequestError, match="7 epochs cannot be divided into 3 equal rounds"):
            marsseg.plan(epochs=7, **words)
        with pytest.raises(RequestError, match="set rounds=2 or more"):
            marsseg.plan(semi="pseudo:runs=none", unlabelled=DATA)

    def test_has_such_rounds_whatever_a_plugin_checks(self):
        @dataclass(frozen=True)
        class Unequal(Pseudo):
            def check(self, epochs):
                pass

        words = WORDS | {"semi": Unequal(None, rounds=3), "epochs": 7}
        with pytest.raises(RequestError, match="7 epochs cannot be divided into 3 equal rounds"):
            marsseg.plan(**words)

    def test_says_that_images_have_no_effect_without_a_method(self):
        assert any("--semi" in remark for remark in marsseg.plan(unlabelled=DATA).remarks)


def outcome(run):
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]
    return history, [np.asarray(weight) for weight in run.network.weights], json.loads(run.folder.metrics.read_text())


def whole_and_copies(folder, callback=RunRecorder, hook="on_epoch_end", **words):
    """Return a run, and copies of its folder after each call of a callback's hook, by the number of the epoch.

    Each copy is the folder of a run that was killed then.
    """
    original = getattr(callback, hook)

    def then_copy(self, epoch, logs=None):
        original(self, epoch, logs)
        shutil.copytree(self._run.folder.path, folder / f"{hook}-{epoch}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callback, hook, then_copy)
        return marsseg.run(out=folder / "whole", **(WORDS | words))


def small_network():
    """Return a network whose graph is made in half the time of that of `WORDS`."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 1), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="convolution")(image)
    x = keras.layers.Dropout(0.2, name="dropout")(keras.layers.BatchNormalization(name="norm")(x))
    return keras.Model(image, keras.layers.Conv2D(5, 1, name="logits")(x), name="small")


def assert_same_outcome(run, whole):
    (history, weights, metrics), (expected_history, expected_weights, expected_metrics) = map(outcome, (run, whole))
    assert history == expected_history
    for weight, expected in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert metrics == expected_metrics


@pytest.fixture(scope="module")
def whole_and_killed(tmp_path_factory):
    """Return a run of two epochs with one worker, and the folder of one that was killed after its first epoch."""
    folder = tmp_path_factory.mktemp("runs")
    whole = whole_and_copies(folder, semi="mean_teacher:ramp=2:cutmix=0.5:transductive=true:batch=3")
    return whole, folder / "on_epoch_end-0"


def test_a_killed_run_ends_like_one_that_was_never_stopped(whole_and_killed, tmp_path):
    """The other run has four workers: results do not depend on them."""
    whole, killed = whole_and_killed
    folder = shutil.copytree(killed, tmp_path / "killed")
    assert_same_outcome(marsseg.resume(folder, workers=4), whole)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Return a run of fixmatch, the folder of its copies, and the place to which its images without labels moved."""
    folder = tmp_path_factory.mktemp("moved")
    images = marsseg.dataset("synthetic:count=24:height=16:width=16").images
    np.savez(folder / "images.npz", images=images, masks=np.zeros(images.shape[:3], np.uint8))
    words = {"semi": "fixmatch:threshold=0.2", "unlabelled": f"npz:path={folder / 'images.npz'}:range=bits"}
    whole = whole_and_copies(folder, **words, arch=small_network())
    (folder / "images.npz").rename(folder / "there.npz")
    return whole, folder, folder / "there.npz"


def test_a_killed_run_of_fixmatch_ends_like_one_that_was_never_stopped(moved, caplog):
    """Its images without labels lie elsewhere by then."""
    whole, folder, place = moved
    killed = RunFolder(folder / "on_epoch_end-0")
    assert whole.history[0]["semi_share"] > 0
    with pytest.raises(RequestError, match="no such file") as caught:
        marsseg.resume(killed.path, arch=small_network())
    assert f"--resume {killed.path} --unlabelled PATH" in caught.value.hint
    caplog.set_level("INFO")
    resumed = marsseg.resume(killed.path, unlabelled=place, arch=small_network())
    assert_same_outcome(resumed, whole)
    assert f'unlabelled = "marsseg/npz:path={place}:range=bits"' in killed.plan.read_text()
    assert f"those without labels from marsseg/npz:path={place}" in caplog.text


def test_the_place_of_the_images_of_a_finished_run_is_recorded_if_they_are_the_same(moved, tmp_path):
    whole, _, place = moved
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "whole"))
    with np.load(place) as archive:
        np.savez(tmp_path / "other.npz", images=archive["images"][:-1], masks=archive["masks"][:-1])
    words = {"unlabelled": tmp_path / "other.npz", "arch": small_network()}
    for call in (marsseg.resume, lambda *given, **more: marsseg.extend(*given, epochs=3, out=tmp_path / "x", **more)):
        with pytest.raises(RequestError, match="The images without labels are not what the run was trained on"):
            call(folder.path, **words)
    assert not (tmp_path / "x").exists()
    assert str(tmp_path) not in folder.plan.read_text()
    marsseg.resume(folder.path, **words | {"unlabelled": place})
    assert str(place) in folder.plan.read_text()
    assert not folder.changed()


def test_a_run_without_a_method_has_no_images_that_moved(cli, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.toml").write_text(marsseg.plan(data=DATA, arch="unet").to_toml())
    for words in (["--resume", "run"], ["--extend", "run", "--epochs", "9"]):
        answer = cli("run", *words, "--unlabelled", DATA)
        assert (answer.code, "The run uses no images without labels" in answer.err) == (2, True)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Return a run with two rounds of two epochs, of which the first has no labels, and the folder of its copies."""
    folder = tmp_path_factory.mktemp("rounds")
    words = {"semi": "pseudo:runs=none:rounds=2", "epochs": 4, "averaging": "ema", "ema_momentum": 0.5}
    return whole_and_copies(folder, Rounds, "on_epoch_begin", arch=small_network(), **words), folder


def test_the_network_labels_the_images_from_the_second_round_on(rounds):
    whole, folder = rounds
    shares = [row["semi_share"] for row in whole.history]
    assert shares[:2] == [0, 0]
    assert min(shares[2:]) > 0
    labels = [any_label(stored_labels(RunFolder(folder / f"on_epoch_begin-{epoch}"))) for epoch in range(4)]
    assert labels == [False, False, True, True]


def test_patience_does_not_end_a_training_before_its_last_round(tmp_path):
    words = WORDS | {"semi": "pseudo:runs=none:rounds=2", "epochs": 6, "patience": 1, "learning_rate": 1e-12}
    run = marsseg.run(**words, schedule="constant", out=tmp_path / "run")
    assert 3 < len(run.history) < 6


@pytest.mark.parametrize(("epoch", "again"), [(2, True), (3, False)])
def test_a_killed_run_with_rounds_ends_like_one_that_was_never_stopped(rounds, epoch, again, caplog):
    """After its second epoch, the killed run had stored the labels of the second round, and they are made again."""
    whole, folder = rounds
    caplog.set_level("INFO")
    killed = RunFolder(folder / f"on_epoch_begin-{epoch}")
    labels = stored_labels(killed)
    assert_same_outcome(marsseg.resume(killed.path, arch=small_network()), whole)
    assert ("Round 2 of 2" in caplog.text) == again
    np.testing.assert_array_equal(stored_labels(killed), labels)


def test_a_run_records_its_images_and_its_term(whole_and_killed):
    whole, _ = whole_and_killed
    assert whole.folder.read_split()["unlabelled"] == whole.unlabelled.to_json()
    assert json.loads(whole.folder.metrics.read_text())["transductive"] is True
    assert "Transductive: this run. Trained with images of" in repr(whole)
    assert {"semi", "semi_share", "semi_weight"} <= whole.history[0].keys()
    assert whole.history[0]["semi_weight"] < whole.history[1]["semi_weight"]
    assert "without labels: 24 images" in whole.folder.log_file.read_text()


def labelled_by(run, split, method="pseudo:keep=0.8"):
    method = method if ":runs=" in method else f"{method}:runs={run.path}"
    plan = marsseg.plan(**WORDS, semi=method)
    unlabelled = read_unlabelled(plan, run.data, split)
    return label_images(plan, run.data, split, unlabelled), unlabelled


def test_labels_of_a_run_are_stored_with_their_hash(whole_and_killed, tmp_path):
    whole, _ = whole_and_killed
    labels, unlabelled = labelled_by(whole, whole.split, "pseudo:keep=0.8:transductive=true")  # as the run itself is
    assert labels.shape == unlabelled.images.shape[:3]
    assert 0.1 < (labels == 255).mean() < 0.3
    folder = RunFolder(tmp_path)
    assert stored_labels(folder) is None
    store_labels(folder, labels)
    np.testing.assert_array_equal(stored_labels(folder), labels)
    folder.labels.write_bytes(folder.labels.read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"labels\.npz: not as the run wrote it"):
        folder.check_unchanged()
    with pytest.raises(RequestError, match="cannot be read"):
        stored_labels(folder)


def test_each_of_several_runs_that_label_must_take_such_images(whole_and_killed, tmp_path, monkeypatch):
    whole, _ = whole_and_killed
    colour = shutil.copytree(whole.path, tmp_path / "colour")
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(5, 1)])
    load = labelling.load
    monkeypatch.setattr(labelling, "load", lambda path, session: network if path == colour else load(path, session))
    with pytest.raises(RequestError, match="The run takes images with 3 channels, these have 1") as error:
        labelled_by(whole, whole.split, f"pseudo:transductive=true:runs={colour}+{whole.path}")
    assert str(colour) in str(error.value)
    with pytest.raises(RequestError, match="The run takes images with 3 channels, these have 1"):
        labelled_by(whole, whole.split, f"pseudo:transductive=true:runs={whole.path}+{colour}")


def test_a_method_of_a_plugin_must_label_with_an_array(whole_and_killed):
    @dataclass(frozen=True)
    class Lists(Pseudo):
        def label(self, spec):
            return [[0]]

    whole, _ = whole_and_killed
    plan = marsseg.plan(**WORDS, semi=Lists((str(whole.path),)))
    with pytest.raises(PluginError, match="labels images with a list, not a NumPy array"):
        label_images(plan, whole.data, whole.split, read_unlabelled(plan, whole.data, whole.split))


def test_a_network_whose_output_is_not_finite_gives_no_labels():
    network = small_network()
    network.get_layer("logits").bias.assign([math.nan] * 5)
    plan = marsseg.plan(**WORDS, semi="pseudo:runs=none:rounds=2")
    data = marsseg.dataset(DATA)
    with pytest.raises(RunError, match="predicts nan for image 0 without labels"):
        label_images(plan, data, SPLIT, read_unlabelled(plan, data, SPLIT), network, 2)


@pytest.mark.parametrize("method", ["pseudo:keep=0.8", "pseudo:transductive=true"])
def test_a_run_that_learned_the_test_images_must_not_label(whole_and_killed, method):
    """Not even for a transductive run, which uses these images without their labels."""
    whole, _ = whole_and_killed
    other = Split(whole.split.test + whole.split.validation, whole.split.train[:4], whole.split.train[4:])
    with pytest.raises(RequestError, match="was trained on images of this run's validation or test subset"):
        labelled_by(whole, other, method)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        {"semi": "pseudo:keep=0.8:transductive=true:runs={run}", "loss": "ssce,distill:runs={run}"},
        {
            "semi": "pseudo:soft=true:transductive=true:runs={run}",
            "arch": "refine:run={run}",
            "set": [f"arch.refine.inner={WORDS['arch']}"],
        },
    ],
    ids=["hard labels and distill", "soft labels and refine"],
)
def test_a_killed_run_that_uses_a_finished_one_ends_like_one_that_was_never_stopped(whole_and_killed, words, tmp_path):
    """The finished run is transductive, so these are, too."""
    texts = {name: text.format(run=whole_and_killed[0].path) for name, text in words.items() if name != "set"}
    whole = whole_and_copies(tmp_path, **texts, overrides=words.get("set", ()))
    killed = RunFolder(tmp_path / "on_epoch_end-0")
    assert stored_labels(killed).ndim == (4 if "soft" in words["semi"] else 3)
    assert whole.history[0]["semi_share"] > 0
    assert_same_outcome(marsseg.resume(killed.path), whole)


def test_the_network_that_labels_must_be_that_of_the_plan(whole_and_killed, tmp_path):
    whole, _ = whole_and_killed
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "copy"))
    plan = marsseg.plan(**WORDS, semi=f"pseudo:runs={folder.path}:transductive=true")
    unlabelled = read_unlabelled(plan, whole.data, whole.split)
    (folder.path / "manifest.json").unlink()
    folder.network.write_bytes(folder.network.read_bytes() + b"changed")
    with pytest.raises(RequestError, match="has changed since the plan was made"):
        label_images(plan, whole.data, whole.split, unlabelled)


def test_images_of_another_size_cannot_be_found_among_the_held_out_ones(whole_and_killed, caplog):
    whole, _ = whole_and_killed
    plan = marsseg.plan(**WORDS | {"unlabelled": "synthetic:count=4:height=32:width=64"}, semi="mean_teacher")
    assert len(read_unlabelled(plan, whole.data, whole.split).images) == 4
    assert "none of them is found" in caplog.text


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_path_that_a_composition_cannot_hold_is_refused(tmp_path, name):
    np.savez(tmp_path / f"{name}.npz", images=np.zeros((1, 8, 8), np.uint8))
    with pytest.raises(RequestError, match="has a colon or a comma"):
        marsseg.plan(semi="mean_teacher", unlabelled=str(tmp_path / f"{name}.npz"))


def test_a_run_whose_images_changed_is_refused(whole_and_killed, tmp_path):
    folder = shutil.copytree(whole_and_killed[1], tmp_path / "killed")
    (folder / "manifest.json").unlink()
    split = json.loads((folder / "split.json").read_text())
    split["unlabelled"]["fingerprint"] = "0" * 32
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(RequestError, match="The images without labels are not what the run was trained on"):
        marsseg.resume(folder)
