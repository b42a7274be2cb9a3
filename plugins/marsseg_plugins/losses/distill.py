"""The distillation loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, UsesRuns, param


@dataclass(frozen=True)
class Distill(UsesRuns, Loss):
    """Distillation: the network learns the class probabilities of finished runs, its teachers.

    With z the logits, T the temperature and softmax over the C classes that are not ignored, the student has the
    probabilities p = softmax(z / T), and the teachers have q, the mean of softmax(z / T) over the runs. The loss is

        T² · mean of Σ_c q_c · (log q_c − log p_c)

    over the pixels of the batch. T² keeps the size of the gradients the same for all temperatures. The teachers see the
    same augmented images as the student. They are not trained, and are not part of the stored network.

    `pixels=all` also teaches at pixels without a label, which the teachers know something about: unlike other losses,
    this one takes no evidence from labels there. With `pixels=labelled`, void and ignored pixels have no effect. The
    loss is 0 if no pixel counts.

    Use it beside a loss on labels, as in `wssce,distill:runs=runs/a+runs/b:weight=0.5`.

    Paper: Hinton and others, arXiv 1503.02531.
    """

    run_parameter: ClassVar[str] = "runs"
    wants_images: ClassVar[bool] = True

    runs: tuple[str, ...] = param(help="run folders of the teachers, joined by + in a composition", min_length=1)
    temperature: float = param(2.0, help="T: larger values show more of the less likely classes", above=0, maximum=100)
    pixels: Literal["all", "labelled"] = param("all", help="teach at all pixels, or only at those that have a label")

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import valid_pixels

        teachers = [spec.open_run(path) for path in self.runs]
        counted = [c for c in range(spec.num_classes) if c not in spec.ignore_classes]

        def softened(logits: Any) -> Any:
            """Return log softmax(logits / T) over the classes that are not ignored, (B, H, W, C)."""
            chosen = ops.take(ops.cast(logits, "float32"), ops.convert_to_tensor(counted, "int32"), axis=-1)
            return ops.log_softmax(chosen / self.temperature, axis=-1)

        def distill(labels: Any, logits: Any, *, images: Any) -> Any:
            valid = ops.ones_like(labels, dtype="bool")
            if self.pixels == "labelled":
                valid = valid_pixels(labels, spec.ignore_classes)
            q = sum(ops.exp(softened(teacher(images))) for teacher in teachers) / len(teachers)
            log_q = ops.log(ops.maximum(q, 1e-30))
            log_p = softened(ops.where(valid[..., None], logits, 0.0))
            values = ops.where(valid, ops.sum(q * (log_q - log_p), axis=-1), 0.0)
            pixels = ops.sum(ops.cast(valid, "float32"))
            return self.temperature**2 * ops.sum(values) / ops.maximum(pixels, 1.0)

        return distill
