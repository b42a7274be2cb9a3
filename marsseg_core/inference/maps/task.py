"""What a worker does for a map: predict some of its blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...data.conversion import Converter
from ...data.scaling import Scaling
from ...networks.startup import start_keras
from .parts import Parts, check_request, recorded
from .prediction import predict_blocks
from .request import MapPrediction, MapRequest


def predict_part(
    *, request: Mapping[str, Any], scaling: Mapping[str, Any] | None, folder: str, first: int, stop: int
) -> dict[str, Any]:
    """Predict the blocks from number `first` to `stop` − 1 that are not there yet, into the folder of the map's blocks.

    Args:
        request: the values of a `MapRequest`, with `pixels`
        scaling: how the values of the image become 0 to 255, as a dictionary
        folder: the folder of the blocks, which another process has opened for the same request
        first: the number of the first block
        stop: the number after that of the last one

    Returns:
        What was `seen` of the values of the image.

    Raises:
        RequestError: the runs or the image are not there, or are others than those of the folder
        RunError: the output of a network is not finite
    """
    blocks = Path(folder)
    prediction = _opened(json.dumps(request), json.dumps(scaling), blocks, recorded(blocks))
    raster = prediction.raster
    raster.converter = Converter(raster.converter.scaling)  # so that it has seen nothing yet
    predict_blocks(prediction, Parts(blocks, prediction.size), range(first, stop))
    return {"seen": asdict(raster.converter.seen)}


@lru_cache(maxsize=1)
def _opened(request: str, scaling: str, folder: Path, record: str) -> MapPrediction:
    """Open a prediction once for all tasks of this process that are for the same blocks."""
    start_keras()
    prediction = MapPrediction(MapRequest.of_json(json.loads(request)))
    prediction.raster.converter = Converter(Scaling.from_json(json.loads(scaling)))
    check_request(folder, record, prediction.record())
    return prediction
