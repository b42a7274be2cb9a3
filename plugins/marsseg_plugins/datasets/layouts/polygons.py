"""Give the classes of polygons their ids: what labelme's and COCO's JSON have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import VOID, nearest, refuse_file

BACKGROUND: Final = ("background", "_background_")
IGNORED: Final = "__ignore__"


class Ids:
    """Hold the id of each class by its name, and that of the pixels outside all shapes.

    With `known`, the names that the user has given, an id is the place in them. Without, the classes are background and
    the `found` ones, in their order. Pixels outside all shapes are of the class called background, or void if there
    is none.
    """

    def __init__(self, known: Sequence[str] | None, found: Sequence[str]) -> None:
        if known is None:
            known = (BACKGROUND[0], *(name for name in found if name not in (*BACKGROUND, IGNORED)))
        self.names = tuple(known)
        self._id_of = {name: number for number, name in enumerate(self.names)}
        outside = [self._id_of[name] for name in BACKGROUND if name in self._id_of]
        self.outside = outside[0] if outside else VOID
        self._id_of = {IGNORED: VOID} | dict.fromkeys(BACKGROUND, self.outside) | self._id_of

    def __call__(self, path: Path, name: str) -> int:
        """Return the id of a class. Raises RequestError, with the file that names it, if there is no such class."""
        if name not in self._id_of:
            refuse_file(
                path,
                f"There is no class {name!r} among those given.",
                hint=nearest(name, self.names, listing="Classes"),
            )
        return self._id_of[name]
