"""What is asked of an objective before it is trained: that it depends on what the network says."""

from __future__ import annotations

import numpy as np

from ..data.targets import with_targets
from ..errors import RequestError
from ..messages import get_logger
from .objective import Objective
from .task import SegmentationTask

_logger = get_logger(__name__)


def check_objective(task: SegmentationTask, objective: Objective, size: tuple[int, int]) -> None:
    """RequestError where every loss is the same whatever the network says; a warning for each single one.

    They are tried on one image of this size (H, W) that shows all classes of the training subset, with two sets of
    logits. Losses of weight 0 are there to be logged: they are not asked.
    """
    asked = task.weighting.loss_names
    idle = _idle(task, objective, size) & set(asked)
    if idle == set(asked):
        raise RequestError(
            f"The objective is the same whatever the network says: {', '.join(asked)} cannot be lowered.",
            where="--loss",
            hint="Look at the weights of its classes and at its other parameters; `marsseg show NAME` explains them.",
        )
    for name in sorted(idle):
        line = f"The loss '{name}' is the same whatever the network says: nothing is learned from it."
        _logger.warning(line)


def _idle(task: SegmentationTask, objective: Objective, size: tuple[int, int]) -> set[str]:
    """The losses that do not change with the logits."""
    spec = objective.spec
    shown = [c for c, pixels in enumerate(spec.class_frequencies) if pixels and c not in spec.ignore_classes]
    labels = with_targets(np.resize(np.array(shown, np.uint8), (1, *size)), objective.targets)
    random = np.random.default_rng(0)
    first, second = (
        {name: float(value) for name, value in task.loss_values(labels, logits).items()}
        for logits in random.standard_normal((2, 1, *size, spec.num_classes)).astype(np.float32)
    )
    return {name for name, value in first.items() if value == second[name]}
