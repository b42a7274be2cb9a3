"""`marsseg show --build` and `--plot`: a network built to be measured and drawn, not to be trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..files.atomic import atomic_write, require_parent
from ..networks.startup import check_backend
from ..registry.entries import Entry
from ..registry.kinds import ARCHITECTURE, RECIPE
from ..registry.session import Session
from .loading import load_keras
from .output import print_table, print_text, say

if TYPE_CHECKING:
    import keras

_SIZE = re.compile(r"(\d+)x(\d+)(?:x(\d+))?")


def build(entry: Entry, text: str, bottleneck: str | None, size: str, classes: int, session: Session) -> keras.Model:
    """The network of an architecture (`text` may give its parameters) or of a recipe, for images of a size."""
    if entry.kind not in (ARCHITECTURE, RECIPE):
        raise RequestError(
            f"'{entry.name}' is {entry.kind.with_article}: only an architecture or a recipe can be built.",
            where="--build",
            hint="marsseg show unet --build --bottleneck NAME shows what a bottleneck adds.",
        )
    numbers = _SIZE.fullmatch(size)
    if numbers is None or min(map(int, numbers.groups("1"))) < 1:
        raise RequestError(f"'{size}' is no size.", where="--size", hint="The form is HEIGHTxWIDTHxCHANNELS: 64x128x1.")
    if classes < 2:
        raise RequestError("A network tells at least 2 classes apart.", where="--classes")
    height, width, channels = map(int, numbers.groups("1"))

    check_backend()
    from ..planning.plan import NETWORK_KINDS
    from ..planning.resolver import Request, resolve

    compositions = {"bottleneck": bottleneck} if bottleneck is not None else {}
    is_network = entry.kind == ARCHITECTURE
    request = (
        Request(compositions=compositions | {"arch": text})
        if is_network
        else Request(base=text, compositions=compositions)
    )
    plan = resolve(request, session, only=NETWORK_KINDS)
    load_keras()
    from ..networks.build import build_network
    from ..networks.keras_backend import own_random_numbers

    with own_random_numbers():
        return build_network(plan, (height, width, channels), classes)


def facts(network: keras.Model) -> dict[str, Any]:
    """Parameters, multiply-accumulates, memory of activations and output shape of a built network."""
    from ..networks.cost import cost_of

    cost = cost_of(network)
    return {
        "parameters": cost.parameters,
        "trainable": cost.trainable,
        "multiply_accumulates": cost.multiply_accumulates,
        "activation_bytes": cost.activation_bytes,
        "output_shape": list(cost.output_shape),
        "unknown_layers": list(cost.unknown),
    }


def print_facts(built: dict[str, Any]) -> None:
    """The same for a reader."""
    shape = "×".join(map(str, built["output_shape"]))
    rows = [
        ("parameters", f"{built['parameters']:,}"),
        ("trainable", f"{built['trainable']:,}"),
        ("multiply-accumulates per image", f"{built['multiply_accumulates']:,}"),
        ("activations kept per image", f"{built['activation_bytes'] / 2**20:.1f} MiB"),
        ("output", shape),
    ]
    print_table(("built", "value"), rows, right=("value",))
    if built["unknown_layers"]:
        print_text(f"Not counted, as what they compute is not known: {', '.join(built['unknown_layers'])}")


def check_plot(target: Path, option: str = "--plot") -> None:
    """RequestError where a drawing cannot be written; before anything is built for it."""
    if target.suffix != ".png":
        raise RequestError(f"The drawing is a PNG; '{target}' does not end in .png.", where=option)
    require_parent(target, option)


def plot(network: keras.Model, target: Path, title: str) -> None:
    """Draw the network into a PNG file."""
    from ..networks.drawing import draw

    with atomic_write(target) as temporary:
        draw(network, temporary, title)
    say(f"Drawn: {target}")
