"""Open several runs as an ensemble, and check that their classes and images match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.channels import to_colour, to_grey
from ..data.scaling import SIXTEEN_BITS, Scaling
from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..networks.load import load
from ..registry.session import Session
from ..runs.recorded_data import recorded_scaling

if TYPE_CHECKING:
    import keras

    from ..export.exporters import Engine


@dataclass(frozen=True)
class Classes:
    """The names of the classes that a network predicts, the ids of those that are ignored, and the data's colours."""

    names: tuple[str, ...]
    ignore_classes: tuple[int, ...]
    colours: tuple[tuple[int, ...], ...] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        ignored_names = [self.names[c] for c in self.ignore_classes]
        return ", ".join(self.names) + (f" (ignored: {', '.join(ignored_names)})" if ignored_names else "")


def open_runs(paths: Sequence[str | Path]) -> tuple[list[RunFolder], Classes]:
    """Open run folders and packs, and return all runs and their classes.

    Raises RequestError where the classes differ.
    """
    runs = [run for path in paths for run in RunFolder.open_all(path)]
    classes = [Classes(*run.classes(), run.class_colours()) for run in runs]
    for run, other in zip(runs, classes, strict=True):
        if other != classes[0]:
            raise RequestError(
                f"These runs cannot be combined: the classes of {runs[0].title} are {classes[0]}; "
                f"those of {run.title} are {other}.",
                where="ensemble",
                hint="Combine runs that were trained on the same classes.",
            )
    return runs, classes[0]


def scaling_of(runs: Sequence[RunFolder]) -> Scaling | None:
    """Return how the runs scaled the values of their images to 0 … 255, or None where no run did.

    Raises RequestError where the runs scaled them differently, since then one image cannot be the input of all the
    networks.
    """
    scalings = [recorded_scaling(run) for run in runs]
    specific = [scaling for scaling in scalings if scaling not in (None, SIXTEEN_BITS)]
    for run, scaling in zip(runs, scalings, strict=True):
        if specific and scaling != specific[0]:
            other = runs[scalings.index(specific[0])]
            text = "values are not scaled" if scaling is None else str(scaling)
            raise RequestError(
                f"These runs cannot be combined: in {other.title} {specific[0]}; in {run.title} {text}.",
                where="ensemble",
            )
    return next((scaling for scaling in scalings if scaling is not None), None)


def load_networks(runs: Sequence[RunFolder], session: Session, engine: Engine | None = None) -> list[keras.Model]:
    """Load the best network of each run, with `networks.load`.

    An engine of `export.find_engine` computes their predictions; without one, Keras does. Raises RequestError where the
    networks take images with different numbers of channels.
    """
    networks = [load(run.path, session) for run in runs]
    check_channels(runs, networks)
    from ..export.engine import use_engine  # it imports Keras

    for run, network in zip(runs, networks, strict=True):
        use_engine(network, run, engine, session)
    return networks


def check_channels(runs: Sequence[RunFolder], networks: Sequence[keras.Model]) -> None:
    """Raise RequestError where the networks of the runs take images with different numbers of channels."""
    first, *others = [network.input_shape[-1] for network in networks]
    for run, channels in zip(runs[1:], others, strict=True):
        if channels != first:
            raise RequestError(
                f"These runs cannot be combined: {runs[0].title} takes images with {first} channels, "
                f"{run.title} takes images with {channels}.",
                where="ensemble",
            )


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Convert an image (H, W, C) to `channels` channels.

    A colour image becomes grey by its luma (Rec. 601); a grey image becomes three equal channels. Raises RequestError
    for other numbers of channels.
    """
    if image.shape[-1] == channels:
        return image
    if (image.shape[-1], channels) in ((1, 3), (3, 1)):
        return to_colour(image) if channels == 3 else to_grey(image)
    raise RequestError(f"An image with {image.shape[-1]} channels does not fit a network for {channels} channels.")
