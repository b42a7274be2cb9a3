"""Let the workers of an executor predict the blocks of a map. The map is that of one process, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Final

from ...components.interfaces import Executor
from ...components.tasks import ExecutorSpec, Task
from ...data.conversion import Seen
from ...errors import RunError
from ...planning.tasks import run_tasks
from .parts import BLOCK, Parts
from .prediction import NetworkImage
from .request import MapPrediction
from .task import predict_part

# So many tasks for each place: then the last ones to end wait little for each other.
_TASKS_PER_PLACE: Final = 4


def spread_blocks(
    prediction: MapPrediction,
    parts: Parts,
    executor: Executor,
    jobs: int,
    *,
    progress: Callable[[int], None],
) -> None:
    """Predict the blocks that are not there yet on workers, whose messages are in the folder of the blocks.

    A task that has lost its worker goes on with the blocks that are missing. `progress` is called with the number of
    rows that were predicted. Raises RequestError and RunError as `predict_blocks` does; Ctrl-C stops the workers, and
    is raised again.
    """
    raster, rows = prediction.raster, 0
    request = replace(prediction.request, pixels=tuple(prediction.predictor.pixels)).to_json()
    scaling = raster.converter.scaling and raster.converter.scaling.to_json()
    with executor.start(ExecutorSpec(parts.folder, jobs)) as workers:

        def task(blocks: range) -> Task:
            first, stop = parts.rows(blocks.start)[0], parts.rows(blocks.stop - 1)[1]
            name = f"rows {first:,} to {stop - 1:,}"
            words = {"request": request, "scaling": scaling, "folder": str(parts.folder)}
            part = {"first": blocks.start, "stop": blocks.stop}
            return Task(name, f"{predict_part.__module__}:{predict_part.__name__}", words | part)

        for result in run_tasks(workers, map(task, _pieces(prediction, parts, _TASKS_PER_PLACE * workers.places))):
            if result.error:
                raise RunError(result.error, where=result.task.name)
            raster.converter.seen.add(Seen(**result.value["seen"]))
            rows += parts.height(range(result.task.arguments["first"], result.task.arguments["stop"]))
            progress(rows)


def _pieces(prediction: MapPrediction, parts: Parts, count: int) -> Iterator[range]:
    """Cut the missing blocks into about `count` pieces, after those in which a row of tiles begins.

    Each piece also computes the row of tiles before its own: the fewer pieces, the less is computed twice.
    """
    missing = parts.missing()
    share = sum(map(len, missing)) / parts.count
    predictor = prediction.predictor
    image = NetworkImage(prediction.raster, predictor.channels)
    cuts = {ceil(rows.start / BLOCK) for rows in predictor.parts(image, ceil(count / share))} if missing else set()
    for run in missing:
        yield from (range(*ends) for ends in pairwise([run.start, *sorted(cuts & {*run[1:]}), run.stop]))
