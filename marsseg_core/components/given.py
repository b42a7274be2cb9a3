"""Data and networks that were passed to marsseg in Python, as objects.

A plan can record which object it was (its fingerprint), but the object cannot be found again by a name.
"""

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

# The name of these components in a plan. They cannot be chosen by name, so no catalog lists them.
NAME: Final = "given"


@dataclass(frozen=True)
class GivenData(Dataset):
    """Data passed in Python, which cannot be found by a name."""

    fingerprint: str = param(help="a hash of its images, masks and groups")
    images: int = param(help="the number of its images", minimum=1)
    passed_object: Any = field(default=None, init=False, repr=False, compare=False)

    def load(self) -> SegmentationData:
        """Return the data that was passed. Raises RequestError where only the plan that records it is there."""
        if self.passed_object is None:
            raise RequestError(
                f"The data of {self.images:,} images was passed in Python, and is not stored with the run.",
                where=f"data, fingerprint {self.fingerprint}",
                hint="Pass it again: marsseg.resume(run, data=…), marsseg.evaluate(run, data=…, subset='test').",
            )
        data: SegmentationData = self.passed_object
        return data


@dataclass(frozen=True)
class GivenNetwork(Architecture):
    """A keras.Model passed in Python, which cannot be found by a name."""

    takes_bottleneck = False

    fingerprint: str = param(help="a hash of its layers and weights")
    parameters: int = param(help="the number of its parameters", minimum=0)
    passed_object: Any = field(default=None, init=False, repr=False, compare=False)

    def build(self, spec: NetworkSpec) -> keras.Model:
        """Return a copy of the network that was passed, with its weights. The original is not changed.

        Raises RequestError where only the plan that records the network is there.
        """
        import keras

        if self.passed_object is None:
            raise RequestError(
                f"The network of {self.parameters:,} parameters was passed in Python as a keras.Model; it cannot be "
                "built from the plan.",
                where=f"arch, fingerprint {self.fingerprint}",
                hint="Pass it again, as in marsseg.resume(run, arch=…). To use the best network of the run: "
                "marsseg.load(run).",
            )
        inputs = keras.Input((spec.height, spec.width, spec.channels))
        network: keras.Model = keras.models.clone_model(self.passed_object, input_tensors=inputs)
        network.set_weights(self.passed_object.get_weights())
        return network


def _entry(kind: Kind, cls: type) -> Entry:
    return Entry(kind, NAME, f"{cls.__module__}:{cls.__qualname__}", DISTRIBUTION, version())


def given_entry(kind: Kind, name: str) -> Entry | None:
    """Return the entry of a component that was passed in Python, by its name in a plan; None for any other name."""
    if name.rpartition("/")[2] != NAME:
        return None
    classes = {kinds.DATASET: GivenData, kinds.ARCHITECTURE: GivenNetwork}
    return _entry(kind, classes[kind]) if kind in classes else None


def holding(component: Any, passed_object: Any) -> Any:
    """Return a copy of the component that holds the object that was passed."""
    copy = replace(component)
    object.__setattr__(copy, "passed_object", passed_object)
    return copy


def network_facts(network: keras.Model) -> dict[str, Any]:
    """Return what a plan records of a network that was passed: its fingerprint and its number of parameters.

    Raises RequestError where the network cannot be copied, or where its last layer has a softmax or a sigmoid.
    """
    import keras

    try:
        layers = network.to_json()
        if not isinstance(network, keras.Sequential) and not network.inputs:
            raise ValueError("it has no inputs")
    except Exception as cause:
        raise RequestError(
            f"The network cannot be copied: {(str(cause).strip() or repr(cause)).splitlines()[0]}",
            where="arch",
            hint="Pass a functional keras.Model, or a function that makes one from a NetworkSpec.",
        ) from cause
    last = network.layers[-1]
    if getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        raise RequestError(
            f"The network's last layer, '{last.name}', returns probabilities; logits are expected.",
            where="arch",
            hint="Remove its activation: losses and scores take logits.",
        )
    digest = hashlib.blake2b(layers.encode(), digest_size=16)
    for weights in network.get_weights():
        digest.update(weights.tobytes())
    return {"fingerprint": digest.hexdigest(), "parameters": network.count_params()}
