"""The Keras layers of the semi-supervised methods, which compute their terms of the objective."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from marsseg_core.plugin_api import SemiLayer, SemiSpec, Student, ViewTensors


class MeanTeacherLayer(SemiLayer):
    """Compare the student's prediction for the strong view with the teacher's for the weak view."""

    def __init__(self, spec: SemiSpec, momentum: float, consistency: str) -> None:
        super().__init__(spec)
        self._momentum = momentum
        self._consistency = consistency

    def prepare(self, student: Student) -> None:
        """Create the teacher: an average of each weight, and the number of steps."""
        self.average = [
            self.add_weight(name=f"average_{i}", shape=weight.shape, initializer="zeros", trainable=False)
            for i, weight in enumerate(student.weights)
        ]
        self.steps = self.add_weight(name="steps", shape=(), initializer="zeros", trainable=False)

    def term(self, student: Student, views: ViewTensors) -> tuple[Any, Any]:
        """Return the consistency of the predictions, and the share of the pixels that count."""
        self._update(student)
        teacher = student.logits(views.weak, [ops.convert_to_tensor(weight) for weight in self.average])
        target = views.mix(ops.stop_gradient(self.probabilities(teacher)))
        logits = student.logits(views.strong)
        if self._consistency == "mse":
            difference = ops.mean(ops.square(self.probabilities(logits) - target), axis=-1)
        else:
            difference = -ops.sum(target * self.log_probabilities(logits), axis=-1)
        return self.mean(difference, views.counted)

    def _update(self, student: Student) -> None:
        """Move the teacher towards the weights that the previous step has set."""
        self.steps.assign(self.steps + 1.0)
        momentum = ops.minimum(1.0 - 1.0 / self.steps, self._momentum)
        for average, weight in zip(self.average, student.weights, strict=True):
            average.assign(momentum * average + (1.0 - momentum) * ops.cast(weight, "float32"))


class FixMatchLayer(SemiLayer):
    """Train the strong view with the confident labels of the weak view."""

    def __init__(self, spec: SemiSpec, threshold: float) -> None:
        super().__init__(spec)
        self._threshold = threshold

    def term(self, student: Student, views: ViewTensors) -> tuple[Any, Any]:
        """Return the cross-entropy with the labels, and the share of the pixels that have one."""
        weak = views.mix(ops.stop_gradient(self.probabilities(student.logits(views.weak))))
        confident = ops.cast(ops.max(weak, axis=-1) >= self._threshold, "float32")
        labels = ops.one_hot(ops.argmax(weak, axis=-1), weak.shape[-1])
        entropy = -ops.sum(labels * self.log_probabilities(student.logits(views.strong)), axis=-1)
        return self.mean(entropy, confident * ops.cast(views.counted, "float32"))


class PseudoLayer(SemiLayer):
    """Train the strong view with the labels that the method has made."""

    def __init__(self, spec: SemiSpec, *, soft: bool) -> None:
        super().__init__(spec)
        self._soft = soft

    def term(self, student: Student, views: ViewTensors) -> tuple[Any, Any]:
        """Return the cross-entropy with the labels, and the share of the pixels that have one."""
        if self._soft:
            target = ops.cast(views.labels, "float32")
        else:
            target = ops.one_hot(ops.cast(views.labels, "int32"), self.spec.num_classes)  # zeros for void
        target = ops.take(target, np.array(self.spec.counted), axis=-1)
        total = ops.sum(target, axis=-1)
        labelled = ops.cast(total > 0, "float32") * ops.cast(views.counted, "float32")
        entropy = -ops.sum(target * self.log_probabilities(student.logits(views.strong)), axis=-1)
        return self.mean(entropy / ops.maximum(total, 1.0), labelled)
