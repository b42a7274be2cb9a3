"""`marsseg predict`: folders, images and data sets, one run or several, atomic files, nothing overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import predicted
from helpers.with_keras import run_with_keras
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.errors import RequestError

pytestmark = pytest.mark.usefixtures("without_reports")

SIZE = (16, 32)


@pytest.fixture
def folder(tmp_path, scene):
    """Images of several sizes and kinds, some in a subfolder."""
    path = tmp_path / "images"
    (path / "sol 1").mkdir(parents=True)
    Image.fromarray(scene(16, 32)[..., 0]).save(path / "exact.png")
    Image.fromarray(scene(50, 70)[..., 0]).save(path / "large.png")
    Image.fromarray(scene(5, 9)[..., 0]).save(path / "sol 1" / "small.jpg")
    Image.fromarray(np.repeat(scene(20, 20), 3, axis=-1)).save(path / "sol 1" / "colour.tiff")
    (path / "notes.txt").write_text("no image")
    return path


def read(path):
    with Image.open(path) as picture:
        return np.array(picture)


class TestInPython:
    def test_labels_of_images_of_any_size(self, run, network, scene):
        images = [scene(16, 32), scene(50, 70)]
        predictions = list(marsseg.predict(run, images))
        expected = [1 + shares[..., 1:].argmax(-1) for shares in predicted([network], images)]
        for labels, expected_labels in zip(predictions, expected, strict=True):
            np.testing.assert_array_equal(labels, expected_labels)
            assert labels.dtype == np.uint8

    def test_probabilities_of_several_runs(self, run, network, scene):
        (probabilities,) = marsseg.predict([run, run], [scene(16, 32)], probabilities=True)
        np.testing.assert_allclose(probabilities, predicted([network], [scene(16, 32)])[0], atol=1e-6)


class TestFolder:
    def test_gives_a_mask_of_its_size_for_each_image_in_the_same_tree(self, cli, run, folder):
        answer = cli("predict", str(run), str(folder), "--out", "out")
        assert answer.code == 0, answer.err
        masks = {path.relative_to("out/masks").as_posix() for path in _files("out/masks")}
        assert masks == {"exact.png", "large.png", "sol 1/small.png", "sol 1/colour.png"}
        assert read("out/masks/large.png").shape == (50, 70)
        assert read("out/masks/sol 1/small.png").shape == (5, 9)
        assert {path.name for path in _files("out")} - {m.rpartition("/")[2] for m in masks} == {"classes.json"}
        assert "out: 4 images" in answer.out

    def test_logs_that_colours_are_converted_to_grey(self, cli, run, folder):
        assert "sol 1/colour: the network takes grey images" in cli(
            "predict", str(run), str(folder), "--out", "out"
        ).err.replace("\n", " ")

    def test_masks_have_no_ignored_ids_unless_requested(self, cli, run, folder, scene, network):
        cli("predict", str(run), str(folder), "--out", "out")
        cli("predict", str(run), str(folder), "--out", "with", "--with-ignored")
        (probabilities,) = predicted([network], [scene(50, 70)])
        np.testing.assert_array_equal(read("out/masks/large.png"), 1 + probabilities[..., 1:].argmax(-1))
        np.testing.assert_array_equal(read("with/masks/large.png"), probabilities.argmax(-1))
        assert 0 not in read("out/masks/large.png")
        assert 0 in read("with/masks/large.png")

    def test_overlays_and_probabilities_are_written_on_request(self, cli, run, folder, scene, network):
        answer = cli("predict", str(run), str(folder), "--out", "out", "--overlay", "--probabilities")
        assert answer.code == 0, answer.err
        assert read("out/overlays/large.png").shape == (50, 70, 3)
        written = np.load("out/probabilities/large.npy")
        assert (written.dtype, written.shape) == (np.float32, (50, 70, 5))
        np.testing.assert_allclose(written, predicted([network], [scene(50, 70)])[0], atol=1e-6)

    def test_masks_are_shown_in_the_colours_of_their_classes_and_overlays_have_a_legend(self, cli, run, folder):
        cli("predict", str(run), str(folder), "--out", "out", "--overlay")
        with open("out/classes.json") as file:
            colours = [tuple(bytes.fromhex(c["colour"][1:])) for c in json.load(file)["classes"]]
        with Image.open("out/masks/large.png") as picture:
            shown = np.array(picture.convert("RGB"))
        assert (shown == np.array(colours)[read("out/masks/large.png")]).all()
        pixels = {tuple(pixel) for pixel in read("out/legend.png").reshape(-1, 3).tolist()}
        assert set(colours) < pixels

    def test_masks_are_read_by_the_data_set_folder(self, cli, run, folder):
        from marsseg_plugins.datasets.folder import Folder

        (folder / "large.png").unlink()
        shutil.rmtree(folder / "sol 1")
        cli("predict", str(run), str(folder), "--out", "out")
        shutil.copytree(folder, "again/images", ignore=shutil.ignore_patterns("*.txt"))
        shutil.copytree("out/masks", "again/masks")
        data = Folder(path="again").load()
        assert (data.masks[0] == read("out/masks/exact.png")).all()

    def test_an_overlay_shows_image_and_class(self):
        from marsseg_core.inference.outputs import overlay

        image = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (4, 1))[..., None]
        labels = np.zeros((4, 16), np.uint8)
        labels[2:] = 1
        over = overlay(image, labels, np.array([[255, 0, 0], [0, 0, 255]], np.uint8)).astype(int)
        assert (over[0, :, 0] > over[0, :, 2]).all()
        assert (over[3, :, 2] > over[3, :, 0]).all()
        assert (np.diff(over[..., 1], axis=1) >= 0).all()
        assert over.max() <= 255

    def test_classes_are_written_beside_the_masks(self, cli, run, folder):
        cli("predict", str(run), str(folder), "--out", "out")
        with open("out/classes.json") as file:
            classes = json.load(file)["classes"]
        assert [(c["id"], c["name"], c["ignored"]) for c in classes][:2] == [
            (0, "background", True),
            (1, "soil", False),
        ]

    def test_unreadable_images_are_named_and_the_others_are_predicted(self, cli, run, folder):
        (folder / "broken.png").write_bytes((folder / "large.png").read_bytes()[:200])
        (folder / "empty.jpg").write_bytes(b"")
        answer = cli("predict", str(run), str(folder), "--out", "out")
        assert answer.code == 1
        assert "broken is left out" in answer.err
        assert "empty is left out" in answer.err
        assert "2 of 6 images could not be read." in answer.err
        assert len(_files("out/masks")) == 4

    def test_two_images_with_the_same_mask_name_are_refused(self, cli, run, folder):
        shutil.copy(folder / "large.png", folder / "large.jpeg")
        answer = cli("predict", str(run), str(folder), "--out", "out")
        assert answer.code == 2
        assert "The outputs of 'large.jpeg' and 'large.png' would have the same name" in answer.err

    def test_without_an_image_is_refused(self, cli, run, tmp_path):
        (tmp_path / "empty").mkdir()
        answer = cli("predict", str(run), "empty", "--out", "out")
        assert answer.code == 2
        assert "There is no image in this folder." in answer.err


class TestOneImage:
    def test_of_a_single_pixel_works(self, cli, run, tmp_path):
        Image.fromarray(np.array([[90]], np.uint8)).save(tmp_path / "dot.png")
        assert cli("predict", str(run), "dot.png", "--out", "out").code == 0
        assert read("out/masks/dot.png").shape == (1, 1)

    def test_beyond_the_pixel_limit_is_refused_and_the_limit_can_be_raised(self, cli, run, folder):
        words = ("predict", str(run), str(folder / "large.png"), "--out", "out", "--pixel-limit")
        answer = cli(*words, "3499")
        assert answer.code == 2
        assert "50 × 70 pixels" in answer.err
        assert cli(*words, "3500").code == 0

    def test_of_20000_by_20000_pixels_is_refused_unread(self, cli, run, tmp_path):
        # Only the beginning of a PNG file: the header, which has the size.
        import struct
        import zlib

        header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
        content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        content += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
        (tmp_path / "huge.png").write_bytes(content)
        answer = cli("predict", str(run), "huge.png", "--out", "out")
        assert answer.code == 2
        assert "20,000 × 20,000 pixels, more than the limit of 100,000,000" in answer.err


class TestDataSet:
    def test_is_predicted_where_it_has_no_labels(self, cli, run, data_file):
        answer = cli("predict", str(run), str(data_file), "--out", "out")
        assert answer.code == 0, answer.err
        assert [path.name for path in _files("out/masks")] == [f"{n:05d}.png" for n in range(7)]

    def test_subset_selects_labelled_images_by_their_numbers(self, cli, run, data_file):
        answer = cli("predict", str(run), str(data_file), "--subset", "test", "--out", "out")
        assert answer.code == 0, answer.err
        items = json.loads((run / "split.json").read_text())["test"]
        assert [path.name for path in _files("out/masks")] == [f"{n:05d}.png" for n in items]

    def test_all_labelled_images_can_be_predicted(self, cli, run, data_file):
        assert cli("predict", str(run), str(data_file), "--subset", "all", "--out", "out").code == 0
        assert len(_files("out/masks")) == 24

    def test_outputs_are_named_like_the_items_if_these_have_names(self, cli, run, tmp_path, scene):
        for name in ("site1/a", "site2/a"):
            for kind, pixels in (("images", scene(16, 32)[..., 0]), ("masks", np.ones((16, 32), np.uint8))):
                path = tmp_path / f"mine/{kind}/{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
        answer = cli("predict", str(run), str(tmp_path / "mine"), "--subset", "all", "--out", "out")
        assert answer.code == 0, answer.err
        masks = sorted(path.relative_to("out/masks").as_posix() for path in Path("out/masks").rglob("*.png"))
        assert masks == ["site1/a.png", "site2/a.png"]

    def test_another_data_set_has_no_subset_of_the_run(self, cli, run):
        answer = cli("predict", str(run), "synthetic:count=30:height=16:width=32", "--subset", "test", "--out", "out")
        assert answer.code == 2
        assert "not what the run was trained on" in answer.err

    def test_a_subset_that_does_not_exist_is_refused(self, cli, run, data_file):
        answer = cli("predict", str(run), str(data_file), "--subset", "tests", "--out", "out")
        assert answer.code == 2
        assert "Did you mean 'test'?" in answer.err


class TestSubmission:
    def test_has_a_row_for_each_image_without_labels(self, cli, run, data_file, tmp_path):
        answer = cli("predict", str(run), str(data_file), "--out", "out", "--submission", "sub.csv")
        assert answer.code == 0, answer.err
        rows = np.loadtxt(tmp_path / "sub.csv", int, delimiter=",", skiprows=1)
        np.testing.assert_array_equal(rows[:, 0], np.arange(7))
        masks = [read(path).ravel() for path in _files("out/masks")]
        np.testing.assert_array_equal(rows[:, 1:], masks)
        assert "labelled 0" not in answer.err

    def test_warns_of_pixels_labelled_0(self, cli, run, data_file, tmp_path):
        answer = cli("predict", str(run), str(data_file), "--submission", "sub.csv", "--with-ignored")
        assert answer.code == 0, answer.err
        rows = np.loadtxt(tmp_path / "sub.csv", int, delimiter=",", skiprows=1)[:, 1:]
        zeros = int((rows == 0).sum())
        assert zeros
        assert f"Warning: {zeros:,} pixels of the submission are labelled 0 (background)." in answer.err

    def test_of_images_that_cannot_all_be_read_is_not_written(self, cli, run, folder, tmp_path):
        (folder / "broken.png").write_bytes(b"")
        answer = cli("predict", str(run), str(folder), "--submission", "sub.csv")
        assert answer.code == 2
        assert "broken.png" in answer.err
        assert not (tmp_path / "sub.csv").exists()


class TestEnsemble:
    def test_of_one_run_twice_is_that_run(self, cli, run, folder):
        cli("predict", str(run), str(folder), "--out", "one", "--probabilities")
        answer = cli("predict", str(run), str(run), str(folder), "--out", "two", "--probabilities")
        assert answer.code == 0, answer.err
        one, two = (np.load(f"{name}/probabilities/large.npy") for name in ("one", "two"))
        np.testing.assert_allclose(one, two, atol=1e-6)

    def test_with_other_classes_is_refused_by_name(self, cli, run, folder, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(run, other)
        split = json.loads((other / "split.json").read_text())
        split["classes"][4] = "boulder"
        (other / "split.json").write_text(json.dumps(split))
        answer = cli("predict", str(run), "other", str(folder), "--out", "out")
        assert answer.code == 2
        assert "cannot be combined" in answer.err
        assert "boulder" in answer.err


class TestRequests:
    def test_existing_outputs_are_never_overwritten(self, cli, run, folder, tmp_path):
        (tmp_path / "out").mkdir()
        assert cli("predict", str(run), str(folder), "--out", "out").code == 2
        (tmp_path / "out.csv").write_text("mine")
        assert cli("predict", str(run), str(folder), "--submission", "out.csv").code == 2
        assert (tmp_path / "out.csv").read_text() == "mine"

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (["images", "--out", "out"], "A run and images to predict are needed."),
            (["RUN", "images"], "Nothing would be written."),
            (["nowhere", "images"], "'nowhere' is not a run folder"),
            (["RUN", "nowhere"], "There is no file or folder at this path either.\n       In: source nowhere"),
            (["RUN", "synthetic"], "Nothing would be written."),
            (
                ["RUN", "images", "--submission", "a.csv", "--overlay"],
                "--overlay and --probabilities need --out.",
            ),
            (["nowhere", "images", "--out", "out"], "'nowhere' is not a run folder"),
            (["RUN", "nowhere.png", "--out", "out"], "There is no file or folder 'nowhere.png'."),
            (
                ["RUN", "image", "--out", "out"],
                "no file, folder or data set 'image'.\n       In: source image\n       Did you",
            ),
            (["RUN", "image/", "--out", "out"], "Did you mean 'images'?"),
            (["images", "RUN", "--out", "out"], "Runs come first, the images last"),
            (["RUN", "RUN", "--out", "out"], "is a run, not images to predict."),
            (["RUN", "images", "--subset", "test", "--out", "out"], "Image files have no subsets"),
            (["RUN", "images", "--tile-overlap", "1", "--out", "out"], "--tile-overlap"),
        ],
    )
    def test_that_are_invalid_are_refused_at_once(self, cli, run, folder, words, what):
        answer = cli("predict", *(str(run) if word == "RUN" else word for word in words))
        assert (answer.code, answer.out) == (2, "")
        assert what in answer.err

    def test_a_network_that_carries_code_is_refused(self, run, tmp_path):
        import keras

        other = tmp_path / "other"
        shutil.copytree(run, other)
        inputs = keras.Input((16, 32, 1))
        keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(other / "network.keras")
        with pytest.raises(RequestError, match=r"contains code, which is never executed.*network\.keras"):
            marsseg.load(other)

    def test_a_network_file_that_is_cut_off_is_refused_by_name(self, run, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(run, other)
        (other / "network.keras").write_bytes((run / "network.keras").read_bytes()[:1000])
        with pytest.raises(RequestError, match=r"cannot be read.*network\.keras"):
            marsseg.load(other)


@pytest.mark.slow
def test_ctrl_c_leaves_whole_files_and_says_so(run, tmp_path):
    """The process sends itself the signal of Ctrl-C after the third image."""
    code = (
        "import signal, os, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "from marsseg_core.inference import outputs\n"
        "write, seen = outputs.Outputs.write, []\n"
        "def writing(self, *arguments):\n"
        "    seen.append(write(self, *arguments))\n"
        "    if len(seen) == 3: os.kill(os.getpid(), signal.SIGINT)\n"
        "outputs.Outputs.write = writing\n"
        "from marsseg_core.cli.main import main\n"
        "main()\n"
    )
    words = ["predict", str(run), "synthetic:count=50:height=16:width=32", "--out", "out", "--submission", "out.csv"]
    answer = run_with_keras(code, *words, cwd=tmp_path)
    assert answer.code == 130, answer.err
    assert "Interrupted: " in answer.err
    masks = _files(tmp_path / "out" / "masks")
    assert 2 <= len(masks) <= 4
    assert all(read(path).shape == SIZE for path in masks)
    assert not list(tmp_path.glob("*.csv"))
    assert not list(tmp_path.rglob(".*"))


def _files(folder):
    from pathlib import Path

    return sorted(path for path in Path(folder).rglob("*") if path.is_file())
