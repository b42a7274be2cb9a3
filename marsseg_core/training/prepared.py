"""Wrap the functions of components that the input pipeline calls, so that worker processes can prepare them again.

Such functions may be of any kind, and few kinds can be pickled. Their components can: a pickle of a wrapper has the
component, and opening the pickle prepares the function again. This module imports no Keras, so that workers start fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..components.specs import LossSpec
from ..conventions import VOID, TargetFunction, Transform
from ..data.arrays import SegmentationData
from ..data.warps import Warp, WarpTransform
from ..errors import PluginError
from ..planning.invoke import call_component
from ..planning.resolved import ResolvedComponent


def prepare_augmentation(resolved: ResolvedComponent, data: SegmentationData, items: np.ndarray) -> Transform:
    """Return the function of an augmentation, prepared for a training with these items."""
    function = call_component(resolved, resolved.component.prepare, data, items)
    kind = PreparedWarps if isinstance(function, WarpTransform) else PreparedAugmentation
    return kind((resolved, data, items), function)


class PreparedWarps(WarpTransform):
    """Draw the warps of an augmentation: check them, and name it in every error."""

    def __init__(self, arguments: tuple[ResolvedComponent, SegmentationData, np.ndarray], own: WarpTransform) -> None:
        self._arguments = arguments
        super().__init__(own.draw)

    def __reduce__(self) -> Any:
        return prepare_augmentation, self._arguments

    def draw(self, height: int, width: int, generators: Sequence[np.random.Generator]) -> Sequence[Warp]:
        """Return the warp of each image; raise PluginError where one does not fit."""
        resolved = self._arguments[0]
        warps: Sequence[Warp] = call_component(resolved, super().draw, height, width, generators)
        for warp in warps:
            if not isinstance(warp, Warp):
                raise PluginError(f"The {resolved.entry.label} returns a {type(warp).__name__}, not a Warp.")
            if warp.places.ndim == 3 and warp.places.shape != (2, height, width):
                raise PluginError(
                    f"The {resolved.entry.label} returns a warp with the shape {warp.places.shape}, not "
                    f"{(2, height, width)}.",
                    where=repr(resolved.component),
                )
        return warps


class PreparedAugmentation:
    """Call an augmentation that was prepared for a training: check its result, and name it in every error."""

    def __init__(self, arguments: tuple[ResolvedComponent, SegmentationData, np.ndarray], function: Transform) -> None:
        self._arguments = arguments
        self._function = function

    def __reduce__(self) -> Any:
        return prepare_augmentation, self._arguments

    def __call__(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the changed images and masks; raise PluginError where they do not fit."""
        resolved, data, _ = self._arguments
        shapes = images.shape, masks.shape
        result = call_component(resolved, self._function, images, masks, generators)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise PluginError(f"The {resolved.entry.label} returns a {type(result).__name__}, not (images, masks).")
        images, masks = result
        new_shapes = np.shape(images), np.shape(masks)
        if new_shapes != shapes:
            raise PluginError(
                f"The {resolved.entry.label} returns images and masks of shapes {new_shapes[0]} and {new_shapes[1]}, "
                f"not {shapes[0]} and {shapes[1]}.",
                where=repr(resolved.component),
            )
        if len(unknown := masks[(masks >= data.num_classes) & (masks != VOID)]):
            raise PluginError(
                f"The {resolved.entry.label} returns a mask with the label {unknown[0]}, which is not a class."
            )
        return images, masks


class PreparedTargets:
    """Call the function that computes the targets of a loss, and name the loss in every error."""

    def __init__(self, resolved: ResolvedComponent, spec: LossSpec, function: TargetFunction) -> None:
        self._resolved, self._spec, self._function = resolved, spec, function

    def __reduce__(self) -> Any:
        return prepare_targets, (self._resolved, self._spec)

    def __call__(self, masks: np.ndarray) -> Any:
        """Return the targets of masks (B, H, W)."""
        return call_component(self._resolved, self._function, masks)


def prepare_targets(resolved: ResolvedComponent, spec: LossSpec) -> PreparedTargets | None:
    """Return the function that computes the targets of a loss, or None if the loss needs none."""
    function = call_component(resolved, resolved.component.targets, spec)
    return None if function is None else PreparedTargets(resolved, spec, function)
