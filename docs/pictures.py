"""Make the picture of each component: what `marsseg show --plot` and `--preview` draw of it, or a curve."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Final

import numpy as np
from curves import curve_of
from picture import Picture, file_name, name_of, picture

from marsseg_core.cli import network
from marsseg_core.cli.preview import draw_preview
from marsseg_core.data.arrays import scale
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import (
    ARCHITECTURE,
    AUGMENTATION,
    BOTTLENECK,
    DATASET,
    ENCODER,
    LOSS,
    RECIPE,
    SCHEDULE,
    WEIGHTING,
)
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of
from marsseg_core.registry.session import Session, open_session

# The architecture that shows encoders and bottlenecks, and the encoder of architectures that need one.
BESIDE: Final = "unet"
INSIDE: Final = "efficientnet_lite0"
SIZE, CLASSES = "64x128x1", 5
TILES: Final = 2
DATA: Final = "synthetic:count=24"
SAMPLES, ROWS = 6, 2


@cache
def picture_of(entry: Entry) -> Picture | None:
    """Make the picture of a component; None if there is nothing to draw of it alone.

    It is made once, although `mkdocs serve` asks for it again after each change of a page.
    """
    if entry.kind in (LOSS, WEIGHTING, SCHEDULE):
        return curve_of(entry)
    session = open_session()
    if entry.kind == AUGMENTATION:
        return preview(entry, session)
    if entry.kind == DATASET:
        return None if "path" in parameters_of(load(entry)) else samples(entry, session)
    if entry.kind in (ENCODER, BOTTLENECK):
        parts = {entry.kind.option: entry.name}
        (beside,) = session.catalog.named(BESIDE, [ARCHITECTURE])
        return drawing(entry, beside, parts, session)
    if entry.kind == ARCHITECTURE:
        cls = load(entry)
        if any(parameter.required for parameter in parameters_of(cls).values()):
            return None
        return drawing(entry, entry, {"encoder": INSIDE} if cls.needs_encoder else {}, session)
    return drawing(entry, entry, {}, session) if entry.kind == RECIPE else None


def drawing(entry: Entry, built: Entry, parts: dict[str, str], session: Session) -> Picture:
    """Draw the network of the architecture or recipe `built`, with the given parts, for the section of an entry."""
    title = ", ".join([built.name, *parts.values()])
    built_network = network.build(built, built.name, parts, SIZE, CLASSES, session)
    from marsseg_core.networks.drawing import draw  # once Keras is loaded, without the messages of its backend

    content = BytesIO()
    draw(built_network, content, title)
    options = "".join(f" --{option} {name}" for option, name in parts.items())
    alt = f"The blocks of the network {title} from the images to the logits, with their sizes and connections"
    return picture(name_of(entry), content, alt, f"`marsseg show {built.name}{options} --plot {file_name(entry)}.png`")


def preview(entry: Entry, session: Session) -> Picture:
    """Draw tiles before and after an augmentation."""
    content = BytesIO()
    text = f"{entry.name}:p=1"
    draw_preview(text, DATA, session, content, tiles=TILES)
    alt = f"Two tiles, alone and with their labels: before {entry.name}, and two draws after it"
    caption = f"`marsseg show {text} --preview {file_name(entry)}.png --data {DATA}`"
    return picture(name_of(entry), content, alt, caption, density=2)


def samples(entry: Entry, session: Session) -> Picture:
    """Draw items of a data set that needs no files, each alone and with its labels."""
    from marsseg_core.figures.preview import Example, preview_sheet

    data = resolve(Request(compositions={"data": entry.name}), session).one(DATASET).load()
    items = np.linspace(0, len(data) - 1, SAMPLES).astype(int).reshape(ROWS, -1)
    rows = [
        Example(", ".join(map(data.title, row)), [(scale(data.images[item]), data.masks[item]) for item in row])
        for row in items
    ]
    content = BytesIO()
    preview_sheet(
        rows, ("image, and with labels", "", ""), data.class_names, content, ignore_classes=data.ignore_classes
    )
    alt = f"{SAMPLES} images of {entry.name}, each alone and with its labels"
    return picture(name_of(entry), content, alt, f"Items of `{entry.name}`.", density=2)
