"""The boundary loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, TargetFunction, param


@dataclass(frozen=True)
class Boundary(Loss):
    """Boundary loss: weights predictions by their distance from the true boundary, in pixels.

    φ is the signed distance of a pixel from the boundary of a class in its image. Outside the class it is the
    distance to the nearest pixel of the class. Inside, it is 1 minus the distance to the nearest pixel of another
    class. Void and ignored pixels are neither inside nor outside any class, so the edge of the annotation is not a
    boundary. φ is 0 for a class that the image does not have, and in an image of only one class. It is computed in the
    input pipeline, from the mask after augmentation.

    With p the softmax, the loss is the mean over the labelled pixels of the batch, and over the classes that are not
    ignored, of

    - `form=nonnegative`: p·max(φ, 0) + (1 − p)·max(−φ, 0), which is 0 for a perfect prediction;
    - `form=signed`: p·φ, as published. It is negative for a perfect prediction, so weightings that need ratios of
      losses refuse it.

    Both have the same gradient. Use the boundary loss with a small weight beside a loss of regions, as in
    `wssce,boundary:weight=0.01`, or with a weight that rises from 0 by `--weighting scheduled`.

    Paper: Kervadec and others, arXiv 1812.07032.
    """

    form: Literal["nonnegative", "signed"] = param("nonnegative", help="one of two losses with the same gradient")

    @property
    def may_be_negative(self) -> bool:
        return self.form == "signed"

    def targets(self, spec: LossSpec) -> TargetFunction:
        from .distances import signed_distances

        return lambda masks: signed_distances(masks, spec.num_classes, spec.ignore_classes)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import valid_pixels

        counted = spec.num_classes - len(set(spec.ignore_classes))
        if counted < 2:
            raise ValueError("a boundary needs at least two classes that are not ignored, but the data has fewer")

        def boundary(labels: Any, logits: Any, distances: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)[..., None]
            log_p = ops.log_softmax(ops.where(valid, ops.cast(logits, "float32"), 0.0), axis=-1)
            distances = ops.where(valid, ops.cast(distances, "float32"), 0.0)
            if self.form == "signed":
                values = ops.exp(log_p) * distances
            else:
                inside = -ops.expm1(log_p) * ops.maximum(-distances, 0.0)
                values = ops.exp(log_p) * ops.maximum(distances, 0.0) + inside
            pixels = ops.sum(ops.cast(valid, "float32"))
            return ops.sum(values) / (ops.maximum(pixels, 1.0) * counted)

        return boundary
