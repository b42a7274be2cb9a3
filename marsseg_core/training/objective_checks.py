"""Check, before the training, that the losses depend on the network's output."""

from __future__ import annotations

import numpy as np

from ..data.targets import with_targets
from ..errors import RequestError
from ..messages import get_logger
from .objective import Objective
from .task import SegmentationTask

_logger = get_logger(__name__)


def check_objective(task: SegmentationTask, objective: Objective, shape: tuple[int, int, int]) -> None:
    """Warn of each loss that does not change with the logits. Raises RequestError where none changes.

    The losses are computed on one image of `shape` (H, W, C) that contains all classes of the training subset, with two
    sets of random logits. Losses of weight 0 are not checked: they are only logged.
    """
    names = task.weighting.loss_names
    constant = _constant_losses(task, objective, shape) & set(names)
    if constant == set(names):
        raise RequestError(
            f"The objective does not depend on the network's output: {', '.join(names)} cannot be lowered.",
            where="--loss",
            hint="Check its class weights and its other parameters; `marsseg show NAME` explains them.",
        )
    for name in sorted(constant):
        _logger.warning(f"The loss '{name}' does not depend on the network's output: nothing is learned from it.")


def _constant_losses(task: SegmentationTask, objective: Objective, shape: tuple[int, int, int]) -> set[str]:
    """Return the names of the losses that do not change with the logits."""
    spec, size = objective.spec, shape[:2]
    classes = [c for c, pixels in enumerate(spec.class_frequencies) if pixels and c not in spec.ignore_classes]
    labels = with_targets(np.resize(np.array(classes, np.uint8), (1, *size)), objective.targets)
    random = np.random.default_rng(0)
    image = np.random.default_rng(1).random((1, *shape), np.float32)
    first, second = (
        {name: float(value) for name, value in task.loss_values(labels, logits, image).items()}
        for logits in random.standard_normal((2, 1, *size, spec.num_classes)).astype(np.float32)
    )
    return {name for name, value in first.items() if value == second[name]}
