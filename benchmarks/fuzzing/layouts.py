"""Files of the layouts that people bring: tables of paths, label maps, and polygons of labelme and COCO."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzzing.kind import FileKind
from fuzzing.mutations import mutate_json
from fuzzing.texts import mutate_text
from marsseg_plugins.datasets.label_maps import find_class_file
from marsseg_plugins.datasets.layouts import coco, labelme, table
from marsseg_plugins.datasets.layouts.base import Found, Wanted

SIZE = (10, 12)
WANTED = Wanted(pixel_limit=1_000_000)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tables() -> list[bytes]:
    return [b"image,mask,split,group\na.png,b.png,train,s\nb.png,,test,\n", b'image;mask\n"a.png";b.png\n']


def cvat_maps() -> list[bytes]:
    return [b"# label:color_rgb:parts:actions\nsoil:1,2,3::\nrock:4,5,6:a,b:c\n"]


def json_maps() -> list[bytes]:
    maps: tuple[Any, ...] = ({"0": "soil", "1": "rock", "5": "void"}, {"soil": 0, "rock": 1}, ["soil", "rock"])
    return [json.dumps(each).encode() for each in maps]


def labelme_files() -> list[bytes]:
    points = [[1, 2], [5.5, 6], [3, 9]]
    kinds = ("polygon", "rectangle", "circle", "line", "linestrip", "point")
    counts = {"polygon": 3, "linestrip": 3, "point": 1}
    shapes: list[dict[str, Any]] = [
        {"label": kind, "points": points[: counts.get(kind, 2)], "shape_type": kind} for kind in kinds
    ]
    mask = base64.b64encode(png(np.eye(2, dtype=np.uint8))).decode()
    shapes.append({"label": "mask", "points": [[1, 2], [2, 3]], "shape_type": "mask", "mask": mask})
    return [json.dumps({"shapes": shapes, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}).encode()]


def coco_files() -> list[bytes]:
    segmentations: list[Any] = [
        [[1, 2, 5.5, 6, 3, 9]],
        {"size": [*SIZE], "counts": "e064011NO1O101M2Ob0"},
        {"size": [*SIZE], "counts": [100, 20]},
    ]
    content = {
        "images": [{"id": n, "file_name": f"{name}.png", "height": 10, "width": 12} for n, name in enumerate("ab")],
        "annotations": [
            {"id": n, "image_id": n % 2, "category_id": 1 + n % 2, "segmentation": segmentation, "iscrowd": 0}
            for n, segmentation in enumerate(segmentations)
        ],
        "categories": [{"id": 1, "name": "soil"}, {"id": 2, "name": "rock"}],
    }
    return [json.dumps(content).encode()]


def read_layout(find: Callable[[Path, Wanted], Found], *, whole_folder: bool = False) -> Callable[[Path], bool]:
    """Return a function that finds the pairs of a file, beside two images, and draws their masks."""

    def read(path: Path) -> bool:
        for name in ("a", "b"):
            if not (image := path.with_name(f"{name}.png")).exists():
                image.write_bytes(png(np.zeros(SIZE, np.uint8)))
        found = find(path.parent if whole_folder else path, WANTED)
        for item in found.items:
            if found.draw is not None:
                mask = found.draw(item.image, item.mask)
                assert (mask.ndim, mask.dtype) == (2, np.uint8), (mask.shape, mask.dtype)
        return True

    return read


def read_map(path: Path) -> bool:
    read, _ = find_class_file(path.parent)
    assert read is not None
    assert 0 < len(read.names) <= 255
    assert {*read.ids.values(), *read.palette.values()} <= {*range(len(read.names)), 255}
    return True


KINDS = [
    FileKind("table of paths", tables, mutate_text, read_layout(table.find), 60, "fuzzed_table/pairs.csv"),
    FileKind("labelmap.txt", cvat_maps, mutate_text, read_map, 60, "fuzzed_map/labelmap.txt"),
    FileKind("classes.json", json_maps, mutate_json, read_map, 60, "fuzzed_json/classes.json"),
    FileKind(
        "labelme", labelme_files, mutate_json, read_layout(labelme.find, whole_folder=True), 60, "fuzzed_labelme/a.json"
    ),
    FileKind("coco", coco_files, mutate_json, read_layout(coco.find), 60, "fuzzed_coco/coco.json"),
]
