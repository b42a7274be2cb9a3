"""Write and read what a folder of PNG files cannot say itself: how its values were scaled, and ignored classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..files.documents import Document, read_json
from ..files.run_forms import SCALING
from ..files.schema import Items, Nothing, Number, OneOf, Table
from .image_files import refuse_file
from .scaling import Scaling

FACT_FILE: Final = "marsseg.json"
"""Name the file with the facts in the folder of a data set."""

_SCHEMA: Final = 1
_FORM: Final = Table(
    required={
        "schema": Number(_SCHEMA, _SCHEMA, whole=True),
        "scaling": OneOf(SCALING, Nothing()),
        "ignore_classes": Items(Number(0, whole=True)),
    }
)


@dataclass(frozen=True)
class FolderFacts:
    """Hold what the file marsseg.json of a folder says.

    Attributes:
        scaling: how the values became 0…255 before they were written; None if they were not changed
        ignore_classes: the ids of the classes that losses and metrics ignore; None if the file does not exist
    """

    scaling: Scaling | None = None
    ignore_classes: tuple[int, ...] | None = None


def write_folder_facts(folder: Path, scaling: Scaling | None, ignore_classes: Sequence[int]) -> None:
    """Write the facts into a folder."""
    content = {
        "schema": _SCHEMA,
        "scaling": None if scaling is None else scaling.to_json(),
        "ignore_classes": list(ignore_classes),
    }
    (folder / FACT_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_folder_facts(folder: Path) -> FolderFacts:
    """Read the facts of a folder that `marsseg data convert` wrote; of other folders, there are none.

    Args:
        folder: the folder of the data set

    Returns:
        The facts.

    Raises:
        RequestError: if the file exists, but is not as marsseg writes it
    """
    path = folder / FACT_FILE
    if not path.exists():
        return FolderFacts()
    content = read_json(path, Document(_FORM))
    try:
        scaling = Scaling.from_json(content["scaling"])
    except ValueError as cause:
        refuse_file(path, f"The scaling is not as marsseg writes it: {cause}.")
    return FolderFacts(scaling, tuple(content["ignore_classes"]))
