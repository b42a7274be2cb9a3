"""What the encoders of `keras.applications` share."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marsseg_core.plugin_api import Encoder, EncoderSpec, RequestError

from .scaling import scaled_images

if TYPE_CHECKING:
    import numpy as np

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Application:
    """Describe a network of `keras.applications`.

    Attributes:
        function: the name of the function that builds it
        file: the file of its weights without the classifier, in the cache of Keras
        levels: the layers whose outputs are maps, by their strides; the last map is the output of the network
        mean: what is subtracted from red, green and blue, for images in [0, 1]
        deviation: what they are then divided by
        options: further arguments of the function
    """

    function: str
    file: str
    levels: Mapping[int, str]
    mean: Channels
    deviation: Channels
    options: Mapping[str, Any] = field(default_factory=lambda: {"include_preprocessing": False})


class ApplicationEncoder(Encoder):
    """Use a network of `keras.applications`, without its classifier, as an encoder.

    Images are scaled as the published weights need it. If the scaling is the same for all channels, images of any
    number of channels are scaled by it. If it is not, a grey image is repeated three times. A kernel of one channel
    could not compute the same where the first convolution pads the scaled images with zeros, which stand for another
    grey in each channel. Where it does not pad, `published` can put the scaling of each channel into the weights, so
    that one scaling is left. Images of other numbers of channels are scaled by the means of the three values.

    Networks learn with a momentum of 0.9: the published ones are up to 0.999, too slow for the few steps of a training
    on few images.
    """

    published_weights = ("imagenet",)
    layer_modules = ("marsseg_plugins.encoders.custom_layers",)

    momentum: float | None = None
    """The momentum of the moving statistics of batch normalisation; None for an encoder without it."""

    @property
    @abstractmethod
    def application(self) -> Application:
        """Return the network."""

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        from .rebuilding import Rebuilding

        scaled = self._scaled(images, spec.prefix)
        network = self._network((images.shape[1], images.shape[2]), None)
        rebuilding = Rebuilding(network, scaled, spec, momentum=self.momentum)
        last = next(reversed(rebuilding.maps))
        levels = {**self.application.levels, 32: last}
        # Where maps stay larger, the last one of a size counts.
        return {min(stride, spec.output_stride): rebuilding.maps[name] for stride, name in levels.items()}

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        """Return the weights that Keras downloads, or finds in its cache."""
        import keras

        from .rebuilding import Rebuilding

        size = (224, 224)
        try:
            with redirect_stdout(sys.stderr):  # Keras shows there how far the download is
                network = self._network(size, name)
        except Exception as cause:
            file, cache = self.application.file, _keras_cache()
            copy = f"Copy {file} to {cache} from a computer that has it"
            if cache is None:
                copy = (
                    "Let the variable KERAS_HOME name a folder that can be written, and copy "
                    f"{file} to the folder models in it"
                )
            raise RequestError(
                f"Keras could not get the file of the weights, {file}: {(str(cause) or repr(cause)).splitlines()[0]}",
                where=f"weights={name}",
                hint=f"{copy}, or pass another file with weights=FILE.",
            ) from cause
        return Rebuilding(network, keras.Input((*size, 3)), EncoderSpec(prefix="")).values()

    def _network(self, size: tuple[int | None, int | None], weights: str | None) -> Any:
        import keras

        function = getattr(keras.applications, self.application.function)
        options = self.application.options
        return function(include_top=False, weights=weights, input_shape=(*size, 3), **options)

    def _scaled(self, images: Any, prefix: str) -> Any:
        """Scale images (B, H, W, C) in [0, 1]; the result has three channels where C is 1 and their scalings differ."""
        from keras import layers

        mean, deviation = self.application.mean, self.application.deviation
        is_uniform = len({*mean}) == len({*deviation}) == 1
        if images.shape[-1] == 1 and not is_uniform:
            images = layers.Concatenate(name=f"{prefix}repeat")([images] * 3)
        return scaled_images(images, mean, deviation, f"{prefix}scale")


def _keras_cache() -> Path | None:
    """Return the folder in which Keras keeps weights; None if it uses a temporary one, as it cannot write there.

    Keras has no public function that tells it.
    """
    given = os.environ.get("KERAS_HOME")
    folders = [Path.home(), Path.home() / ".keras"] if given is None else [Path(given).expanduser()]
    return folders[-1] / "models" if all(os.access(folder, os.W_OK) for folder in folders) else None
