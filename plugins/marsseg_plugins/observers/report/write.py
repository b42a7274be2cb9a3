"""Draw the figures of a run and write its report page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from marsseg_core.plugin_api import (
    HEADLINE,
    Run,
    compiled,
    cost_of,
    counted,
    curves,
    decode,
    matrix,
    predicted_batches,
    read_text,
    scale,
)

from .page import PageFigure, render_page
from .sheet import Tile, choose_tiles, tile_sheet


def write_report(run: Run) -> None:
    """Draw the learning curves, the confusion matrix and a sheet of tiles; then write the page.

    The matrix and the tiles are of the best network, on the test subset. For an interrupted run they are on the
    validation subset.
    """
    folder, names, ignore_classes = run.folder, run.data.class_names, run.data.ignore_classes
    own_colours = run.data.class_colours
    subset = list(run.scores)[-1]
    confusion = run.scores[subset]
    draw = partial(
        curves.learning_curves,
        run.history,
        class_names=names,
        ignore_classes=ignore_classes,
        own_colours=own_colours,
        best_epoch=run.best_epoch,
        best_by=run.best_by,
    )
    figures = [
        PageFigure(
            "Learning curves",
            "Losses and their weights, validation scores and learning rate in each epoch.",
            folder.write_figure("learning_curves", lambda target: draw(target)),
        ),
        PageFigure(
            "Confusion matrix",
            f"The predicted classes of the labelled pixels of each class, in the {subset} subset.",
            folder.write_figure(
                "confusion_matrix",
                lambda target: matrix.confusion_figure(
                    confusion.restricted, names, target, ignore_classes=ignore_classes, own_colours=own_colours
                ),
            ),
            wide=False,
        ),
    ]
    if tiles := _tiles(run, subset):
        figures.append(
            PageFigure(
                "Tiles",
                f"Typical and worst tiles of the {subset} subset.",
                folder.write_figure(
                    "tiles",
                    lambda target: tile_sheet(
                        tiles, names, target, ignore_classes=ignore_classes, own_colours=own_colours
                    ),
                ),
            )
        )
    environment = folder.read_json(folder.environment)
    page = render_page(
        title=folder.path.name,
        metrics=run.metrics,
        class_names=names,
        ignore_classes=ignore_classes,
        own_colours=own_colours,
        figures=figures,
        plan=read_text(folder.plan),
        environment=environment,
        header=_header(run, environment),
        table=run.plan.metrics,
        decoding=run.decoding.describe(names),
    )
    folder.write_text(folder.report, page)


def _header(run: Run, environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the scores depend on: names and values to show beside them."""
    cost, seconds = cost_of(run.network), sum(row.get("seconds") or 0 for row in run.history)
    versions = environment.get("versions", {})
    shown = [name for name in ("marsseg", "keras", environment.get("backend")) if name in versions]
    return [
        ("plan", run.plan.summary),
        ("network", f"{cost.parameters:,} parameters, {cost.multiply_accumulates:,} multiply-accumulates for an image"),
        ("data", f"{run.data.source}: {run.data.summary}"),
        ("split", run.split_summary),
        ("time", f"{seconds:,.0f} s in {counted(len(run.history), 'epoch')}"),
        ("machine", f"{environment.get('processors')} processors; {', '.join(environment.get('devices', []))}"),
        ("versions", ", ".join(f"{name} {versions[name]}" for name in shown)),
    ]


def _tiles(run: Run, subset: str) -> list[Tile]:
    scores = np.asarray(run.scores[subset].per_image)
    wrong = run.scores[subset].wrong_per_image
    typical, worst = choose_tiles(scores, wrong)
    items = run.split[subset]
    chosen = [(index, "typical") for index in typical] + [(index, "worst") for index in worst]
    tiles = []
    outputs = _logits(run, items[[index for index, _ in chosen]], most=len(items))
    for (index, kind), logits in zip(chosen, outputs, strict=True):
        item = items[index]
        title = f"{kind}: {run.data.title(item)}, {HEADLINE} {scores[index]:.2f}"
        prediction = decode(run.decoding.of_logits(logits), run.data.ignore_classes)
        tiles.append(Tile(title, run.data.images[item], run.data.masks[item], prediction))
    return tiles


def _logits(run: Run, items: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield the logits (H, W, K) of items of a subset of `most` items, as they were scored."""
    training = run.plan.training
    if training.tta:
        for _, logits in predicted_batches(run.network, run.data, items, training.batch, tta=True):
            yield from logits
        return
    # Batches of the size with which the subset was scored: the network would be compiled again for another one.
    batch, network = min(training.batch, most), compiled(run.network)
    for start in range(0, len(items), batch):
        group = items[start : start + batch]
        images = np.zeros((batch, *run.data.images.shape[1:]), np.float32)
        images[: len(group)] = scale(run.data.images[group])
        yield from network.logits(images)[: len(group)]
