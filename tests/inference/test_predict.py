"""`marsseg predict`: images of any size, one network or several, atomic files, nothing overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.with_keras import run_with_keras
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.errors import RequestError

pytestmark = pytest.mark.usefixtures("without_reports")

# As docs/predict.md states: how much a shift of the tile grid may change the result of a trained network.
MEAN_SHIFT = 0.02
LABELS_SHIFT = 0.08

SIZE = (16, 32)


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    """An .npz file of 24 labelled images of 16 × 32 pixels and 7 without labels."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    labelled, more = (Synthetic(count=count, height=16, width=32, seed=count).load() for count in (24, 7))
    path = tmp_path_factory.mktemp("predict") / "scenes.npz"
    together = np.stack([labelled.images[..., 0], labelled.masks], axis=1)
    np.savez(path, training_set=together, test_set=more.images[..., 0])
    return path


@pytest.fixture(scope="module")
def run(data_file):
    """A finished run of a tiny network, which has also learned the ignored class background."""
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "data": str(data_file)}
    return marsseg.run(**words, epochs=10, learning_rate=0.01, learn_ignored=True, out=data_file.parent / "run").path


@pytest.fixture(scope="module")
def network(run):
    return marsseg.load(run)


@pytest.fixture
def scene():
    """`scene(50, 70)` → a grey image of that size, (50, 70, 1) uint8."""

    def make(height, width, seed=0):
        from marsseg_plugins.datasets.synthetic import Synthetic

        large = Synthetic(count=1, height=max(height, 8), width=max(width, 8), seed=seed).load().images[0]
        return large[:height, :width]

    return make


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


def pointwise(seed=0, size=SIZE, channels=1, num_classes=3, reach=1):
    """An untrained network whose output depends on `reach` × `reach` pixels."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((*size, channels))
    logits = keras.layers.Conv2D(num_classes, reach, padding="same", kernel_initializer="random_normal")(inputs)
    return keras.Model(inputs, keras.layers.Rescaling(20.0)(logits))


def whole(network, image):
    """Return the probabilities of a pointwise network for an image of any size."""
    kernel, bias = (np.asarray(weight) for weight in network.get_weights())
    logits = 20 * (image / np.float32(255) @ kernel[0, 0] + bias)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def predicted(networks, images, **options):
    from marsseg_core.networks.predictor import Predictor

    return list(Predictor(networks, **options).probabilities(images))


def read(path):
    with Image.open(path) as picture:
        return np.array(picture)


class TestAnImageOfAnySize:
    @pytest.mark.parametrize("size", [(1, 1), (5, 9), (16, 32), (16, 33), (17, 32), (40, 20), (61, 150)])
    @pytest.mark.parametrize("tta", [False, True])
    def test_gives_the_output_of_a_network_of_single_pixels(self, scene, size, tta):
        network, image = pointwise(), scene(*size)
        (probabilities,) = predicted([network], [image], tta=tta, batch=4)
        np.testing.assert_allclose(probabilities, whole(network, image), atol=1e-5)

    def test_of_the_networks_own_size_is_exactly_its_output(self, network, scene):
        from scipy.special import softmax

        image = scene(*SIZE)
        (probabilities,) = predicted([network], [image], batch=1)
        logits = np.asarray(network.predict_on_batch(image[None] / np.float32(255)))
        np.testing.assert_allclose(probabilities, softmax(logits[0], axis=-1), atol=1e-6)

    def test_hardly_depends_on_the_grid_if_the_network_has_a_small_receptive_field(self, scene):
        network, image = pointwise(reach=3), scene(80, 120)
        base, moved = predicted([network], [image, image[5:, 11:]])
        np.testing.assert_allclose(moved[16:, 32:], base[21:, 43:], atol=0.005)

    @pytest.mark.parametrize("moved_by", [(8, 16), (5, 11)])
    def test_depends_on_the_grid_no_more_than_is_stated(self, network, scene, moved_by):
        down, right = moved_by
        image = scene(120, 200)
        base, moved = predicted([network], [image, image[down:, right:]])
        base, moved = base[down + 16 :, right + 32 :], moved[16:, 32:]
        assert np.abs(base - moved).mean() < MEAN_SHIFT
        assert (base.argmax(-1) != moved.argmax(-1)).mean() < LABELS_SHIFT

    def test_comes_in_order_for_mixed_sizes(self, scene):
        network = pointwise()
        images = [scene(*size, seed=n) for n, size in enumerate([(16, 32), (5, 5), (40, 40), (16, 32), (99, 20)])]
        for image, probabilities in zip(images, predicted([network], images, batch=3), strict=True):
            np.testing.assert_allclose(probabilities, whole(network, image), atol=1e-5)

    def test_comes_in_row_strips_no_higher_than_a_tile(self, scene):
        from marsseg_core.networks.predictor import Predictor

        (row_strips,) = Predictor([pointwise()]).predict([scene(200, 40)])
        heights = [len(strip) for strip in row_strips]
        assert sum(heights) == 200
        assert max(heights) <= 16


class TestRowsOfAnImage:
    """`Predictor.predict_rows` reads an image in windows, and begins at any row."""

    @pytest.mark.parametrize("options", [{}, {"batch": 3, "overlap": 0.75}, {"tta": True, "batch": 2}])
    def test_are_those_of_the_whole_image_to_the_last_bit(self, network, scene, options):
        from marsseg_core.networks.predictor import Predictor

        image = scene(90, 70)
        networks = [network, pointwise(1, size=(24, 24), num_classes=5, reach=3)]
        whole_image = np.concatenate(list(next(Predictor(networks, **options).predict([image]))))
        for first_row in (0, 1, 30, 89):
            strips = Predictor(networks, **options).predict_rows(image, range(first_row, 90))
            np.testing.assert_array_equal(np.concatenate(list(strips)), whole_image[first_row:])


class TestSeveralNetworks:
    @pytest.mark.parametrize("size", [(10, 20), (50, 60)])
    def test_give_the_mean_of_their_probabilities(self, scene, size):
        networks, image = [pointwise(0), pointwise(1)], scene(*size)
        (probabilities,) = predicted(networks, [image])
        np.testing.assert_allclose(probabilities, np.mean([whole(n, image) for n in networks], axis=0), atol=1e-5)

    def test_may_take_tiles_of_different_sizes(self, scene):
        networks, image = [pointwise(0), pointwise(1, size=(24, 24))], scene(70, 90)
        (probabilities,) = predicted(networks, [image])
        np.testing.assert_allclose(probabilities, np.mean([whole(n, image) for n in networks], axis=0), atol=1e-5)

    def test_flips_are_the_mean_over_four_views(self, scene):
        network, image = pointwise(reach=5), scene(*SIZE)
        (probabilities,) = predicted([network], [image], tta=True)
        views = []
        for axes in ((), (0,), (1,), (0, 1)):
            (view,) = predicted([network], [np.flip(image, axes)])
            views.append(np.flip(view, axes))
        np.testing.assert_allclose(probabilities, np.mean(views, axis=0), atol=1e-6)
        assert np.abs(probabilities - views[0]).max() > 0.001


class TestChannels:
    def test_grey_becomes_three_equal_channels(self):
        from marsseg_core.inference.ensemble import with_channels

        grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        assert (with_channels(grey, 3) == grey).all()
        assert with_channels(grey, 3).shape == (2, 3, 3)
        assert with_channels(grey, 1) is grey

    def test_colours_become_their_luma(self):
        from marsseg_core.inference.ensemble import with_channels

        colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)
        assert with_channels(colours, 1)[..., 0].tolist() == [[76, 150, 29, 80]]

    def test_other_numbers_are_refused(self):
        from marsseg_core.inference.ensemble import with_channels

        with pytest.raises(RequestError, match="An image with 4 channels does not fit a network for 1"):
            with_channels(np.zeros((2, 2, 4), np.uint8), 1)


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
        assert read("out/masks/large.png").min() == 1
        assert read("with/masks/large.png").min() == 0

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
