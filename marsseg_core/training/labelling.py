"""Let a semi-supervised method label its images, and store the labels in the run folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from zipfile import ZipFile

import keras
import numpy as np

from ..components.finished_runs import UsesRuns
from ..components.semi_specs import LabellingSpec
from ..conventions import VOID
from ..data.arrays import SegmentationData
from ..data.split import Split
from ..errors import PluginError, RequestError
from ..evaluation.confusion import check_finite
from ..files.documents import decoding
from ..files.npy import read_npy_member
from ..files.regular import open_regular
from ..files.run_folder import RunFolder
from ..files.waiting import waiting
from ..messages import get_logger
from ..networks.frozen import check_network_hash
from ..networks.load import load
from ..networks.predictor import Predictor
from ..planning.invoke import call_component
from ..planning.plan import Plan
from ..registry import kinds
from ..runs.unlabelled import Unlabelled
from .finished_runs import check_runs

_logger = get_logger(__name__)


@waiting("Labelling the images without labels")
def label_images(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    unlabelled: Unlabelled | None,
    network: keras.Model | None = None,
    number: int = 1,
) -> np.ndarray | None:
    """Return the labels that the plan's method makes; None if it makes none.

    They are (M, H, W) uint8 of class ids and void, or (M, H, W, K) uint8 of probabilities × 255. `data` and `split` are
    the images with labels of the run. `number` is that of the round, and `network` is the one that is trained, which
    labels in rounds after the first.
    """
    if unlabelled is None:
        return None
    resolved = plan.resolved[kinds.METHOD][0]
    ignore_classes = () if plan.training.learn_ignored else data.ignore_classes
    predict = partial(_predict, plan, data, split, unlabelled, network)
    spec = LabellingSpec(unlabelled.images, data.num_classes, ignore_classes, predict, number)
    labels: np.ndarray | None = call_component(resolved, resolved.component.label, spec)
    if labels is None:
        return None
    if not isinstance(labels, np.ndarray):
        raise PluginError(
            f"The {resolved.entry.label} labels images with a {type(labels).__name__}, not a NumPy array.",
            where=repr(resolved.component),
        )
    if fault := _fault(labels, unlabelled, data.num_classes):
        raise PluginError(f"The {resolved.entry.label} makes labels that cannot be used: {fault}.")
    return labels


def _fault(labels: np.ndarray, unlabelled: Unlabelled, num_classes: int) -> str:
    """Return why an array cannot be the labels of the images; empty if it can."""
    shape = unlabelled.images.shape[:3]
    if labels.dtype != np.uint8 or labels.shape not in (shape, (*shape, num_classes)):
        return f"they are {labels.dtype} {labels.shape}, not uint8 {shape} or {(*shape, num_classes)}"
    if labels.ndim == 3 and len(unknown := labels[(labels >= num_classes) & (labels != VOID)]):
        return f"{unknown[0]} is not a class"
    return ""


def any_label(labels: np.ndarray) -> bool:
    """Return whether any pixel has a label, of those that `label_images` returns."""
    return bool((labels != VOID).any() if labels.ndim == 3 else labels.any())


def store_labels(folder: RunFolder, labels: np.ndarray) -> None:
    """Write the labels into the run folder, whose manifest gets the hash of their file."""
    with folder.written(folder.labels) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, labels=labels)


def stored_labels(folder: RunFolder, unlabelled: Unlabelled, num_classes: int) -> np.ndarray | None:
    """Return the labels of the images in a run folder; None if it has none.

    Raises RequestError where the file cannot be read, or does not have labels of these images.
    """
    if not folder.labels.is_file():
        return None
    remedy = "Restore the file from a copy, or train again."
    with (
        decoding("The labels of the images without labels cannot be read", folder.labels, remedy),
        open_regular(folder.labels) as file,
        ZipFile(file) as archive,
    ):
        labels = read_npy_member(archive, "labels", limit=math.prod(unlabelled.images.shape[:3]) * num_classes)
        if fault := _fault(labels, unlabelled, num_classes):
            raise ValueError(fault)
    return labels


def labels_to_resume(
    folder: RunFolder, plan: Plan, data: SegmentationData, split: Split, unlabelled: Unlabelled | None
) -> np.ndarray | None:
    """Return the labels of a run that goes on; make them if it was killed before it had stored the first ones.

    Raises RequestError if the run had stored them and the file is gone: those of a later round cannot be made again.
    """
    if unlabelled is None:
        return None
    labels = stored_labels(folder, unlabelled, data.num_classes)
    if labels is not None:
        return labels
    began = folder.environment.is_file()  # it is recorded after the first labels are stored
    gone = RequestError(
        "The labels of the images without labels are gone.",
        where=str(folder.labels),
        hint="Restore the file from a copy, or train again.",
    )
    # The manifest tells it before minutes are spent on labelling. It may be missing, too.
    if began and folder.lost(folder.labels):
        raise gone
    labels = label_images(plan, data, split, unlabelled)
    if began and labels is not None:
        raise gone
    return labels


def _predict(
    plan: Plan,
    data: SegmentationData,
    split: Split,
    unlabelled: Unlabelled,
    network: keras.Model | None,
    runs: Sequence[str] | None,
    flips: bool,
) -> Iterator[np.ndarray]:
    """Yield the mean probabilities of runs, or of `network`, for each image, (H, W, K) float32, all finite."""
    batch = plan.training.batch
    if runs is None:
        if network is None:
            raise PluginError("The network is not trained yet, so it cannot label images in the first round.")
        return _finite(Predictor([network], tta=flips, batch=batch).probabilities(unlabelled.images))
    check_runs(plan, data, split, [kinds.METHOD])
    component = plan.resolved[kinds.METHOD][0].component
    folders = [RunFolder.open(run) for run in runs]
    for folder in folders:
        if set(folder.classes()[1]) != set(data.ignore_classes):
            raise RequestError(
                "The run that makes labels does not ignore the same classes as the data.",
                where=str(folder.path),
                hint="Labels must come from a run with the same ignored classes.",
            )
        if isinstance(component, UsesRuns):
            check_network_hash(component, str(folder.path))
        _logger.info(f"Images without labels are labelled by {folder.path}, network {folder.network_hash()[:12]}.")
    networks = [load(folder.path, plan.session) for folder in folders]
    for folder, loaded in zip(folders, networks, strict=True):
        if loaded.input_shape[-1] != data.images.shape[-1]:
            raise RequestError(
                f"The run takes images with {loaded.input_shape[-1]} channels, these have {data.images.shape[-1]}.",
                where=str(folder.path),
                hint="Use a run with as many channels, or images like those that it was trained with.",
            )
    return _finite(Predictor(networks, tta=flips, batch=batch).probabilities(unlabelled.images))


def _finite(probabilities: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the probabilities of each image. Raises RunError where they are not finite: NaN must become no label."""
    for number, each in enumerate(probabilities):
        check_finite(each, f"image {number} without labels")
        yield each
