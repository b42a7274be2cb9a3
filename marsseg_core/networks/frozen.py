"""A finished network as a layer of another network, or as the teacher of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from ..components.finished_runs import UsesRuns
from ..errors import RequestError
from ..files.run_folder import RunFolder
from ..registry.session import Session
from .cost import cost_of
from .fast import fast_network
from .load import load
from .local import locality, resized


@keras.saving.register_keras_serializable("marsseg")
class FrozenNetwork(keras.layers.Layer):
    """A finished network that is not trained: from images in [0, 1] to its float32 logits.

    It computes the same in training and in predictions. Neither its weights nor the moving statistics of its batch
    normalisation change, and nothing is dropped out.
    """

    def __init__(self, network: keras.Model, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **(options | {"dtype": "float32", "trainable": False}))
        network.trainable = False
        self.network = network
        fast_network(network)  # build it here, outside the training step
        self.built = True

    def call(self, images: Any) -> Any:
        """Return the logits (B, H, W, K) of images (B, H, W, C)."""
        return fast_network(self.network)(images, training=False)

    def plain_call(self, images: Any) -> Any:
        """Return the logits as the network itself computes them, without its fast form."""
        return self.network(images, training=False)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the logits."""
        return tuple(self.network.output_shape)

    def multiply_accumulates(self, *input_shapes: Any) -> int | None:
        """Return the multiply-accumulates for one image; None where those of a layer are not known."""
        cost = cost_of(self.network)
        return None if cost.unknown else cost.multiply_accumulates

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, with the network as its own configuration."""
        config: dict[str, Any] = super().get_config()
        return config | {"network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FrozenNetwork:
        """Build the layer from its configuration."""
        return cls(**(config | {"network": keras.saving.deserialize_keras_object(config["network"])}))


def check_network_hash(component: UsesRuns, path: str) -> None:
    """Raise RequestError where a run that a component of a plan uses is gone, or its network is another one now."""
    where = f"{component.run_parameter}={path}"
    if not Path(path).is_dir():
        raise RequestError(
            "The run folder whose network the plan uses is gone.", where=where, hint="Restore it, or name another."
        )
    if component.recorded_runs[path] != RunFolder.open(path).network_hash():
        raise RequestError(
            "The network of the run that the plan uses has changed since the plan was made.",
            where=where,
            hint="Restore its file, or make a new plan that names this run again.",
        )


def open_run(
    component: UsesRuns, path: str, session: Session, image_shape: Sequence[int], num_classes: int
) -> FrozenNetwork:
    """Return the network of a finished run that a component of the plan uses, for images of shape (H, W, C).

    Raises RequestError where the run folder no longer exists, its network has changed since the plan was made, or takes
    other images or has other classes.
    """
    where = f"{component.run_parameter}={path}"
    check_network_hash(component, path)
    network = load(path, session)
    height, width, channels = image_shape
    if network.output_shape[-1] != num_classes or network.input_shape[-1] != channels:
        raise RequestError(
            f"The network of the run takes images with {network.input_shape[-1]} channels and has "
            f"{network.output_shape[-1]} classes; the data have {channels} channels and {num_classes} classes.",
            where=where,
            hint="Name a run that was trained on these data.",
        )
    if tuple(network.input_shape[1:3]) != (height, width):
        if locality(network) is None:
            rows, columns = network.input_shape[1:3]
            raise RequestError(
                f"The network of the run takes images of {rows} × {columns} pixels, not of {height} × {width}.",
                where=where,
                hint="Use images and crops of that size, or a run whose network is local (`marsseg show` its parts).",
            )
        network = resized(network, height, width)
    return FrozenNetwork(network, name=f"run{1 + [*component.recorded_runs].index(path)}")


def frozen_layers(network: keras.Model) -> list[FrozenNetwork]:
    """Return the frozen networks inside a network."""
    return [layer for layer in network._flatten_layers() if isinstance(layer, FrozenNetwork)]


def changing_weights(network: keras.Model) -> list[Any]:
    """Return the weights of a network without those of frozen networks: trained ones and moving statistics."""
    frozen = {id(weight) for layer in frozen_layers(network) for weight in layer.weights}
    return [weight for weight in network.weights if id(weight) not in frozen]
