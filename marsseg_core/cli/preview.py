"""`marsseg show --preview`: draw tiles before and after an augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..files.atomic import atomic_write
from ..registry.entries import Entry
from ..registry.kinds import AUGMENTATION
from ..registry.session import Session
from .output import print_text

if TYPE_CHECKING:
    import numpy as np

    from ..data.arrays import SegmentationData
    from ..figures.canvas import Target

TILES = 4
DRAWS = 2


def preview(entry: Entry, text: str, data_text: str, session: Session, file: Path) -> None:
    """Draw tiles of a data set before and after an augmentation; `text` is its name, with parameters if any."""
    if entry.kind != AUGMENTATION:
        raise RequestError(
            f"'{entry.name}' is {entry.kind.with_article}: only an augmentation can be previewed.",
            where="--preview",
            hint="`marsseg list augmentation` lists augmentations. --plot draws a network.",
        )
    with atomic_write(file) as temporary:
        count = draw_preview(text, data_text, session, temporary)
    print_text(f"{file}: {text} on {count} tiles")


def draw_preview(text: str, data_text: str, session: Session, target: Target, *, tiles: int = TILES) -> int:
    """Draw at most so many tiles before and after the augmentation `text` into a PNG file; return how many."""
    from ..planning.request import Request
    from ..planning.resolver import resolve
    from ..runs.data import load_data

    plan = resolve(Request(compositions={"augment": text, "data": data_text}), session)
    data = load_data(plan)

    import numpy as np

    from ..data.arrays import scale
    from ..figures.preview import Example, preview_sheet
    from ..training.prepared import prepare_augmentation

    transform = prepare_augmentation(plan.resolved[AUGMENTATION][0], data, np.arange(len(data)))
    rows = []
    for item in _tiles(data, tiles):
        pairs: list[tuple[Any, Any]] = [(scale(data.images[item]), data.masks[item])]
        for draw in range(DRAWS):
            generators = [np.random.default_rng([plan.training.seed, draw, item])]
            images, masks = transform(scale(data.images[[item]]), np.array(data.masks[[item]]), generators)
            pairs.append((images[0], masks[0]))
        rows.append(Example(f"{data.title(item)} of {data.source}", pairs))
    headings = ("before", *(f"after, draw {draw + 1}" for draw in range(DRAWS)))
    preview_sheet(
        rows,
        headings,
        data.class_names,
        target,
        ignore_classes=data.ignore_classes,
        own_colours=data.class_colours,
    )
    return len(rows)


def _tiles(data: SegmentationData, count: int) -> list[int]:
    """Choose items evenly spread over the data, half of them with the rarest class, in ascending order."""
    import numpy as np

    from ..data.statistics import rarest_items

    def spread(items: np.ndarray, count: int) -> list[int]:
        return [int(items[i * len(items) // count]) for i in range(min(count, len(items)))]

    rare = spread(rarest_items(data, np.arange(len(data)))[1], count // 2)
    rest = np.setdiff1d(np.arange(len(data)), rare)
    return sorted(rare + spread(rest, count - len(rare)))
