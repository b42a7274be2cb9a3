"""Image files are predicted at the scale of the images that a network was trained on; masks have their own size."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

import marsseg
from marsseg_core.inference import request
from marsseg_core.inference.preparing import enlarged

pytestmark = pytest.mark.usefixtures("without_reports")

SIZE = (16, 32)
sizes = st.integers(1, 40)


@given(sizes, sizes, sizes, sizes, st.integers(1, 300))
def test_enlarged_values_are_those_of_an_interpolation(height, width, new_height, new_width, rows):
    values = np.random.default_rng(0).random((height, width, 2), np.float32)
    strips = (values[start : start + rows] for start in range(0, height, rows))
    found = np.concatenate(list(enlarged(strips, (new_height, new_width, 1))))
    assert found.shape == (new_height, new_width, 2)
    assert found.min() >= values.min() - 1e-6
    assert found.max() <= values.max() + 1e-6
    if (new_height, new_width) == (height, width):
        np.testing.assert_allclose(found, values, atol=1e-6)


def test_an_enlarged_ramp_stays_a_ramp_between_the_first_and_the_last_centre():
    ramp = np.arange(8, dtype=np.float32)[:, None, None] + np.zeros((8, 3, 1), np.float32)
    found = np.concatenate(list(enlarged(iter([ramp]), (800, 3))))[:, 0, 0]
    np.testing.assert_allclose(np.diff(found[50:750]), 0.01, atol=1e-4)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Photographs of two sizes; the left half is dark and soil, the right half bright and rock."""
    folder = tmp_path_factory.mktemp("photographs")
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for number in range(10):
        height, width = ((40, 64), (64, 128))[number % 2]
        mask = np.zeros((height, width), np.uint8)
        mask[:, width // 2 :] = 1
        noise = np.random.default_rng(number).integers(0, 40, mask.shape, np.uint8)
        Image.fromarray(noise + 180 * mask).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    (folder / "classes.csv").write_text("soil\nrock\n")
    return folder


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    return marsseg.run(
        arch="unet:width=0.125:depth=2",
        loss="ssce",
        data=f"folder:path={photographs}:resize=whole:height={SIZE[0]}:width={SIZE[1]}:groups=none",
        epochs=1,
        out=tmp_path_factory.mktemp("prepared") / "run",
    )


@pytest.mark.parametrize("jobs", [[], ["--jobs", "2"]])
def test_a_photograph_is_resized_as_for_the_training_and_its_mask_has_its_size(run, photographs, cli, tmp_path, jobs):
    answer = cli("predict", str(run.path), str(photographs / "images"), "--out", "out", "--probabilities", *jobs)
    assert answer.code == 0, answer.err
    assert "As in the training, each image is resized whole to 16×32 pixels" in answer.err.replace("\n", " ")
    with Image.open(photographs / "images" / "1.png") as picture:
        small = np.asarray(picture.resize(SIZE[::-1], Image.Resampling.BILINEAR))
    (expected,) = marsseg.predict(run, [small], probabilities=True)
    found = np.load(tmp_path / "out" / "probabilities" / "1.npy")
    assert found.shape == (64, 128, 2)
    centres = found.reshape(16, 4, 32, 4, 2)[:, 1:3, :, 1:3].mean((1, 3))
    np.testing.assert_allclose(centres[1:-1, 1:-1], expected[1:-1, 1:-1], atol=0.1)
    with Image.open(tmp_path / "out" / "masks" / "1.png") as mask:
        assert (np.asarray(mask) == found.argmax(-1)).all()


def test_masks_of_resized_photographs_are_the_same_with_and_without_probabilities(
    run, photographs, cli, tmp_path, monkeypatch
):
    """Also with a network that is unsure of the dark half and sure of the bright one."""
    pixels = keras.Input((*SIZE, 1))
    network = keras.Model(pixels, keras.layers.Conv2D(2, 1)(pixels))
    network.set_weights([np.array([0, 40], np.float32).reshape(1, 1, 1, 2), np.array([0, -4], np.float32)])
    monkeypatch.setattr(request, "load_networks", lambda *words: [network])
    masks = []
    for out, words in (("plain", []), ("both", ["--probabilities"])):
        assert cli("predict", str(run.path), str(photographs / "images"), "--out", out, *words).code == 0
        masks.append([path.read_bytes() for path in sorted((tmp_path / out / "masks").iterdir())])
    assert len(masks[0]) == 10
    assert masks[0] == masks[1]


def test_a_map_keeps_its_scale_and_the_command_warns_of_it(run, photographs, cli):
    pytest.importorskip("rasterio")
    answer = cli("predict", str(run.path), str(photographs / "images" / "1.png"), "--out", "map.tif")
    assert answer.code == 0, answer.err
    assert "A map keeps its scale, which the network may not know." in " ".join(answer.err.split())
