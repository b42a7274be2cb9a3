"""Several runs as one: their networks, which must be for the same classes and kind of image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.channels import to_colour, to_grey
from ..data.scaling import SIXTEEN_BITS, Scaling
from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..registry.session import Session
from ..runs.load import load
from ..runs.recorded_data import recorded_scaling

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Classes:
    """The classes that networks tell apart, and those of them that are ignored."""

    names: tuple[str, ...]
    ignore_classes: tuple[int, ...]

    def __str__(self) -> str:
        ignore_classes = [self.names[c] for c in self.ignore_classes]
        return ", ".join(self.names) + (f" (ignored: {', '.join(ignore_classes)})" if ignore_classes else "")


def open_runs(paths: Sequence[str | Path]) -> tuple[list[RunFolder], Classes]:
    """The run folders, and the classes they have in common. RequestError where they are not the same."""
    runs = [RunFolder.open(path) for path in paths]
    classes = [Classes(*run.classes()) for run in runs]
    for run, other in zip(runs, classes, strict=True):
        if other != classes[0]:
            raise RequestError(
                f"These runs cannot be joined: {runs[0].path} tells apart {classes[0]}; {run.path} {other}.",
                where="ensemble",
                hint="Runs that are predicted together are trained on the same classes.",
            )
    return runs, classes[0]


def scaling_of(runs: Sequence[RunFolder]) -> Scaling | None:
    """How the values of the images that the runs were trained on became 0…255.

    RequestError where they did so differently: one image cannot be shown to all of the networks then.
    """
    scalings = [recorded_scaling(run) for run in runs]
    told = [scaling for scaling in scalings if scaling not in (None, SIXTEEN_BITS)]
    for run, scaling in zip(runs, scalings, strict=True):
        if told and scaling != told[0]:
            other = runs[scalings.index(told[0])]
            seen = "values are seen as they are" if scaling is None else str(scaling)
            raise RequestError(
                f"These runs cannot be joined: in {other.path} {told[0]}; in {run.path} {seen}.", where="ensemble"
            )
    return next((scaling for scaling in scalings if scaling is not None), None)


def load_networks(runs: Sequence[RunFolder], session: Session) -> list[keras.Model]:
    """Their best networks, loaded as `runs.load` does. RequestError where they take images with different
    numbers of channels."""
    networks = [load(run.path, session) for run in runs]
    first, *others = [network.input_shape[-1] for network in networks]
    for run, channels in zip(runs[1:], others, strict=True):
        if channels != first:
            raise RequestError(
                f"These runs cannot be joined: {runs[0].path} takes images with {first} channels, "
                f"{run.path} with {channels}.",
                where="ensemble",
            )
    return networks


def with_channels(image: np.ndarray, wanted: int) -> np.ndarray:
    """The image (H, W, C) with `wanted` channels: grey from colours by their luma (Rec. 601), colours as grey three
    times. RequestError for any other numbers."""
    if image.shape[-1] == wanted:
        return image
    if (image.shape[-1], wanted) in ((1, 3), (3, 1)):
        return to_colour(image) if wanted == 3 else to_grey(image)
    raise RequestError(f"An image with {image.shape[-1]} channels cannot be seen by a network for {wanted}.")
