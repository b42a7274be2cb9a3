"""Read and check a JSON file of COCO: images, categories, and the annotations of each image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from marsseg_core.plugin_api import refuse_file

from .json_file import read_json

_MAX_BYTES: Final = 2**31


@dataclass(frozen=True)
class CocoImage:
    """Hold what a file says of an image: the path of its file, its size (H, W), and its annotations."""

    file_name: str
    size: tuple[int, int]
    annotations: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class CocoFile:
    """Hold the images of a file, and the names of the categories in the order of their ids."""

    path: Path
    images: Sequence[CocoImage]
    names: Mapping[int, str]


def read_coco(path: Path, pixel_limit: int) -> CocoFile:
    """Read a file of annotations. Raises RequestError if it is not as COCO's are."""
    content = read_json(path, _MAX_BYTES)
    pictures, annotations, categories = (
        _entries(path, content, key) for key in ("images", "annotations", "categories")
    )
    names = _names(path, categories)
    by_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    known = {_whole(picture, "id") for picture in pictures}
    if -1 in known or len(known) < len(pictures):
        refuse_file(path, "Each image needs an id of its own, which is a whole number.")
    for annotation in annotations:
        if _whole(annotation, "image_id") not in known or _whole(annotation, "category_id") not in names:
            number = annotation.get("id")
            refuse_file(path, f"Annotation {number} names an image or a category that is not in the file.")
        by_image[annotation["image_id"]].append(annotation)
    images = [_image(path, picture, by_image[picture["id"]], pixel_limit) for picture in pictures]
    if len({image.file_name for image in images}) < len(images):
        refuse_file(path, "Two images have the same file_name.")
    return CocoFile(path, images, names)


def _entries(path: Path, content: Any, key: str) -> list[Mapping[str, Any]]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        refuse_file(path, f"This is not a COCO file: it has no list of {key}.")
    return entries


def _names(path: Path, categories: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for category in categories:
        number, name = _whole(category, "id"), category.get("name")
        if number < 0 or not isinstance(name, str) or not name:
            refuse_file(path, "Each category needs an id, which is a whole number, and a name.")
        names[number] = name
    if len(set(names.values())) < len(categories):
        refuse_file(path, "Two categories have the same id or the same name.")
    return {number: names[number] for number in sorted(names)}


def _image(
    path: Path, picture: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], pixel_limit: int
) -> CocoImage:
    name, height, width = picture.get("file_name"), _whole(picture, "height"), _whole(picture, "width")
    if not isinstance(name, str) or not name or Path(name).is_absolute() or ".." in Path(name).parts:
        refuse_file(path, f"The file_name of image {picture['id']} is not a path below a folder.")
    if min(height, width) < 1 or height * width > pixel_limit:
        refuse_file(path, f"{name} has no height and width, or more pixels than the limit of {pixel_limit:,}.")
    return CocoImage(name, (height, width), annotations)


def _whole(entry: Mapping[str, Any], key: str) -> int:
    """Return a whole number of an entry; -1 if it has none."""
    value = entry.get(key)
    return value if type(value) is int and value >= 0 else -1
