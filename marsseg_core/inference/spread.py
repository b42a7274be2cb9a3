"""Let the workers of an executor predict images. The result is that of one process, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..components.interfaces import Executor
from ..components.tasks import ExecutorSpec, Task, Workers
from ..errors import RequestError, RunError
from ..files.atomic import temporary_folder
from ..files.leftovers import remove_temporary_files
from ..messages import get_logger
from ..planning.tasks import run_tasks
from .outputs import Outputs
from .prediction import Summary, blocks, leave_out
from .prediction_task import part_file, predict_images, predict_rows
from .request import Prediction
from .submission import Submission

_logger = get_logger(__name__)

# So many tasks for each place: then the last ones to end wait little for each other.
_TASKS_PER_PLACE: Final = 4

# So many rows of probabilities are in memory while the parts of an image are joined.
_STRIP_ROWS: Final = 256


class SpreadPrediction:
    """Predict the images of a request on workers.

    Images that fit into the networks are spread in whole batches. Of those that do not, each is a task, or the rows of
    each are several.

    Args:
        prediction: the prediction, whose predictor says how images are batched
        target: the folder or file that is written; the workers' files are beside it meanwhile
        outputs: where images are written; None: nowhere
        submission: the submission to add the labels to; None: there is none
        summary: is updated when images are done
        progress: is called with the number of images done
    """

    def __init__(
        self,
        prediction: Prediction,
        target: Path,
        *,
        outputs: Outputs | None,
        submission: Submission | None,
        summary: Summary,
        progress: Callable[[float], None],
    ) -> None:
        self._prediction = prediction
        self._source = prediction.images
        self._target = target
        self._outputs = outputs
        self._submission = submission
        self._summary = summary
        self._progress = progress
        self._remarks: dict[str, None] = {}
        self._told = False

    def run(self, executor: Executor, jobs: int) -> list[str]:
        """Predict all images, and return remarks on their values.

        Raises RequestError and RunError as `predict_source` does. Ctrl-C stops the workers, and is raised again.
        """
        with temporary_folder(self._target) as scratch:
            folder = self._target if self._outputs is not None else scratch / "out"
            outputs = self._outputs or Outputs(folder, self._prediction.classes)
            outputs.create()
            try:
                with executor.start(ExecutorSpec(scratch, jobs)) as workers:
                    large = self._predict_images(workers, folder, outputs)
                    self._predict_rows(workers, folder, outputs, large, scratch)
            finally:
                remove_temporary_files(folder)  # those of workers that were killed
                outputs.remove_if_empty()
            if self._submission is not None:
                for name in self._source.names:
                    self._submission.add(outputs.read(name, self._prediction.request.pixel_limit))
        return [*self._remarks]

    def _task(self, name: str, function: Callable[..., Any], folder: Path, **arguments: Any) -> Task:
        request = replace(self._prediction.request, pixels=tuple(self._prediction.predictor.pixels))
        values = {"request": request.to_json(), "out": str(folder), **arguments}
        return Task(name, f"{function.__module__}:{function.__name__}", values)

    def _results(self, workers: Workers, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        for result in run_tasks(workers, tasks):
            if result.error:
                raise RunError(result.error, where=result.task.name)
            self._remarks |= dict.fromkeys(result.value["remarks"])
            yield result.task, result.value

    def _predict_images(self, workers: Workers, folder: Path, outputs: Outputs) -> list[int]:
        """Predict the images that fit into the networks, and return the positions of the others, in order."""
        count, batch = len(self._source), self._prediction.predictor.batch
        size = batch * ceil(ceil(count / batch) / (_TASKS_PER_PLACE * workers.places))
        tasks = (
            self._task(
                f"images {part.start} to {part.stop - 1}",
                predict_images,
                folder,
                first=part.start,
                stop=part.stop,
                all_sizes=workers.places == 1,
            )
            for part in blocks(range(count), size)
        )
        large: list[int] = []
        for _, value in self._results(workers, tasks):
            large += value["large"]
            if value["converted"] and not self._told:
                _logger.info(value["converted"][0])
                self._told = True
            for position, error in value["unreadable"]:
                if self._submission is not None or count == 1:
                    raise RequestError(error)
                leave_out(self._source.names[position], error, self._summary)
            for position in value["done"]:
                self._count(position, outputs)
            self._progress(self._summary.done)
        return sorted(large)

    def _predict_rows(self, workers: Workers, folder: Path, outputs: Outputs, large: list[int], scratch: Path) -> None:
        parts = ceil(_TASKS_PER_PLACE * workers.places / max(len(large), 1))
        tasks = (
            self._task(
                f"{self._source.names[position]}, part {part + 1}",
                predict_rows,
                folder,
                position=position,
                part=part,
                parts=parts,
                scratch=str(scratch),
            )
            for position in large
            for part in range(parts)
        )
        ended = dict.fromkeys(large, 0)
        for task, value in self._results(workers, tasks):
            position = task.arguments["position"]
            ended[position] += 1
            self._progress(self._summary.done + sum(n for n in ended.values() if n < parts) / parts)
            if ended[position] == parts:
                self._join(position, value["parts"], outputs, scratch)
                self._count(position, outputs)

    def _join(self, position: int, parts: int, outputs: Outputs, scratch: Path) -> None:
        """Write the outputs of an image from its parts, and remove these."""

        def load(part: int, what: str) -> np.ndarray:
            loaded: np.ndarray = np.load(part_file(scratch, position, part, what), mmap_mode="r", allow_pickle=False)
            return loaded

        name, image = self._source.names[position], self._source.read(position)
        if self._prediction.request.probabilities:
            values = (strip for part in range(parts) for strip in _strips(load(part, "values")))
            for _ in outputs.with_probabilities(name, image.shape, values):
                pass  # each strip is written when the next one is requested
        outputs.write(name, image, np.concatenate([load(part, "labels") for part in range(parts)]))
        for part in range(parts):
            for what in ("values", "labels"):
                part_file(scratch, position, part, what).unlink(missing_ok=True)

    def _count(self, position: int, outputs: Outputs) -> None:
        self._summary.add(outputs.read(self._source.names[position], self._prediction.request.pixel_limit))


def _strips(values: np.ndarray) -> Iterator[np.ndarray]:
    return (values[start : start + _STRIP_ROWS] for start in range(0, len(values), _STRIP_ROWS))
