"""`marsseg show --build` and `--plot`: build a network to measure and draw it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conventions import VOID
from ..data.limits import SIDE_LIMIT
from ..errors import RequestError
from ..files.atomic import atomic_write, require_parent
from ..files.waiting import waiting
from ..networks.startup import check_backend
from ..registry.entries import Entry
from ..registry.kinds import ARCHITECTURE, BOTTLENECK, ENCODER, RECIPE
from ..registry.session import Session
from .loading import load_keras
from .output import print_table, print_text, say

if TYPE_CHECKING:
    import keras

_SIZE_PATTERN = re.compile(r"(\d{1,9})x(\d{1,9})(?:x(\d{1,9}))?")


def build(entry: Entry, text: str, parts: Mapping[str, str], size: str, classes: int, session: Session) -> keras.Model:
    """Build the network of an architecture or a recipe, for images of a size.

    `text` is the name, and for an architecture also its parameters. `parts` are the compositions of its encoder and
    bottlenecks. `size` is HEIGHTxWIDTHxCHANNELS.
    """
    if entry.kind not in (ARCHITECTURE, RECIPE):
        raise RequestError(
            f"'{entry.name}' is {entry.kind.with_article}: only an architecture or a recipe can be built.",
            where=f"show {text}",
            hint=f"`marsseg show unet --{entry.kind.option} {text}` builds a network with it."
            if entry.kind in (ENCODER, BOTTLENECK)
            else f"`marsseg show {entry.name}` describes it.",
        )
    match = _SIZE_PATTERN.fullmatch(size)
    if match is None or min(map(int, match.groups("1"))) < 1:
        raise RequestError(
            f"'{size}' is not a valid size.", where="--size", hint="Write HEIGHTxWIDTHxCHANNELS, such as 64x128x1."
        )
    if not 2 <= classes <= VOID:
        raise RequestError(f"A network has 2 to {VOID} classes, not {classes}.", where="--classes")
    height, width, channels = map(int, match.groups("1"))
    if max(height, width, channels) > SIDE_LIMIT:
        raise RequestError(f"'{size}' is too large: each number is at most {SIDE_LIMIT:,}.", where="--size")

    check_backend()
    from ..planning.plan import NETWORK_KINDS
    from ..planning.request import Request
    from ..planning.resolver import resolve

    request = (
        Request(compositions={"arch": text, **parts})
        if entry.kind == ARCHITECTURE
        else Request(base=text, compositions=parts)
    )
    plan = resolve(request, session, only=NETWORK_KINDS)
    load_keras()
    from ..networks.build import build_network
    from ..networks.keras_backend.settings import preserve_random_state

    with waiting("Building the network"), preserve_random_state():
        return build_network(plan, (height, width, channels), classes)


def facts(network: keras.Model) -> dict[str, Any]:
    """Measure a network: parameters, multiply-accumulates, memory of its activations and output shape, for JSON."""
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
    """Print the result of `facts` as a table."""
    shape = "×".join(map(str, built["output_shape"]))
    rows = [
        ("parameters", f"{built['parameters']:,}"),
        ("trainable parameters", f"{built['trainable']:,}"),
        ("multiply-accumulates per image", f"{built['multiply_accumulates']:,}"),
        ("memory of activations per image", f"{built['activation_bytes'] / 2**20:.1f} MiB"),
        ("output shape", shape),
    ]
    print_table(("built", "value"), rows, right=("value",))
    if built["unknown_layers"]:
        print_text(f"Multiply-accumulates not counted, as unknown, for: {', '.join(built['unknown_layers'])}")


def check_plot(target: Path, option: str = "--plot") -> None:
    """Raise RequestError if a drawing cannot be written, before the network is built."""
    if target.suffix != ".png":
        raise RequestError(f"The drawing is a PNG file, but '{target}' does not end in .png.", where=option)
    require_parent(target, option)


def plot(network: keras.Model, target: Path, title: str) -> None:
    """Draw the network into a PNG file."""
    from ..networks.drawing import draw

    with atomic_write(target) as temporary:
        draw(network, temporary, title)
    say(f"Drawing written: {target}")
