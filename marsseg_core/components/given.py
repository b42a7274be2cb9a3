"""Data and networks that were given in Python as objects: a plan can say which they are, and not find them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ..errors import RequestError
from ..registry import kinds
from ..registry.distribution import DISTRIBUTION, version
from ..registry.entries import Entry
from ..registry.kinds import Kind
from ..registry.parameters import param
from .interfaces import Architecture, Dataset, NetworkSpec

if TYPE_CHECKING:
    import keras

    from ..data.arrays import SegmentationData

# What a plan calls them. Nobody chooses one by name, so no catalog lists them.
NAME: Final = "given"


@dataclass(frozen=True)
class GivenData(Dataset):
    """Data given in Python, which is found by no name."""

    fingerprint: str = param(help="a hash of its images, masks and groups")
    images: int = param(help="how many images it has", minimum=1)
    held: Any = field(default=None, init=False, repr=False, compare=False)

    def load(self) -> SegmentationData:
        """Give the data that was given; RequestError where a plan only tells of it."""
        if self.held is None:
            raise RequestError(
                f"The data of {self.images:,} images was given in Python, and is not kept with the run.",
                where=f"data, fingerprint {self.fingerprint}",
                hint="Give it again: marsseg.resume(run, data=…), marsseg.evaluate(run, data=…, subset='test').",
            )
        data: SegmentationData = self.held
        return data


@dataclass(frozen=True)
class GivenNetwork(Architecture):
    """A keras.Model given in Python, which is found by no name."""

    takes_bottleneck = False

    fingerprint: str = param(help="a hash of its layers and weights")
    parameters: int = param(help="how many parameters it has", minimum=0)
    held: Any = field(default=None, init=False, repr=False, compare=False)

    def build(self, spec: NetworkSpec) -> keras.Model:
        """Copy the network that was given, with its weights; it is left as it is itself."""
        import keras

        if self.held is None:
            raise RequestError(
                f"The network of {self.parameters:,} parameters was given in Python as a keras.Model, which the plan "
                "cannot build.",
                where=f"arch, fingerprint {self.fingerprint}",
                hint="Give it again, as in marsseg.resume(run, arch=…); the best network of the run itself is read by "
                "marsseg.load(run).",
            )
        inputs = keras.Input((spec.height, spec.width, spec.channels))
        network: keras.Model = keras.models.clone_model(self.held, input_tensors=inputs)
        network.set_weights(self.held.get_weights())
        return network


def _entry(kind: Kind, cls: type) -> Entry:
    return Entry(kind, NAME, f"{cls.__module__}:{cls.__qualname__}", DISTRIBUTION, version())


def given_entry(kind: Kind, name: str) -> Entry | None:
    """The entry that a plan means where it says that a component was given; None for any other name."""
    if name.rpartition("/")[2] != NAME:
        return None
    classes = {kinds.DATASET: GivenData, kinds.ARCHITECTURE: GivenNetwork}
    return _entry(kind, classes[kind]) if kind in classes else None


def holding(component: Any, held: Any) -> Any:
    """The component with the object that it stands for."""
    made = replace(component)
    object.__setattr__(made, "held", held)
    return made


def network_facts(network: keras.Model) -> dict[str, Any]:
    """What a plan says of a network that was given. RequestError where it is none that can be copied."""
    import keras

    try:
        layers = network.to_json()
        if not isinstance(network, keras.Sequential) and not network.inputs:
            raise ValueError("it has no inputs")
    except Exception as cause:
        raise RequestError(
            f"The network cannot be copied: {(str(cause).strip() or repr(cause)).splitlines()[0]}",
            where="arch",
            hint="A functional keras.Model can, or a function that makes one from a NetworkSpec.",
        ) from cause
    last = network.layers[-1]
    if getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        raise RequestError(
            f"The network's last layer, '{last.name}', gives shares; logits are expected.",
            where="arch",
            hint="Leave its activation out: losses and scores take logits.",
        )
    digest = hashlib.blake2b(layers.encode(), digest_size=16)
    for weights in network.get_weights():
        digest.update(weights.tobytes())
    return {"fingerprint": digest.hexdigest(), "parameters": network.count_params()}
