"""The page of all pictures: each leads to the section of its component."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from io import BytesIO
from itertools import groupby

import numpy as np
from picture import Picture, picture

from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.plugin_api import SegmentationData, confusion_matrix, matrix
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import DATASET
from marsseg_core.registry.session import open_session
from marsseg_plugins.observers.report.sheet import Tile, tile_sheet

# The labels of the same scenes, exact and with edges that are some pixels off.
EXACT, ROUGH = "synthetic:count=24:label_noise=0", "synthetic:count=24:label_noise=3"
TILES = 3

INTRODUCTION = """# Gallery

Each picture leads to its section, which says how to make it. All are made by marsseg while these pages are built.
"""
ON_RUNS = """Every run draws its confusion matrix, its tiles and its curves. Here, labels with rough edges stand for the
predictions.

"""


def gallery_page(drawn: Iterable[tuple[Entry, Picture]]) -> str:
    """Return the page with the pictures of these components, kind by kind, and of the figures of runs."""
    parts = [INTRODUCTION]
    for kind, members in groupby(drawn, key=lambda pair: pair[0].kind):
        cells = [cell(shown, f"reference/{kind.plural}.md#{entry.name}", f"`{entry.name}`") for entry, shown in members]
        parts.append(section(kind.plural.capitalize(), cells))
    cells = [cell(shown, "runs.md", shown.caption) for shown in run_figures()]
    parts.append(section("Figures of runs", cells, ON_RUNS))
    return "\n".join(parts)


def section(title: str, cells: list[str], words: str = "") -> str:
    """Return Markdown of a section of pictures beside each other."""
    return f'## {title}\n\n{words}<div class="gallery" markdown>\n\n{"".join(cells)}</div>\n'


def cell(shown: Picture, target: str, caption: str) -> str:
    """Return Markdown of a picture that leads to a target."""
    return (
        f'<figure markdown="span">\n{shown.markdown("", target)}\n'
        f'<figcaption markdown="span">[{caption}]({target})</figcaption>\n</figure>\n\n'
    )


@cache
def run_figures() -> list[Picture]:
    """Draw the figures of a run that need no training: rough labels are compared with exact ones."""
    session = open_session()
    exact, rough = (
        resolve(Request(compositions={"data": text}), session).one(DATASET).load() for text in (EXACT, ROUGH)
    )
    names, ignored = exact.class_names, exact.ignore_classes
    counts = sum(confusion_matrix(*masks, len(names)) for masks in zip(exact.masks, rough.masks, strict=True))
    content, sheet = BytesIO(), BytesIO()
    matrix.confusion_figure(counts, names, content, ignore_classes=ignored)
    items = np.linspace(0, len(exact) - 1, TILES).astype(int)
    tiles = [Tile(exact.title(item), exact.images[item], exact.masks[item], rough.masks[item]) for item in items]
    tile_sheet(tiles, names, sheet, ignore_classes=ignored)
    return [
        picture(
            "figures/confusion", content, "A confusion matrix, with shares and numbers of pixels", "confusion matrix"
        ),
        picture("figures/tiles", sheet, "Tiles: image, truth, prediction and error side by side", "tiles"),
    ]


def read(text: str) -> SegmentationData:
    """Read a data set."""
    data: SegmentationData = resolve(Request(compositions={"data": text}), open_session()).one(DATASET).load()
    return data
