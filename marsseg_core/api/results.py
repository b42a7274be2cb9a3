"""Use networks that are trained: load, predict, score and compare them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..conventions import HEADLINE
from ..errors import RequestError
from ..experiments.comparison import Comparison, compare_runs
from ..files.run_folder import RunFolder
from ..messages import get_logger
from ..networks.startup import check_backend, start_keras
from ..planning.arguments import flag_of, path_of, text_of, texts_of
from ..planning.python_components import given_components
from ..registry import kinds
from ..registry.session import open_session
from ..runs.transductive import transductive_sentence
from .callers import told_in_python

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ..data.ranges import Range
    from ..evaluation.confusion import Confusion
    from ..planning.run_arguments import AnyPath, Data

_logger = get_logger(__name__)


@told_in_python()
def load(path: AnyPath, *, trust: bool = False) -> keras.Model:
    """Load the best network of a run.

    The file is read in Keras' safe mode. Only the plugins of the architecture and the bottlenecks must be installed.
    Logs a warning if an installed version differs from the plan's, if the run was trained on another backend, or if the
    network file has changed since the run wrote it.

    For large images, call `network.predict(images, batch_size=1)`, or `marsseg.predict`, which cuts them into tiles.
    `network(images)` keeps all feature maps until it returns, which takes several times the memory.

    Args:
        path: The run folder, a run, or the file of a pack with one run.
        trust: Execute the plugin files that are stored with the run.

    Returns:
        The network, which maps images (B, H, W, C) with values in [0, 1] to logits (B, H, W, num_classes).

    Raises:
        RequestError: The folder is no run folder, has no network, or needs `trust`.
        PluginError: A plugin of the network cannot be loaded.

    Example:
        ```python
        network = marsseg.load("runs/dense")
        ```
    """
    from ..networks.load import load as load_run

    return load_run(path_of(path, "path"), open_session(trust=flag_of(trust, "trust")))


@told_in_python()
def predict(
    runs: AnyPath | Sequence[AnyPath],
    images: Iterable[np.ndarray],
    *,
    tta: bool | Literal["run"] = "run",
    with_ignored: bool = False,
    probabilities: bool = False,
    range: str | None = None,
    decoding: str = "run",
    engine: str = "keras",
    trust: bool = False,
) -> Iterator[np.ndarray]:
    """Predict the class of each pixel of images, with one run or the mean of several runs.

    Images of any size are accepted; large images are cut into overlapping tiles. Images are uint8, or have the number
    type that the run was trained on, and are then scaled as its training data were. For other types, pass `range`.

    Images are read, and errors in them raised, one at a time, as the iterator reaches them. After the last image, a
    warning is logged if values were outside the range, or used only a small part of it.

    Args:
        runs: A run folder, run or pack, or a list of them. The probabilities of several runs are averaged.
        images: Arrays (H, W) or (H, W, C).
        tta: Test-time augmentation: average over each image and its flipped copies. "run" does what the plan of the run
            says.
        with_ignored: Allow ignored classes, such as the background, as predictions.
        probabilities: Yield probabilities (H, W, K) float32 instead of labels, K the number of classes.
        range: The values of black and white: "0..1", "0..4095", or "bits" for the whole range of 16 bits. None uses the
            scaling of the run.
        decoding: "run" adds the offsets that runs with `decoding="offsets"` have chosen, for several runs their mean;
            "argmax" adds none. Probabilities are always without offsets.
        engine: What computes the predictions: "keras", or one of "onnxruntime", "openvino" and "litert", which need the
            extra `onnx`, `openvino` or `litert`. The form of the network that it needs is made once, compared with the
            network, and kept in the run folder. "openvino:precision=bfloat16" computes in another precision than
            float32; what that costs is measured on the data of the run.
        trust: Execute the plugin files that are stored with the runs.

    Returns:
        An iterator over the labels (H, W) uint8 of each image, in order.

    Raises:
        RequestError: An argument is wrong, or the runs do not fit together. For an image: its values are not finite,
            their range is not known, or its shape is not that of an image.
        PluginError: A plugin of a network cannot be loaded.
        RunError: The output of a network is not finite. The message has the number of the image, counted from 0.

    Example:
        ```python
        labels = list(marsseg.predict(["runs/one", "runs/two"], images, tta=True))
        ```
    """
    check_backend()
    from ..evaluation.confusion import check_finite, decode
    from ..export.exporters import find_engine
    from ..inference.ensemble import load_networks, open_runs, scaling_of, with_channels
    from ..inference.given_images import GivenImages, images_of
    from ..runs.decoding import decoding_of, uses_tta

    chosen_range = None if range is None else _range(range)
    flips, session = _flips(tta), open_session(trust=flag_of(trust, "trust"))
    with_ignored, probabilities = flag_of(with_ignored, "with_ignored"), flag_of(probabilities, "probabilities")
    paths = [runs] if isinstance(runs, str | os.PathLike) else runs
    if not isinstance(paths, Sequence) or not paths:
        raise RequestError("A run folder is needed, or a list of them.", where="runs", hint="Pass 'runs/…' or a run.")
    arrays = images_of(images)
    folders, classes = open_runs([path_of(path, "runs") for path in paths])
    scaled_images = GivenImages(chosen_range, scaling_of(folders))
    ignore_classes = () if with_ignored else classes.ignore_classes
    decoded = decoding_of(folders, text_of(decoding, "decoding"))
    labels_only = not probabilities and not decoded.offsets
    runtime = find_engine(text_of(engine, "engine"), session.catalog)
    start_keras()
    from ..networks.predictor import Predictor

    networks = load_networks(folders, session, runtime)
    predictor = Predictor(networks, tta=uses_tta(folders, flips), labels_only=labels_only)
    outputs = predictor.probabilities(with_channels(image, predictor.channels) for image in scaled_images(arrays))

    def predicted() -> Iterator[np.ndarray]:
        for number, output in enumerate(outputs):
            check_finite(output, f"image {number}")
            yield output if probabilities else decode(decoded.of_probabilities(output), ignore_classes)
        for line in scaled_images.doubts():
            _logger.warning(line)

    return predicted()


@told_in_python()
def evaluate(
    run: AnyPath | Sequence[AnyPath],
    data: AnyPath | Data | None = None,
    *,
    subset: str | None = None,
    metrics: str | None = None,
    tta: bool | Literal["run"] = "run",
    decoding: str = "run",
    engine: str = "keras",
    trust: bool = False,
) -> Confusion:
    """Score the best network of a run, or an ensemble of several runs, on one of their subsets, or on other data.

    Args:
        run: The run folder, a run, or the file of a pack with one run. A list of runs, or of series and packs, is an
            ensemble, which predicts the mean of their probabilities.
        data: Other data, as for `run`. Data that were passed to the run as Python objects must be passed again to score
            one of their subsets: `evaluate(run, data, subset="test")`. None reads the data that the plan names.
        subset: "train", "validation", "test" or "all". None is the test subset, or all items where `data` is passed.
        metrics: Further metrics to compute: "boundary_iou,boundary_f:tolerance=2". Read them with
            `.value("boundary_iou")`.
        tta: Test-time augmentation: average over each image and its flipped copies. "run" does what the plan of the
            run, or of one of the runs, says.
        decoding: "run" adds the offsets that a run with `decoding="offsets"` has chosen; "argmax" adds none.
        engine: What computes the predictions, as for `predict`.
        trust: Execute the plugin files that are stored with the run.

    Returns:
        The confusion matrix, with all scores as its attributes.

    Raises:
        RequestError: An argument is wrong, the data have changed since the run, have other classes, the run needs
            `trust`, or the runs of an ensemble do not have the same subset.
        PluginError: A component cannot be loaded, or fails.
        RunError: The output of the network is not finite.

    Example:
        ```python
        confusion = marsseg.evaluate("runs/dense", "tiles.npz", metrics="boundary_iou")
        print(confusion.miou, confusion.value("boundary_iou"))
        ```
    """
    check_backend()
    from ..export.exporters import find_engine
    from ..inference.ensemble import open_runs
    from ..inference.image_sources import ALL, checked_subset
    from ..inference.scored_together import check_scored_together
    from ..planning.metrics import MetricTable
    from ..runs.data import check_data
    from ..runs.decoding import check_choice

    if isinstance(run, str | os.PathLike) or not isinstance(run, Sequence):
        folders = [RunFolder.open(path_of(run, "run"))]
    elif run:
        folders, _ = open_runs([path_of(each, "run") for each in run])
    else:
        raise RequestError("A run folder is needed, or a list of them.", where="run", hint="Pass 'runs/…' or a run.")
    source = None if data is None else given_components(kinds.DATASET, data)
    subset = checked_subset(text_of(subset, "subset") if subset is not None else ALL if source else "test")
    further_metrics = None if metrics is None else text_of(metrics, "metrics")
    flips, session = _flips(tta), open_session(trust=flag_of(trust, "trust"))
    check_choice(text_of(decoding, "decoding"))
    runtime = find_engine(text_of(engine, "engine"), session.catalog)
    if further_metrics is not None:
        MetricTable({}).asking(further_metrics, session.catalog, where=f"--metrics {further_metrics}")
    if isinstance(source, str):
        check_data(source, folders[0], session, planned=subset != ALL)
    if ensemble := len(folders) > 1:
        check_scored_together(folders, None if source and subset == ALL else subset)
    start_keras()
    from ..inference.scoring import score_runs

    (score,) = score_runs(
        folders,
        [source],
        subset,
        session,
        metrics=further_metrics,
        tta=flips,
        decoding=decoding,
        engine=runtime,
        alone=not ensemble,
        ensemble=ensemble,
    )
    if score.transductive:
        _logger.warning(transductive_sentence(score.run))
    return score.confusion


@told_in_python()
def compare(
    *runs: AnyPath | Sequence[AnyPath], by: str = HEADLINE, subset: str = "test", also: Sequence[str] = ()
) -> Comparison:
    """Compare runs: group them by plan, rank the groups, and find the differences to the best group.

    Runs whose plans differ only in seed and fold form one group.

    Args:
        *runs: Runs, series, run folders, packs, or folders that contain runs and series; one by one, or as a list.
        by: The metric to rank by, such as "miou", "accuracy" or "iou_soil".
        subset: The subset whose scores are compared: "test" or "validation".
        also: More scores that tables show, such as "accuracy"; "classes" means the IoU of each class.

    Returns:
        The ranked groups, the settings in which their plans differ, and the paired differences to the best group.

    Raises:
        RequestError: There is no run to compare, or no such metric or subset.

    Example:
        ```python
        comparison = marsseg.compare("seeds-wssce", "seeds-dice", by="accuracy")
        print(comparison.groups[0].spread)
        ```
    """
    given = [each for run in runs for each in (run if isinstance(run, list | tuple) else [run])]
    if not given:
        raise RequestError(
            "There is nothing to compare.", where="compare", hint="Pass run folders, or folders of runs."
        )
    paths = [path_of(path, "runs") for path in given]
    return compare_runs(paths, by=text_of(by, "by"), subset=text_of(subset, "subset"), also=texts_of(also, "also"))


def _flips(tta: Any) -> bool | None:
    """Return whether test-time augmentation is requested; None: as the run's plan says."""
    return None if isinstance(tta, str) and tta == "run" else flag_of(tta, "tta")


def _range(value: Any) -> Range:
    from ..data.ranges import parse_range

    if not isinstance(value, str):
        hint = "Pass a string such as '0..4095', '0..1' or 'bits'."
        raise RequestError(f"range must be a string, not {type(value).__name__}.", where="range", hint=hint)
    return parse_range(value, "range")
