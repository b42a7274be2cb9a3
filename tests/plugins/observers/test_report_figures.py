"""The figures and the page of the report: their content, and that they are readable."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.evaluation.decoding import ARGMAX
from marsseg_core.figures import canvas
from marsseg_core.figures.colours import NEUTRAL, class_colours, hex_code, paint, rgb
from marsseg_core.figures.curves import learning_curves, points
from marsseg_core.figures.matrix import confusion_figure, count_text
from marsseg_plugins.observers.report.page import PageFigure, render_page
from marsseg_plugins.observers.report.sheet import Tile, choose_tiles, errors, tile_panels, tile_sheet
from marsseg_plugins.observers.report.write import _header, _tiles

MARS = ("background", "soil", "bedrock", "sand", "big_rock")

# Viénot, Brettel and Mollon 1999, on linear RGB. The colours were chosen with another model of deuteranopia.
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def drawn(draw, *args, **options) -> Image.Image:
    target = io.BytesIO()
    draw(*args, target, **options)
    return Image.open(target)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(count))


def history(epochs: int, class_names=MARS) -> list[dict]:
    rows = []
    for epoch in range(1, epochs + 1):
        row = {
            "epoch": epoch,
            "loss": 2 / epoch,
            "val_loss": 2.5 / epoch,
            "loss_dice": 1 / epoch,
            "loss_wssce": 3 / epoch,
        }
        row |= {"val_miou": 1 - 1 / (epoch + 1), "learning_rate": 0.001 * 0.9**epoch, "seconds": 1.0}
        rows.append(row | {f"val_iou_{name}": 1 - 1 / (epoch + 2) for name in class_names[1:]})
    return rows


# --- colours


def lightness_and_hue(rgb: np.ndarray, vision: np.ndarray) -> np.ndarray:
    """Convert sRGB (n, 3) in 0..255 to CIE L*a*b* (n, 3), as seen with `vision`, a matrix on linear RGB."""
    linear = np.clip((rgb / 255) ** 2.2 @ vision.T, 0, 1)
    to_xyz = np.array([[0.4339, 0.3763, 0.1898], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]])
    x, y, z = np.cbrt(linear @ to_xyz.T).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def some_names(count):
    return [f"class {number}" for number in range(count)]


@pytest.mark.parametrize(("count", "apart"), [(2, 30), (5, 30), (12, 7)])
@pytest.mark.parametrize("vision", [np.eye(3), DEUTERANOPIA], ids=["normal", "deuteranopia"])
def test_classes_differ_visibly_from_each_other_and_from_grey(count, apart, vision):
    grey = [[int(NEUTRAL[start : start + 2], 16) for start in (1, 3, 5)]]
    seen = lightness_and_hue(np.concatenate([class_colours(some_names(count)), grey]), vision)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert distances[~np.eye(count + 1, dtype=bool)].min() > apart


def test_a_class_keeps_its_colour_whatever_the_number_of_classes():
    assert (class_colours(some_names(40))[:5] == class_colours(some_names(5))).all()
    assert len(np.unique(class_colours(some_names(40)), axis=0)) == 40


def test_a_class_of_mars_has_its_colour_in_any_list_of_classes():
    mars = ("background", "soil", "bedrock", "sand", "big_rock")
    in_order = dict(zip(mars, map(hex_code, class_colours(mars)), strict=True))
    others = ("ice", "Sand", "big rock", "dust", "sand")
    colours = [hex_code(colour) for colour in class_colours(others)]
    assert colours[1:3] == [in_order["sand"], in_order["big_rock"]]
    assert len(set(colours)) == 5


def test_the_colours_of_a_data_set_are_kept():
    own = ((180, 120, 60), (90, 90, 200), (240, 220, 120))
    assert class_colours(("regolith", "sand", "dust"), own_colours=own).tolist() == [list(colour) for colour in own]
    grey = [list(rgb(NEUTRAL))]
    assert class_colours(("a", "b", "c"), (2,), own).tolist() == [list(own[0]), list(own[1]), *grey]


@pytest.mark.parametrize("own", [((0, 0, 0), (1, 1, 1), (2, 2, 2)), ((255, 0, 0), (0, 255, 0), (255, 2, 1))])
def test_colours_that_look_alike_show_no_classes_so_others_are_taken(own):
    assert (class_colours(some_names(3), own_colours=own) == class_colours(some_names(3))).all()


def test_ignored_classes_and_void_are_painted_grey():
    colours = class_colours(some_names(5), ignore_classes=(0,))
    picture = paint(np.array([[0, 1, 255]], dtype=np.uint8), colours)
    assert picture.dtype == np.uint8
    assert [hex_code(pixel) for pixel in picture[0]] == [NEUTRAL, hex_code(class_colours(some_names(5))[1]), NEUTRAL]


# --- curves


@pytest.mark.parametrize("epochs", [0, 1, 300])
def test_curves_of_any_length(epochs):
    best = epochs or None
    picture = drawn(learning_curves, history(epochs), class_names=MARS, ignore_classes=(0,), best_epoch=best)
    assert picture.format == "PNG"
    assert min(picture.size) > 1000


def test_curves_of_many_classes_with_formula_signs_and_missing_values():
    class_names = (*names(11), "$x & $y")
    rows = history(3, class_names)
    rows[0] |= {"val_miou": None, "val_loss": float("nan"), "loss": float("inf")}
    del rows[1]["val_miou"]
    drawn(learning_curves, rows, class_names=class_names, best_epoch=2)


@pytest.mark.parametrize(
    ("best_by", "values", "limits", "unit"),
    [
        ("val_miou", [0.2, 0.5], (-0.02, 1.02), "IoU"),
        ("val_dice", [0.2, 0.5], (-0.02, 1.02), "score"),
        ("val_kappa", [-0.5, 0.25], (-0.53, 1.03), "score"),
        ("val_distance", [3.0, 9.0], (-0.18, 9.18), "score"),
    ],
)
def test_the_score_that_chooses_the_best_network_is_within_the_axis(monkeypatch, best_by, values, limits, unit):
    figures = []
    monkeypatch.setattr(canvas, "write", lambda figure, target: figures.append(figure))
    rows = [row | {best_by: value} for row, value in zip(history(2), values, strict=True)]
    learning_curves(rows, io.BytesIO(), class_names=MARS, best_epoch=2, best_by=best_by)
    (axes,) = [axes for axes in figures[0].axes if axes.get_title(loc="left").startswith("Validation")]
    assert axes.get_ylim() == pytest.approx(limits)
    assert axes.get_ylabel() == unit


@pytest.mark.parametrize(
    ("rates", "scale"),
    [
        ([1e-3, 5e-4, 2.5e-4, 1.25e-4], "log"),  # `plateau`, which halved the rate three times
        ([1e-3, 5e-4], "log"),
        ([1e-3, 9e-4], "linear"),
        ([1e-3, 1e-3], "linear"),
        ([0.0, 1e-3], "linear"),  # a warm-up from nothing
    ],
)
def test_a_learning_rate_that_changes_has_a_logarithmic_axis(monkeypatch, rates, scale):
    figures = []
    monkeypatch.setattr(canvas, "write", lambda figure, target: figures.append(figure))
    rows = [row | {"learning_rate": rate} for row, rate in zip(history(len(rates)), rates, strict=True)]
    learning_curves(rows, io.BytesIO(), class_names=MARS)
    (axes,) = [axes for axes in figures[0].axes if axes.get_title(loc="left").startswith("Learning rate")]
    assert axes.get_yscale() == scale


def test_only_finite_values_become_points():
    rows = [{"epoch": 1, "a": None}, {"epoch": 2, "a": float("nan")}, {"epoch": 3}, {"epoch": 4, "a": 0.5}]
    epochs, values = points(rows, "a")
    assert (epochs.tolist(), values.tolist()) == ([4], [0.5])


def test_a_figure_has_the_same_bytes_each_time():
    first, second = io.BytesIO(), io.BytesIO()
    for target in (first, second):
        learning_curves(history(4), target, class_names=MARS, ignore_classes=(0,), best_epoch=3)
    assert first.getvalue() == second.getvalue()


# --- confusion matrix


@pytest.mark.parametrize("count", [2, 12])
def test_confusion_of_any_number_of_classes(count, tmp_path):
    matrix = np.arange(count * count).reshape(count, count)
    matrix[1] = 0
    confusion_figure(matrix, names(count), tmp_path / "confusion.png", ignore_classes=(0,), title="$ & $")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 400


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9999, "9999"), (12_345, "12.3 k"), (123_456, "123 k"), (4_561_000, "4.56 M")]
)
def test_counts_are_short(count, text):
    assert count_text(count) == text


# --- tiles

SCORES = hnp.arrays(float, st.integers(0, 30), elements=st.floats(0, 1) | st.just(float("nan")))


SCORED = SCORES.flatmap(
    lambda scores: st.tuples(st.just(scores), hnp.arrays(int, len(scores), elements=st.integers(0, 99)))
)


@given(SCORED, st.integers(0, 6), st.integers(0, 6))
def test_chosen_tiles_are_scored_distinct_and_as_many_as_requested(sample, typical, worst):
    scores, wrong = sample
    nearest, most = choose_tiles(scores, wrong, typical, worst)
    chosen = nearest + most
    scored = int((~np.isnan(scores)).sum())
    assert len(set(chosen)) == len(chosen) == min(typical + worst, scored)
    assert len(nearest) <= typical
    assert len(most) <= worst
    assert not np.isnan(scores[chosen]).any()
    assert choose_tiles(scores, wrong, typical, worst) == (nearest, most)


@given(SCORED)
def test_the_worst_have_the_most_wrong_pixels_and_the_typical_are_nearest_to_the_median(sample):
    scores, wrong = sample
    nearest, most = choose_tiles(scores, wrong)
    others = [i for i in range(len(scores)) if i not in most and not np.isnan(scores[i])]
    assert all(wrong[bad] >= wrong[other] for bad in most for other in others)
    away = np.abs(scores - np.nanmedian(scores)) if others else scores
    assert all(away[near] <= away[other] for near in nearest for other in set(others) - set(nearest))


def test_a_tile_with_one_labelled_pixel_is_not_the_worst():
    """Ordered by score it would be: 0, though the tile is nearly all void, and another has half of its pixels wrong."""
    assert choose_tiles(np.array([0.0, 0.5, 0.9]), [1, 8000, 100], typical=1, worst=1)[1] == [1]


def test_few_images_are_shared_between_typical_and_worst():
    assert choose_tiles(np.array([0.7]), [3]) == ([0], [])
    assert choose_tiles(np.array([0.7, 0.2, np.nan]), [3, 8, 9]) == ([0], [1])


IDS = hnp.arrays(np.uint8, (4, 6), elements=st.sampled_from([0, 1, 2, 3, 4, 255]))


@given(IDS, hnp.arrays(np.uint8, (4, 6), elements=st.integers(0, 4)))
def test_errors_count_labelled_pixels_only(truth, prediction):
    wrong = errors(truth, prediction, 5, (0,))
    assert not wrong[(truth == 0) | (truth == 255)].any()
    assert (wrong[(truth > 0) & (truth < 5)] == (truth != prediction)[(truth > 0) & (truth < 5)]).all()


def test_the_error_picture_colours_wrong_pixels_and_no_others():
    truth = np.array([[1, 1], [0, 2]], dtype=np.uint8)
    prediction = np.array([[1, 4], [3, 0]], dtype=np.uint8)
    colours = class_colours(some_names(5), (0,))
    *_, predicted, error = tile_panels(Tile("", np.full((2, 2, 1), 80, np.uint8), truth, prediction), colours, (0,))
    half = len(error) // 2

    def grey(region):
        return (region == region[..., :1]).all()

    assert (error[:half, half:] == colours[4]).all()
    assert grey(error[:half, :half])
    assert grey(error[half:, :half])
    assert (error[half:, half:] < 64).all()  # an ignored class predicted on labelled pixels is dark, not grey on grey
    assert (predicted[half:, :half] == colours[3]).all(axis=-1).any()  # the prediction shows through the stripes


@pytest.mark.parametrize(
    ("shape", "count", "channels"), [((8, 16), 2, 1), ((16, 8), 12, 3), ((600, 1030), 5, 4)], ids=str
)
def test_a_sheet_of_any_shape(shape, count, channels):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (*shape, channels), dtype=np.uint8)
    truth, prediction = rng.integers(0, count, (2, *shape), dtype=np.uint8)
    rows = [Tile("cost $5, gain $6", image, truth, prediction), Tile("", image, np.full_like(truth, 255), prediction)]
    picture = drawn(tile_sheet, rows, names(count), ignore_classes=(0,))
    assert picture.width > 4 * 512
    assert picture.height > 2 * 256


def test_a_long_title_of_a_tile_keeps_its_ends_and_to_its_column(monkeypatch):
    written = []
    monkeypatch.setattr(canvas, "write", lambda figure, target: written.append(figure))
    square = np.zeros((16, 16, 1), np.uint8)
    title = f"worst: frankfurt_000{'0' * 60}_leftImg8bit.jpg, miou 0.10"
    rows = [Tile(name, square, square[..., 0], square[..., 0]) for name in (title, "worst: a.jpg, miou 0.10")]
    tile_sheet(rows, names(2), io.BytesIO())
    texts = {text.get_text(): text for text in written[0].texts}
    assert "worst: a.jpg, miou 0.10" in texts
    (short,) = (text for text in texts if "…" in text)
    assert short.startswith("worst: frankfurt_0")
    assert short.endswith("bit.jpg, miou 0.10")
    assert 0.9 * 512 < texts[short].get_window_extent().width <= 512


# --- page

PNG = b"\x89PNG\r\n\x1a\n not really"


def subset(**changes) -> dict:
    scores = {"miou": 0.61, "miou_an2dl": 0.5, "miou_all": None, "miou_per_image": float("nan"), "accuracy": 0.8}
    classes = {"iou": {"soil": 0.9, "<i>rock": None}, "support": {"soil": 12345, "<i>rock": 0}}
    return scores | classes | {"images": 30, "confusion": [[1, 0], [0, 0]]} | changes


def page(ignore_classes=(0,), program="/somewhere/bin/marsseg", **changes) -> str:
    metrics = {"schema": 1, "status": "finished", "best_epoch": 7, "epochs": 10}
    metrics["subsets"] = {"validation": subset(miou=0.7), "test": subset()}
    arguments = {
        "title": "run <b>1</b> $title",
        "metrics": metrics | changes,
        "class_names": ("background", "soil", "<i>rock"),
        "ignore_classes": ignore_classes,
        "figures": [PageFigure("Curves <u>", "caption & more", PNG)],
        "plan": 'name = "<script>alert(1)</script>"',
        "environment": {
            "python": "3.11",
            "packages": {"keras": "<3>"},
            "devices": ["cpu", "gpu"],
            "seed": None,
            "command": [program, "run", "--data", "my tiles"],
        },
        "header": [("network", "5 <s>parameters")],
    }
    return render_page(**arguments)


def test_text_of_plugins_and_data_is_escaped():
    text = page()
    for raw in ("<b>", "<i>", "<u>", "<script", "<3>"):
        assert raw not in text
    for shown in ("run &lt;b&gt;1&lt;/b&gt; $title", "&lt;i&gt;rock", "&lt;script&gt;alert(1)", "packages.keras"):
        assert shown in text


def test_the_headline_has_the_facts_of_the_run_and_its_command_as_one_line():
    text = page()
    assert "<dt>network</dt><dd>5 &lt;s&gt;parameters</dd>" in text
    assert ">marsseg run --data &#39;my tiles&#39;</code>" in text


def test_the_header_names_the_data_with_its_size_and_its_classes():
    data = SegmentationData(
        np.zeros((2, 4, 6, 1), np.uint8), np.ones((2, 4, 6), np.uint8), ("soil", "rock"), source="npz: tiles.npz"
    )
    images = keras.Input((4, 6, 1))
    network = keras.Model(images, keras.layers.Conv2D(2, 1)(images))
    plan = SimpleNamespace(summary="arch=unet, data=npz")
    run = SimpleNamespace(data=data, network=network, plan=plan, split_summary="", history=[])
    assert dict(_header(run, {}))["data"] == "npz: tiles.npz: 2 images of 4 × 6 × 1, 2 classes: soil, rock"


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("/lib/marsseg_core/__main__.py", "marsseg run --data &#39;my tiles&#39;"),
        ("/work/train.py", "train.py run --data &#39;my tiles&#39;"),
    ],
)
def test_the_command_can_be_copied_however_marsseg_was_started(program, shown):
    assert f'<code class="command">{shown}</code>' in page(program=program)


def test_figures_and_pages_are_for_narrow_screens_and_dark_ones():
    text = page()
    assert "min-width: 44rem" not in text
    assert "prefers-color-scheme: dark" in text


def test_the_page_needs_no_other_file(tmp_path):
    text = page()
    assert "http" not in text
    assert not re.search(r"<(link|iframe|object)\b|@import|url\(", text)
    sources = re.findall(r'src="([^"]*)"', text)
    assert [b64decode(source.removeprefix("data:image/png;base64,")) for source in sources] == [PNG]


def test_a_figure_may_be_a_file(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    figure = PageFigure("a", "b", tmp_path / "a.png")
    text = render_page(
        title="",
        metrics={"status": "finished", "subsets": {}},
        class_names=(),
        ignore_classes=(),
        figures=[figure],
        plan="",
        environment={},
    )
    assert "iVBORw0KGgo" in text


def test_the_page_says_that_a_run_is_transductive():
    assert "This run is transductive." in page(transductive=True)
    assert "transductive" not in page()


def test_the_headline_is_the_test_score():
    text = page()
    assert '<div class="score">0.6100 <small>mIoU, test subset</small>' in text
    assert "interrupted" not in text


def test_readings_that_differ_by_ignored_classes_are_left_out_where_there_are_none():
    readings = ("mIoU, AN2DL", "mIoU, all pixels")
    assert all(reading in page() for reading in readings)
    assert not any(reading in page(ignore_classes=()) for reading in readings)


def test_an_interrupted_run_says_so_and_shows_validation():
    text = page(status="interrupted", subsets={"validation": subset(miou=0.7)})
    assert "This run was interrupted." in text
    assert '<div class="score">0.7000 <small>mIoU, validation subset</small>' in text


def test_undefined_values_are_dashes():
    text = page(subsets={"test": subset(miou=None)}, best_epoch=None)
    assert '<div class="score">– ' in text
    assert "nan" not in text.lower()
    assert "None" not in text


@pytest.mark.parametrize(("names", "title"), [(None, "item 1"), (["a.png", "site/b.png"], "site/b.png")])
def test_tiles_have_the_names_of_items(names, title):
    data = SegmentationData(
        np.zeros((2, 4, 4, 1), np.uint8), np.ones((2, 4, 4), np.uint8), ("soil", "rock"), names=names
    )
    run = SimpleNamespace(
        data=data,
        plan=SimpleNamespace(training=SimpleNamespace(batch=8, tta=False)),
        scores={"test": SimpleNamespace(per_image=[0.5], wrong_per_image=[3])},
        split={"test": np.array([1])},
        network=keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 1)]),
        decoding=ARGMAX,
    )
    assert [tile.title for tile in _tiles(run, "test")] == [f"typical: {title}, miou 0.50"]
