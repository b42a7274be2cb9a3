"""An architecture that refines the map of a finished run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from marsseg_core.plugin_api import ARCHITECTURE, Architecture, Kind, NetworkSpec, UsesRuns, param

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Refine(UsesRuns, Architecture):
    """Refinement: a second network that sees the image and the class probabilities of a finished run.

    The network of the run is part of this one, so the run folder is needed only to train and resume. It is frozen: its
    weights and the moving statistics of its batch normalisation stay as they are, and its dropout is off. Its
    probabilities, one map for each class, are concatenated to the image as the input of the second network, which is
    any architecture (`inner`).

    With `residual`, the result is the log-probabilities of the first network plus the logits of the second one, which
    thus learns corrections. Auxiliary heads of the second network are treated in the same way, except `presence`.
    """

    takes_encoder: ClassVar[bool] = True
    run_parameter: ClassVar[str] = "run"
    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_core.networks.frozen",)

    run: str = param(help="run folder whose network makes the first map")
    inner: str = param("unet", help="the second network, as for --arch")
    residual: bool = param(True, help="add the log-probabilities of the first network to the logits of the second")

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        return ((ARCHITECTURE, self.inner),)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        images = keras.Input((spec.height, spec.width, spec.channels), name="images")
        first = spec.open_run(self.run)(images)
        first_map = layers.Activation("softmax", dtype="float32", name="first_probabilities")(first)
        both = layers.Concatenate(dtype="float32", name="first_and_images")([images, first_map])
        second = spec.compose_architecture(self.inner).build(replace(spec, channels=both.shape[-1]))
        outputs = _applied(second, both)
        if self.residual:
            log_p = layers.Activation("log_softmax", dtype="float32", name="first_log_probabilities")(first)
            heads = outputs if isinstance(outputs, dict) else {"logits": outputs}
            refined = {
                name: x if name == "presence" else layers.Add(dtype="float32", name=f"refined_{name}")([log_p, x])
                for name, x in heads.items()
            }
            outputs = refined if isinstance(outputs, dict) else refined["logits"]
        return keras.Model(images, outputs, name="refine")


def _applied(network: keras.Model, x: Any) -> Any:
    """Return the outputs of a functional network for a tensor, so that its layers become part of the tensor's graph.

    To call the network instead would make it a single layer, of which neither the cost nor the fast form is known.
    """
    import keras

    outer: dict[int, Any] = {}  # by the id of a tensor of the copy

    def moved(value: Any) -> Any:
        # A tensor that no layer has returned is the input of the copy.
        return outer.get(id(value), x) if isinstance(value, keras.KerasTensor) else value

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        own_arguments, own_options = keras.tree.map_structure(moved, (arguments, options))
        pairs = zip(keras.tree.flatten(result), keras.tree.flatten(layer(*own_arguments, **own_options)), strict=True)
        outer.update((id(inside), outside) for inside, outside in pairs)
        return result

    copy = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)
    return keras.tree.map_structure(lambda output: outer[id(output)], copy.output)
