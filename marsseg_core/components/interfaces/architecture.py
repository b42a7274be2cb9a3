"""Define the interface of architectures, and what they are given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ...registry import kinds
from ...registry.parameters import NONE_WORD
from ..specs import BottleneckSpec, EncoderSpec, no_run
from .component import Component

if TYPE_CHECKING:
    import keras

    from .bottleneck import Bottleneck
    from .encoder import Encoder


def _compose_without_catalog(text: str) -> tuple[Bottleneck, ...]:
    """Return no bottlenecks for the text "none"; raise ValueError for any other text, as there is no catalog here."""
    if text != NONE_WORD:
        raise ValueError(f"'{text}' cannot be resolved: this NetworkSpec was made without a catalog")
    return ()


def _no_architecture(text: str) -> Architecture:
    raise ValueError(f"'{text}' cannot be resolved: this NetworkSpec was made without a catalog")


@dataclass(frozen=True)
class NetworkSpec:
    """Describe the network that an architecture builds: its input size and channels, and its number of classes.

    Attributes:
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        channels: Channels of an image: 1 for grey, 3 for colour, or any other number.
        num_classes: K, the number of classes, including the ignored ones. The network has K logits.
        bottlenecks: The bottlenecks of the plan, in order. `bottleneck` adds them to the network.
        encoder: The encoder of the plan, or None. `encode` adds it to the network.
        compose: A function that resolves a composition text, such as "transformer,aspp", to bottlenecks. It is for an
            architecture that takes bottlenecks in its own parameters.
        compose_architecture: A function that resolves a composition text, such as "unet:width=0.25", to an
            architecture. It is for an architecture that contains another one.
        open_run: A function from the path of a finished run to its network, as a frozen layer from images to logits. It
            is for an architecture that derives from `UsesRuns`.
    """

    height: int
    width: int
    channels: int
    num_classes: int
    bottlenecks: tuple[Bottleneck, ...] = ()
    compose: Callable[[str], tuple[Bottleneck, ...]] = field(
        default=_compose_without_catalog, repr=False, compare=False
    )
    encoder: Encoder | None = None
    compose_architecture: Callable[[str], Architecture] = field(default=_no_architecture, repr=False, compare=False)
    open_run: Callable[[str], Any] = field(default=no_run, repr=False, compare=False)

    def encode(self, images: Any, output_stride: int = 32) -> dict[int, Any]:
        """Apply the encoder of the plan to the images.

        Args:
            images: The images in [0, 1], (B, H, W, C). H and W are multiples of 32.
            output_stride: The stride of the last map, 8, 16 or 32, unless the plan sets another one.

        Returns:
            The feature maps (B, H / stride, W / stride, c) by their strides, finest first.

        Raises:
            ValueError: The plan has no encoder.
        """
        if self.encoder is None:
            raise ValueError("it needs an encoder, and this network has none")
        return self.encoder.build(images, EncoderSpec(output_stride))

    def bottleneck(self, features: Any) -> Any:
        """Apply the bottlenecks of the plan, first to last, to a feature map.

        Args:
            features: The coarsest feature map of the network, (B, h, w, c).

        Returns:
            A feature map (B, h, w, c'); `features` itself where the plan has no bottleneck.
        """
        return self.chain(features, self.bottlenecks)

    def chain(self, features: Any, bottlenecks: Sequence[Bottleneck], prefix: str = "") -> Any:
        """Apply any bottlenecks, first to last, to a feature map.

        Args:
            features: A feature map, (B, h, w, c).
            bottlenecks: The bottlenecks, such as those that `compose` returns.
            prefix: The beginning of the names of their layers. If a network has several chains, give each one its own
                prefix.

        Returns:
            A feature map (B, h, w, c').
        """
        for position, component in enumerate(bottlenecks, start=1):
            spec = BottleneckSpec(self.num_classes, prefix=f"{prefix}bottleneck{position}_")
            features = component.build(features, spec)
        return features


class Architecture(Component):
    """Build a network that maps images to logits."""

    kind = kinds.ARCHITECTURE

    takes_bottleneck: ClassVar[bool] = True
    """Whether the network has a place for bottlenecks: it calls `spec.bottleneck` on its coarsest feature map.

    Where it is False, marsseg refuses `--bottleneck` before it builds anything.
    """

    takes_encoder: ClassVar[bool] = False
    """Whether the network has a place for an encoder: it calls `spec.encode` on the images if `spec.encoder` is there.

    Where it is False, marsseg refuses `--encoder` before it builds anything.
    """

    needs_encoder: ClassVar[bool] = False
    """Whether the network cannot be built without an encoder."""

    of_own_encoder: ClassVar[tuple[str, ...]] = ()
    """The parameters of the architecture's own encoder. With another one they have no effect, which marsseg says."""

    @abstractmethod
    def build(self, spec: NetworkSpec) -> keras.Model:
        """Build a functional Keras model from images to logits.

        A model with auxiliary heads returns a dictionary of outputs. "logits" is the output that is scored, and the
        only one in the saved model. "aux_2", "aux_3", … are further logits of the same shape, in order of decreasing
        importance. "presence" (B, K) has, for each class, the logit of the class being anywhere in the image. All
        outputs are float32.

        Args:
            spec: The size and channels of the images, the number of classes and the bottlenecks.

        Returns:
            A model from images (B, H, W, C) float32 in [0, 1] to **logits** (B, H, W, K) float32.

        Raises:
            ValueError: The parameters do not fit the size of the images. marsseg shows its text to the user.
        """
