"""Scores, figures, pages and inspections, by the number of classes and of scored images."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from growing.case import Case, doubled


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class_{number}" for number in range(count))


def confusion(classes: int, images: int, side: int = 64):
    """Return a function that makes a confusion matrix of random predictions, all metrics included."""
    from marsseg_core.evaluation.confusion import Confusion
    from marsseg_core.planning.metrics import metric_table

    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, (4, side, side), np.uint8)
    logits = rng.standard_normal((4, side, side, classes), np.float32)
    metrics = tuple(metric_table().resolved.values())

    def count():
        made = Confusion(names(classes), (0,), metrics)
        for _ in range(images // 4):
            made.update(truth, logits)
        return made

    return count


def updated(size: int, folder: Path) -> Callable[[], object]:
    return confusion(size, 16)


def by_images(size: int, folder: Path) -> Callable[[], object]:
    return confusion(5, size)


def written(size: int, folder: Path) -> Callable[[], object]:
    made = confusion(size, 4, 16)()
    return lambda: (made.to_json(), repr(made))


def drawn(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.figures.matrix import confusion_figure

    matrix = np.random.default_rng(0).integers(0, 1000, (size, size))
    return lambda: confusion_figure(matrix, names(size), io.BytesIO(), ignore_classes=(0,))


def curves(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.figures.curves import learning_curves

    rng = np.random.default_rng(0)
    columns = ["loss", "val_loss", "learning_rate", "val_miou", *(f"val_iou_{name}" for name in names(size))]
    history = [{"epoch": epoch + 1} | dict(zip(columns, rng.random(len(columns)), strict=True)) for epoch in range(20)]
    return lambda: learning_curves(history, io.BytesIO(), class_names=names(size), ignore_classes=(0,), best_epoch=3)


def inspected(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.data.arrays import SegmentationData
    from marsseg_core.data.inspection import inspect
    from marsseg_core.data.split_options import SplitOptions
    from marsseg_core.figures.inspection import inspection_page

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (500, 32, 32, 1), np.uint8)
    masks = rng.integers(0, size, (500, 32, 32), np.uint8)
    data = SegmentationData(images, masks, names(size), (0,), source="growth")
    return lambda: inspection_page(inspect(data, None, SplitOptions()), data, None)


CLASSES = "classes"

CASES = (
    Case("scoring 16 images, all metrics", CLASSES, (31, 63, 127, 254), updated),
    Case("scoring, all metrics", "images", doubled(512, 4), by_images),
    Case("the scores as JSON", CLASSES, (31, 63, 127, 254), written),
    Case("the figure of the confusion matrix", CLASSES, (16, 31, 63, 127, 254), drawn),
    Case("the learning curves", CLASSES, (31, 63, 127, 254), curves),
    Case("inspecting 500 images, with the page", CLASSES, (31, 63, 127, 254), inspected),
)
