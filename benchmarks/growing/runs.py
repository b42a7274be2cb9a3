"""Comparisons by the number of runs, series by their members, and what a run writes by its epochs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from growing.case import Case, doubled

CLASSES = ("background", "soil", "bedrock", "sand", "big_rock")
PER_CLASS = dict.fromkeys(CLASSES[1:], 0.25)


def scores(number: int) -> dict[str, object]:
    value = 0.5 + (number % 97) / 1000
    fixed = {"miou_an2dl": 0.4, "miou_all": 0.3, "miou_per_image": 0.45, "accuracy": 0.75, "dice": 0.5}
    per_class = {"iou": PER_CLASS, "support": dict.fromkeys(PER_CLASS, 40), "confusion": [[3] * 5] * 5}
    return {"images": 3, "miou": value} | fixed | per_class | {"per_class": {"dice": PER_CLASS}}


def write_runs(folder: Path, count: int, *, plans: int, items: int = 100) -> Path:
    """Write finished runs of some plans, each with several seeds, all on the same items with names."""
    from marsseg_core import api
    from marsseg_core.files.run_folder import RunFolder

    text = api.plan(arch="unet:width=0.125", data="synthetic:count=8", seed=123456, epochs=654321).to_toml()
    order = list(range(items))
    subsets = {"train": order[: items // 2], "validation": order[items // 2 : items * 3 // 4]}
    subsets |= {"test": order[items * 3 // 4 :]}
    split = {"schema": 1, "fingerprint": "0" * 32, "source": "growth", "classes": CLASSES, "ignored": [0]}
    split |= {"scaling": None, "names": [f"site/{item}.png" for item in order], **subsets}
    parent = folder / "runs"
    for number in range(count):
        run = RunFolder(parent / f"run-{number}")
        run.path.mkdir(parents=True)
        seed, epochs = number // plans, 1 + number % plans
        # Plain files: a run's own way syncs each of them to the disk, which takes minutes for a thousand runs.
        run.plan.write_text(text.replace("123456", str(seed)).replace("654321", str(epochs)))
        run.split.write_text(json.dumps(split))
        content: dict[str, object] = {
            "schema": 2,
            "status": "finished",
            "epochs": 2,
            "best_epoch": 1,
            "best_by": "val_miou",
        }
        content |= {"subsets": {"validation": scores(number), "test": scores(number)}}
        run.metrics.write_text(json.dumps(content))
    return parent


def compared(plans: Callable[[int], int], *words: str, items: int = 100) -> Callable[[int, Path], Callable[[], object]]:
    """Return what writes runs, and then compares them by the command."""

    def prepare(size: int, folder: Path) -> Callable[[], object]:
        from marsseg_core.cli.main import app

        runs = write_runs(folder, size, plans=plans(size), items=items)
        files = [word.replace("FOLDER", str(folder)) for word in words]
        return lambda: app(["compare", str(runs), *files], standalone_mode=False)

    return prepare


def by_items(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core import api

    runs = write_runs(folder, 50, plans=10, items=size)
    return lambda: api.compare(str(runs))


def series(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.experiments.series import Series, write_summary

    names = tuple(f"seed-{seed}" for seed in range(size))
    made = Series("seeds", folder, names)
    for number, name in enumerate(names):
        made.metrics[name] = {"status": "finished", "subsets": {"validation": scores(number), "test": scores(number)}}
    return lambda: write_summary(made)


def history_rows(count: int) -> list[dict[str, float | None]]:
    rng = np.random.default_rng(0)
    columns = ["loss", "val_loss", "learning_rate", "val_miou", *(f"val_iou_{name}" for name in PER_CLASS)]
    values = rng.random((count, len(columns))).tolist()
    return [{"epoch": epoch + 1} | dict(zip(columns, row, strict=True)) for epoch, row in enumerate(values)]


def history(size: int, folder: Path) -> Callable[[], object]:
    """Return what writes the history and the log as a training does: after each epoch."""
    from marsseg_core.files.run_folder import RunFolder

    run, rows = RunFolder(folder), history_rows(size)

    def write() -> None:
        written = []
        for row in rows:
            written.append(row)
            run.write_history(written)
            run.log("epoch " + " ".join(f"{name}={value:.5g}" for name, value in row.items()))

    return write


def checkpoints(size: int, folder: Path) -> Callable[[], object]:
    """Return what writes 100 checkpoints, without variables, late in a training."""
    from types import SimpleNamespace

    from marsseg_core.files.run_folder import RunFolder
    from marsseg_core.networks.startup import start_keras

    start_keras()
    from marsseg_core.training.checkpoint import TrainingProgress
    from marsseg_core.training.checkpointer import FileCheckpointer

    rows, checkpointer = history_rows(size + 100), FileCheckpointer(RunFolder(folder))
    task = SimpleNamespace(variables=[], optimizer=SimpleNamespace(variables=[]))

    def write(ends: Iterable[int]) -> None:
        for end in ends:
            checkpointer.save(task, TrainingProgress(end, rows[:end], 1, 0.5, {}))

    write([size])
    return lambda: write(range(size + 1, size + 101))


def curves(size: int, folder: Path) -> Callable[[], object]:
    from marsseg_core.figures.curves import learning_curves

    rows = history_rows(size)
    return lambda: learning_curves(rows, io.BytesIO(), class_names=CLASSES, ignore_classes=(0,), best_epoch=3)


RUNS = "runs"

CASES = (
    Case("`compare`, one plan", RUNS, doubled(1000, 4), compared(lambda n: 1)),
    Case("`compare`, ten runs of each plan", RUNS, doubled(1000, 4), compared(lambda n: max(n // 10, 1))),
    Case("`compare`, one run of each plan", RUNS, doubled(1000, 4), compared(lambda n: n)),
    Case("`compare --json`", RUNS, doubled(1000, 4), compared(lambda n: n, "--json")),
    Case("`compare --csv`", RUNS, doubled(1000, 4), compared(lambda n: n, "--csv", "FOLDER/table.csv")),
    Case("`compare --figure`", RUNS, doubled(1000, 4), compared(lambda n: n, "--figure", "FOLDER/figure.png")),
    Case("comparing 50 runs", "items of their data", doubled(8_000, 4), by_items),
    Case("the summary of a series", RUNS, doubled(1000, 4), series),
    Case("history and log, a line after each epoch", "epochs", doubled(10_000, 4), history),
    Case("100 checkpoints without weights", "epochs before", doubled(10_000, 4), checkpoints),
    Case("the learning curves", "epochs", doubled(16_000, 4), curves),
)
