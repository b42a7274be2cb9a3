"""What a worker does for a prediction: predict a part of the images, or a part of the rows of a large one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RequestError
from ..files.atomic import atomic_write
from ..networks.startup import start_keras
from .ensemble import with_channels
from .outputs import Outputs, labels_of, written
from .prediction import Finisher, blocks, finite, predicted
from .preparing import unchanged
from .request import Prediction, PredictionRequest


def predict_images(*, request: Mapping[str, Any], out: str, first: int, stop: int, all_sizes: bool) -> dict[str, Any]:
    """Predict the images from position `first` to `stop` − 1, which begin and end between two batches.

    Args:
        request: the values of a `PredictionRequest`, with `pixels`
        out: the folder of the outputs, which exists
        first: the position of the first image
        stop: the position after the last image
        all_sizes: whether images that do not fit into the networks are predicted, too

    Returns:
        The positions of the images that are `done`, of those that are too `large` (and not resized), and of those that
        are `unreadable` with the reason; a line on an image that was `converted`; and the `remarks` on the images that
        were read.

    Raises:
        RequestError: the runs or the images are not there
        RunError: the output of a network is not finite
    """
    prediction, finisher = _opened(json.dumps(request), out)
    unreadable: list[tuple[int, str]] = []
    converted: list[str] = []
    done: list[int] = []
    large: list[int] = []

    def note(position: int, error: RequestError) -> None:
        unreadable.append((position, str(error)))

    source, predictor = prediction.images, prediction.predictor
    for block in blocks(range(first, stop), predictor.batch):
        for position, image, row_strips in predicted(
            source, block, predictor, unreadable=note, converted=converted.append
        ):
            if not all_sizes and source.prepared is unchanged and not predictor.fits(image):
                large.append(position)
                continue
            finisher.finish(source.names[position], image, row_strips)
            done.append(position)
    remarks = [*source.afterwards()]
    return {"done": done, "large": large, "unreadable": unreadable, "converted": converted[:1], "remarks": remarks}


def predict_rows(
    *, request: Mapping[str, Any], out: str, position: int, part: int, parts: int, scratch: str
) -> dict[str, Any]:
    """Predict a part of the rows of an image that does not fit into the networks, into files in the folder `scratch`.

    Args:
        request: the values of a `PredictionRequest`, with `pixels`
        out: the folder of the outputs, which exists
        position: the position of the image
        part: the number of the part, from 0 on
        parts: the number of parts; a low image may have fewer
        scratch: a folder for the results, as `part_file` names them
    """
    prediction, finisher = _opened(json.dumps(request), out)
    source, predictor = prediction.images, prediction.predictor
    image = with_channels(source.read(position), predictor.channels)
    rows = predictor.parts(image, parts)
    if part < len(rows):
        strips = finite(predictor.predict_rows(image, rows[part]), source.names[position])
        if prediction.request.probabilities:
            size = len(rows[part]), image.shape[1]
            strips = written(strips, part_file(scratch, position, part, "values"), size)
        labels = labels_of(map(finisher.decoding.of_probabilities, strips), finisher.ignore_classes)
        file = part_file(scratch, position, part, "labels")
        with atomic_write(file) as temporary, temporary.open("wb") as opened:
            np.save(opened, labels, allow_pickle=False)
    return {"parts": len(rows), "remarks": [*source.afterwards()]}


def part_file(scratch: str | Path, position: int, part: int, what: str) -> Path:
    """Return the file of a part of an image: its "labels" or its "values"."""
    return Path(scratch) / f"{what}-{position}-{part}.npy"


@lru_cache(maxsize=1)
def _opened(request: str, out: str) -> tuple[Prediction, Finisher]:
    """Open a prediction once for all tasks of this process."""
    start_keras()
    prediction = Prediction(PredictionRequest.of_json(json.loads(request)))
    wanted = prediction.request
    outputs = Outputs(
        Path(out), prediction.classes, overlays=wanted.overlay, probabilities=wanted.probabilities, created=True
    )
    return prediction, Finisher(prediction.ignore_classes, prediction.decoding, outputs)
