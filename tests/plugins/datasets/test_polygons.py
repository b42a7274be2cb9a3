"""Polygons of labelme and COCO: drawn pixel by pixel as their own tools draw them.

The pictures were recorded with labelme 5.5.0 (`utils.shape_to_mask`, Pillow 13.0.0) and pycocotools 2.0.11
(`frPyObjects`, `decode`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.coco_masks import SegmentationError, draw_polygon, draw_segmentation
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.labelme_shapes import ShapeError, draw_shape

SIZE = (10, 12)
KITE = [[1.2, 0.7], [10.6, 3.1], [4.4, 8.9], [3.1, 4.2]]


def rows(mask: np.ndarray) -> str:
    return " ".join("".join(".#"[int(value)] for value in row) for row in mask)


def flat(points: list[list[float]]) -> list[float]:
    return [value for point in points for value in point]


# --- labelme


@pytest.mark.parametrize(
    ("kind", "points", "drawn"),
    [
        (
            "polygon",
            KITE,
            ".#.......... ..###....... ..######.... ...########. ...#######.. ...######... ....###..... ....##...... "
            "....#....... ............",
        ),
        (
            "circle",
            [[5.5, 4.5], [8.2, 6.0]],
            "............ ....###..... ...#####.... ..#######... ..#######... ..#######... ...#####.... ....###..... "
            "............ ............",
        ),
        (
            "rectangle",
            [[9.6, 1.5], [2.4, 6.5]],
            "............ ..########.. ..########.. ..########.. ..########.. ..########.. ..########.. ............ "
            "............ ............",
        ),
        (
            "point",
            [[6.0, 4.0]],
            "...#######.. ..#########. .########### .########### .########### .########### .########### ..#########. "
            "...#######.. ....#####...",
        ),
        (
            "linestrip",
            [[1.0, 1.0], [10.0, 8.0]],
            "...#####.... ..#######... .#########.. ###########. ############ ############ ############ ..########## "
            "...######### ....#######.",
        ),
    ],
)
def test_shapes_are_drawn_as_labelme_draws_them(kind, points, drawn):
    assert rows(draw_shape({"shape_type": kind, "points": points}, SIZE)) == drawn


def png(mask: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(mask).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def test_a_mask_of_labelme_is_put_at_its_place():
    small = np.array([[1, 0], [1, 1]], np.uint8)
    drawn = draw_shape({"shape_type": "mask", "points": [[3, 2], [4, 3]], "mask": png(small)}, (5, 6))
    assert rows(drawn) == "...... ...... ...#.. ...##. ......"


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"points": KITE, "shape_type": "star"}, "there is no kind of shape 'star'"),
        ({"points": KITE, "shape_type": ["polygon"]}, "there is no kind of shape"),
        ({"points": KITE[:2]}, "a polygon cannot have 2 points"),
        ({"points": KITE, "shape_type": "circle"}, "a circle cannot have 4 points"),
        ({"points": [[1, 2], [3], [4, 5]]}, "a point is not two numbers"),
        ({"points": "abc"}, "its points are not a list"),
        ({"points": [[1, 2], [3, 4], [float("nan"), 5]]}, "far outside"),
        ({"points": [[1, 2], [3, 4], [10**400, 5]]}, "far outside"),
        ({"points": [[0, 0], [1, 1]], "shape_type": "mask"}, "needs two points and an image"),
        ({"points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "AAAA"}, "cannot be read"),
        ({"points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "ä"}, "cannot be read"),
        (
            {"points": [[0, 0], [5, 1]], "shape_type": "mask", "mask": png(np.eye(2, dtype=np.uint8))},
            "does not have the size",
        ),
        ({"points": [[11, 0], [12, 1]], "shape_type": "mask", "mask": png(np.eye(2, dtype=np.uint8))}, "not inside"),
    ],
)
def test_a_wrong_shape_is_refused(shape, why):
    with pytest.raises(ShapeError, match=why):
        draw_shape(shape, SIZE)


@pytest.fixture
def made(tmp_path, caplog):
    """`made(files)` → the folder with these files: an image for a size, JSON for other values."""
    caplog.set_level(logging.WARNING)

    def make(files: dict) -> Folder:
        for name, content in files.items():
            path = tmp_path / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, tuple):
                Image.fromarray(np.full(content, 200 + len(name), np.uint8)).save(path)
            else:
                path.write_text(json.dumps(content))
        return Folder(str(tmp_path / "mine"))

    return make


def labelme(*shapes, size=SIZE):
    return {"shapes": [*shapes], "imageHeight": size[0], "imageWidth": size[1], "imageData": None}


def box(label, left, top, right, bottom):
    return {"label": label, "points": [[left, top], [right, bottom]], "shape_type": "rectangle"}


class TestLabelme:
    def test_later_shapes_are_over_earlier_ones(self, made, caplog):
        shapes = labelme(box("sand", 0, 0, 5, 5), box("rock", 2, 2, 3, 3), box("__ignore__", 0, 0, 0, 0))
        folder = made({"s1/a.png": SIZE, "s1/a.json": shapes, "s2/b.png": SIZE, "s2/b.json": labelme()})
        assert Folder.recognises(Path(folder.path))
        data = folder.load()
        assert data.class_names == ("background", "rock", "sand")
        assert [int(data.masks[0][y, x]) for y, x in [(0, 0), (0, 1), (2, 2), (8, 8)]] == [255, 2, 1, 0]
        assert not data.masks[1].any()
        assert (list(data.names), data.groups.tolist()) == (["s1/a.png", "s2/b.png"], [0, 1])
        assert caplog.messages[0] == (
            "mine has the layout labelme: later shapes over earlier ones; what no shape covers is background."
        )

    def test_the_classes_may_be_given(self, made):
        folder = made({"a.png": SIZE, "a.json": labelme(box("sand", 0, 0, 5, 5))})
        data = Folder(folder.path, classes=("rock", "sand")).load()
        assert (data.masks[0][0, 0], data.masks[0][9, 9]) == (1, 255)
        with pytest.raises(RequestError, match="There is no class 'sand' among those given"):
            Folder(folder.path, classes=("rock", "san")).load()

    @pytest.mark.parametrize(
        ("files", "what"),
        [
            ({"a.json": labelme(), "b.png": SIZE}, "1 image has no .json file: b.png."),
            (
                {"a.json": labelme(), "b.json": labelme(), "c.json": labelme()},
                "2 .json files have no image: b.json, c.",
            ),
            ({"a.json": []}, "This is not a labelme file: it has no list of shapes."),
            ({"a.json": {"shapes": []}}, "It has no imageHeight and imageWidth, or more pixels than the limit of "),
            ({"a.json": labelme({"points": []})}, "A shape has no label."),
            ({"a.json": labelme({"label": "x", "points": []})}, "Shape 1 (x) cannot be drawn: a polygon cannot have 0"),
            ({"a.json": labelme(size=(12, 10))}, "The annotations are for 12 × 10 pixels, but a.png has 10 × 12."),
        ],
    )
    def test_what_is_wrong_is_refused(self, made, files, what):
        with pytest.raises(RequestError) as caught:
            made({"a.png": SIZE} | files).load()
        assert caught.value.what.startswith(what)


# --- COCO


@pytest.mark.parametrize(
    ("polygon", "drawn"),
    [
        (
            flat(KITE),
            "............ ..##........ ..######.... ...#######.. ...######... ....####.... ....###..... ....##...... "
            "....#....... ............",
        ),
        ([0, 0, 12, 0, 12, 10, 0, 10], " ".join(["############"] * 10)),
        (
            [-3, 5, 6, -4, 15, 5, 6, 14],
            "..########.. .########### ############ ############ ############ ############ ############ ############ "
            ".##########. ..########..",
        ),
        (
            [1, 1, 11, 9, 11, 1, 1, 9],
            "............ .#........#. .##......##. .###....###. .####..####. .####..####. .###....###. .##......##. "
            ".#........#. ............",
        ),
    ],
)
def test_polygons_are_drawn_as_pycocotools_draws_them(polygon, drawn):
    assert rows(draw_polygon(polygon, SIZE)) == drawn


def test_a_large_polygon_has_the_pixels_of_pycocotools():
    polygon = [301.32, 8.21, 480.9, 120.4, 611.5, 455.0, 140.2, 470.7, 88.8, 200.1]
    drawn = draw_polygon(polygon, (480, 640)).astype(np.uint8)
    assert drawn.sum() == 164_215
    assert hashlib.sha256(drawn.tobytes("F")).hexdigest()[:16] == "4b491aeef9206f5a"


def test_run_lengths_are_those_of_pycocotools():
    both = [flat(KITE), [2, 2, 8, 2, 8, 7, 2, 7]]
    drawn = draw_segmentation(both, SIZE)
    assert drawn.sum() == 38
    packed = {"size": [*SIZE], "counts": "e064011NO1O101M2Ob0"}
    np.testing.assert_array_equal(draw_segmentation(packed, SIZE), drawn)
    changes = np.flatnonzero(np.diff(drawn.T.ravel(), prepend=False, append=False)).tolist()
    edges = [0, *changes, drawn.size]
    runs = {"size": [*SIZE], "counts": np.diff(edges).tolist()}
    np.testing.assert_array_equal(draw_segmentation(runs, SIZE), drawn)


@pytest.mark.parametrize(
    ("segmentation", "why"),
    [
        (None, "neither a list of polygons nor run lengths"),
        ([], "neither a list of polygons nor run lengths"),
        ([[1, 2, 3, 4]], "three or more points"),
        ([[1, 2, 3, 4, 5, "6"]], "only numbers"),
        ([[1, 2, 3, 4, 5, float("inf")]], "far outside"),
        ([[1, 2, 3, 4, 5, 10**400]], "far outside"),
        ({"size": [12, 10], "counts": [120]}, "for the size"),
        ({"size": [10, 12], "counts": [100]}, "100 pixels, not 120"),
        ({"size": [10, 12], "counts": [130, -10]}, "not counts of pixels"),
        ({"size": [10, 12], "counts": "\x00"}, "damaged"),
        ({"size": [10, 12], "counts": "o" * 20}, "damaged"),
        ({"size": [10, 12], "counts": "o"}, "end early"),
        ({"size": [10, 12]}, "not counts of pixels"),
    ],
)
def test_a_wrong_segmentation_is_refused(segmentation, why):
    with pytest.raises(SegmentationError, match=why):
        draw_segmentation(segmentation, SIZE)


def square(number, image, category, left, top, right, bottom):
    corners = [left, top, right, top, right, bottom, left, bottom]
    return {"id": number, "image_id": image, "category_id": category, "segmentation": [corners], "iscrowd": 0}


def coco(images, annotations=(), categories=((3, "sand"), (7, "rock"))):
    return {
        "images": [{"id": n, "file_name": name, "height": 10, "width": 12} for n, name in enumerate(images)],
        "annotations": [*annotations],
        "categories": [{"id": number, "name": name} for number, name in categories],
    }


class TestCoco:
    def test_smaller_annotations_are_over_larger_ones(self, made, caplog):
        crowd = {"id": 3, "image_id": 0, "category_id": 3, "iscrowd": 1}
        crowd["segmentation"] = {"size": [10, 12], "counts": [100, 20]}
        annotations = [square(1, 0, 7, 2, 2, 4, 4), square(2, 0, 3, 0, 0, 8, 8), crowd]
        files = {f"images/{name}.png": SIZE for name in ("a", "b", "other")}
        files["annotations/instances_default.json"] = coco(["a.png", "b.png"], annotations)
        folder = made(files | {"annotations/captions_default.json": {}})
        data = folder.load()
        assert data.class_names == ("background", "sand", "rock")
        assert [int(data.masks[0][y, x]) for y, x in [(0, 0), (2, 2), (9, 0), (9, 11)]] == [1, 2, 0, 1]
        assert not data.masks[1].any()
        assert caplog.messages[0] == (
            "mine has the layout coco: smaller annotations over larger ones; what none covers is background."
        )
        assert "1 × not in the .json file (" in caplog.messages[1]
        assert caplog.messages[2] == "mine: 1 of 2 images has no annotation, and so only background."

    @pytest.mark.parametrize(
        ("annotations", "images"),
        [
            ("annotations/instances_{}2017.json", "{}2017/"),
            ("annotations/instances_{}.json", "images/{}/"),
            ("{}/_annotations.coco.json", "{}/"),
        ],
    )
    def test_files_of_subsets_are_the_split(self, made, annotations, images):
        files = {}
        for subset in ("train", "val"):
            files[annotations.format(subset)] = coco(["a.png"], [square(1, 0, 7, 2, 2, 4, 4)])
            files[images.format(subset) + "a.png"] = SIZE
        data = made(files).load()
        assert (list(data.names), data.split.to_json()) == (
            ["train/a.png", "validation/a.png"],
            {"train": [0], "validation": [1], "test": []},
        )

    def test_a_file_may_be_named_and_the_folder_of_its_images(self, made):
        folder = made({"x.json": coco(["s1/a.png"]), "photos/s1/a.png": SIZE})
        data = Folder(f"{folder.path}/x.json", images="photos").load()
        assert list(data.names) == ["s1/a.png"]
        with pytest.raises(RequestError, match="Its images are not in "):
            Folder(f"{folder.path}/x.json").load()

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ({"images": []}, "This is not a COCO file: it has no list of annotations."),
            (coco(["a.png"], [square(1, 5, 7, 0, 0, 1, 1)]), "Annotation 1 names an image or a category that is not"),
            (coco(["a.png"], [square(1, 0, 8, 0, 0, 1, 1)]), "Annotation 1 names an image or a category that is not"),
            (coco(["a.png"], categories=[(1, "x"), (1, "y")]), "Two categories have the same id or the same name."),
            (
                coco(["a.png"], categories=[("1", "x")]),
                "Each category needs an id, which is a whole number, and a name",
            ),
            (coco(["../a.png"]), "The file_name of image 0 is not a path below a folder."),
            (coco(["a.png", "a.png"]), "Two images have the same file_name."),
            (coco(["a.png", "b.png"]), "1 image of the .json file does not exist: b.png."),
            (
                coco(["a.png"], [square(1, 0, 7, 0, 0, 1, 1) | {"segmentation": []}]),
                "Annotation 1 of a.png cannot be drawn: it is neither a list of polygons nor run lengths.",
            ),
        ],
    )
    def test_what_is_wrong_is_refused(self, made, content, what):
        with pytest.raises(RequestError) as caught:
            made({"a.png": SIZE, "coco.json": content}).load()
        assert caught.value.what.startswith(what)


# --- names of a table


@pytest.mark.parametrize("layout", ["coco", "labelme"])
@pytest.mark.parametrize("names", [("first", "second"), ("b.png", "a.png")])
def test_a_table_that_gives_images_other_names_leaves_each_its_own_mask(made, layout, names, caplog):
    files: dict = {"a.png": SIZE, "b.png": SIZE}
    if layout == "coco":
        files["_annotations.coco.json"] = coco(["a.png", "b.png"], [square(1, 0, 7, 2, 2, 4, 4)])
    else:
        files |= {"a.json": labelme(box("rock", 2, 2, 3, 3)), "b.json": labelme()}
    folder = made(files)
    (Path(folder.path) / "items.csv").write_text(f"item,file\n{names[0]},a.png\n{names[1]},b.png\n")
    data = folder.load()
    assert tuple(data.names) == names
    assert [mask.any() for mask in data.masks] == [True, False]
    assert "Not read" not in caplog.text
