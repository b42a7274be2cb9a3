"""Build networks and losses, read data sets and list what is installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..components.interfaces import Architecture, Bottleneck, Encoder, Loss
from ..components.specs import LossSpec
from ..conventions import VOID, LossFunction
from ..data.limits import SIDE_LIMIT
from ..errors import RequestError, nearest
from ..networks.startup import check_backend, start_keras
from ..planning.arguments import count_of, path_of, paths_of, request_of, text_of, value_of
from ..planning.invoke import build_component, call_component
from ..planning.plan import NETWORK_KINDS
from ..planning.resolver import resolve
from ..registry import kinds, parameters
from ..registry.kinds import ALL_KINDS
from ..registry.listing import ComponentList, describe, find_kind
from ..registry.session import open_session
from .callers import told_in_python

if TYPE_CHECKING:
    import keras

    from ..data.arrays import SegmentationData
    from ..planning.run_arguments import AnyPath, Network


@told_in_python()
def list_components(kind: str | None = None, *, plugins: Sequence[AnyPath] = ()) -> ComponentList:
    """List the installed components, recipes and observers.

    Installed plugins are not imported, as their metadata and source text are enough. The files of `plugins` are
    executed.

    Args:
        kind: List only this kind: its name, its plural or its option ("architecture", "architectures", "arch").
            None lists all kinds.
        plugins: Python files whose components and hooks are listed too.

    Returns:
        A list with one `ComponentInfo` for each entry, with its name, aliases, kind, summary, provider and status.

    Raises:
        RequestError: There is no such kind.
        PluginError: A file of `plugins` cannot be loaded.

    Example:
        ```python
        names = [each.name for each in marsseg.list_components("loss")]
        ```
    """
    chosen = None if kind is None else find_kind(text_of(kind, "kind"))
    if kind is not None and chosen is None:
        hint = nearest(kind, [each.name for each in ALL_KINDS])
        raise RequestError(f"There is no kind '{kind}'.", where="kind", hint=hint)
    return describe(chosen, paths_of(plugins, "plugins"))


@told_in_python()
def network(
    arch: str | Architecture | type[Architecture] | Network,
    *,
    encoder: str | Encoder | type[Encoder] | None = None,
    bottleneck: str | Bottleneck | type[Bottleneck] | Sequence[str | Bottleneck | type[Bottleneck]] | None = None,
    height: int = 64,
    width: int = 128,
    channels: int = 1,
    num_classes: int = 5,
    seed: int | None = None,
    plugins: Sequence[AnyPath] = (),
) -> keras.Model:
    """Build an untrained network from the name of an architecture.

    The network maps images (B, height, width, channels) with values in [0, 1] to logits (B, height, width,
    num_classes). It is always built in float32 and with channels last, also where Keras has other settings. It passes
    the same checks as in `run`.

    For large images, call `network.predict(images, batch_size=1)`. `network(images)` keeps all feature maps until it
    returns, which takes several times the memory.

    Args:
        arch: The architecture: a composition such as "dense:width=0.5", a class, an instance, a `keras.Model`, or a
            function that makes a `keras.Model` from a `NetworkSpec`.
        encoder: The encoder, for an architecture that takes one: a composition such as "efficientnet_lite0", a class or
            an instance. None builds the architecture's own.
        bottleneck: The bottlenecks, in order: a composition such as "transformer,aspp", a class, an instance, or a list
            of these. None builds the network without a bottleneck.
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        channels: Channels of an image: 1 for grey images, 3 for colour.
        num_classes: Number of classes, which is the number of channels of the logits. At least 2.
        seed: Passed to `keras.utils.set_random_seed`, which sets the random state of Keras, NumPy and Python. None
            draws the weights from Keras' current random state.
        plugins: Python files that define further components.

    Returns:
        The network, with new random weights, or those that the encoder names: "efficientnet_lite0:weights=imagenet".

    Raises:
        RequestError: A name or value is wrong, or the components do not fit together or the size of the images.
        PluginError: A component cannot be loaded, fails, or builds a network with another output.

    Example:
        ```python
        network = marsseg.network("dense:width=0.25", bottleneck="transformer,aspp", num_classes=5)
        logits = network.predict(images, batch_size=1)
        ```
    """
    check_backend()
    sizes = {"height": height, "width": width, "channels": channels}
    shape = [count_of(value, name, at_least=1, at_most=SIDE_LIMIT) for name, value in sizes.items()]
    classes = count_of(num_classes, "num_classes", at_least=2, at_most=VOID)
    request = request_of(arguments={"arch": arch, "encoder": encoder, "bottleneck": bottleneck}, plugins=plugins)
    resolved = resolve(request, open_session(), only=NETWORK_KINDS)
    seed = None if seed is None else count_of(seed, "seed", at_least=0)
    start_keras()
    from ..networks.build import assemble_network
    from ..networks.keras_backend.settings import precision
    from ..runs.pretrained import load_encoder_weights

    if seed is not None:
        import keras

        keras.utils.set_random_seed(seed)
    with precision():
        built = assemble_network(resolved, shape, classes)
        load_encoder_weights(resolved, built)
    return built


@told_in_python(loss="name")
def loss(
    name: str | Loss | type[Loss],
    *,
    num_classes: int = 5,
    ignore_classes: Iterable[int] = (0,),
    class_frequencies: Sequence[int] | None = None,
    plugins: Sequence[AnyPath] = (),
) -> LossFunction:
    """Build one loss function by name, for `keras.Model.compile`.

    The function maps labels (B, H, W) and logits (B, H, W, K) to a scalar. Labels are whole numbers (integers or
    floats) from 0 to K − 1, or 255 for void. Called directly, the function raises RequestError for any other label and
    for shapes that do not match. It cannot raise inside a compiled step: there, a batch with a wrong label has the loss
    NaN and no gradient.

    To combine several losses, build each of them and add the results, or use `marsseg.run`, which weights them.

    Args:
        name: One loss: a composition such as "tversky:smooth=1" (as for `--loss`), a class or an instance. The
            parameter `weight` multiplies the loss: "dice:weight=0.5".
        num_classes: Number of classes, K.
        ignore_classes: Ids of the classes whose pixels do not count.
        class_frequencies: Number of pixels of each class in the training subset, for losses that weight classes. None
            counts all classes the same.
        plugins: Python files that define further components.

    Returns:
        The loss function, which checks its labels.

    Raises:
        RequestError: A name or value is wrong, `name` has several losses, or the loss needs targets that are computed
            from each mask (such as distance maps).
        PluginError: The loss cannot be loaded, or fails.

    Example:
        ```python
        model.compile("adamw", loss=marsseg.loss("dice:weight=0.5", num_classes=5))
        ```
    """
    check_backend()
    request = request_of(arguments={"loss": name}, plugins=plugins)
    is_named = request.compositions["loss"] != parameters.NONE_WORD
    losses = resolve(request, open_session(), only=(kinds.LOSS,)).resolved[kinds.LOSS] if is_named else ()
    if len(losses) != 1:
        raise RequestError(
            f"'{name}' must name one loss.",
            hint="Build several losses one by one and add them, or use `marsseg.run(loss=…)`, which weights them.",
        )
    (chosen,) = losses
    equal_frequencies = (1,) * num_classes if isinstance(num_classes, int) else ()
    rows: Any = (ignore_classes, equal_frequencies if class_frequencies is None else class_frequencies)
    spec = LossSpec(num_classes, *rows)
    start_keras()
    if call_component(chosen, chosen.component.targets, spec) is not None:
        raise RequestError(
            f"The loss '{name}' needs targets that are computed from each mask.",
            hint="Train with it by `marsseg.run`, or compute them with `Loss.targets` in your own training loop.",
        )
    if chosen.component.wants_images:
        raise RequestError(
            f"The loss '{name}' needs the images, which Keras does not pass to a loss.",
            hint="Train with it by `marsseg.run`.",
        )
    from ..networks.keras_backend.settings import fixed_settings
    from ..training.checked_loss import checked_loss

    with fixed_settings():
        function: LossFunction = build_component(chosen, spec)
    weight: Any = chosen.values["weight"]
    checked: LossFunction = fixed_settings()(checked_loss(function, chosen.entry.name, num_classes, weight))
    return checked


@told_in_python(data="name")
def dataset(name: AnyPath, *, plugins: Sequence[AnyPath] = (), **values: Any) -> SegmentationData:
    """Read a data set into memory, by its name or path.

    Args:
        name: A composition such as "synthetic:count=50", or the path of a file or folder such as "tiles.npz".
        plugins: Python files that define further data sets.
        **values: Parameters of the data set, as `count=50`.

    Returns:
        The images, masks and class names. Nothing is cleaned or split.

    Raises:
        RequestError: A name, path or parameter is wrong, or the data cannot be read or are not valid.
        PluginError: The data set cannot be loaded, or fails.

    Example:
        ```python
        data = marsseg.dataset("synthetic", count=50, height=64, width=128)
        ```
    """
    overrides = [f"data.1.{key}={parameters.to_text(value_of(value, key))}" for key, value in values.items()]
    request = request_of(arguments={"data": path_of(name, "name")}, overrides=overrides, plugins=plugins)
    from ..runs.data import load_data

    return load_data(resolve(request, open_session(), only=(kinds.DATASET,)))
