"""Read plan files and recipes, the layers of a plan that come from files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import PluginError, RequestError
from ..files.documents import read_toml
from ..files.pack import is_pack
from ..files.run_folder import SERIES_PLAN, RunFolder
from ..registry.catalog import Catalog
from ..registry.distribution import DISTRIBUTION
from ..registry.kinds import RECIPE
from ..registry.source_code import package_file
from . import grammar
from .plan import NAME_KEYS

DEFAULT_RECIPE: Final = "default"


@dataclass(frozen=True)
class PlanDocument:
    """The content of a plan file or recipe.

    Attributes:
        values: the content of the TOML file
        folder: the folder of the file
        origin: the origin recorded for its values
        where: what error messages call the file
        distribution: the distribution that provides the recipe; None for a plan file
        complete: whether a run wrote the file. Then a missing kind or parameter did not exist yet.
    """

    values: Mapping[str, Any]
    folder: Path
    origin: str
    where: str
    distribution: str | None = None
    complete: bool = False


def base_document(base: str, catalog: Catalog) -> PlanDocument:
    """Read a plan file, the plan of a run folder or of a pack, or a recipe, as `--plan` names it."""
    if is_pack(base):
        run = RunFolder.open(base)
        return PlanDocument(read_toml(run.plan), run.path, f"pack {base}", f"pack {base}", complete=True)
    path = Path(base)
    # os.path.isfile, because Path.is_file raises for a name that is too long. A folder without a plan may have the
    # same name as a recipe.
    if os.path.isfile(os.path.join(base, "plan.toml")):
        path = path / "plan.toml"
    if os.path.isfile(path):
        written_by_run = RunFolder(path.parent).split.is_file() or path.name == SERIES_PLAN
        return PlanDocument(
            read_toml(path, "The plan"), path.parent, f"file {path}", f"file {path}", complete=written_by_run
        )
    if path.suffix == ".toml" and os.path.exists(path) and not os.path.isdir(path):
        read_toml(path, "The plan")  # a named pipe, a socket or a device: the error says so
    if path.suffix == ".toml" or path.is_absolute() or path.name == "plan.toml":
        raise RequestError(
            f"There is no plan file '{base}'.", where="--plan", hint="`marsseg list recipe` lists recipes."
        )
    try:
        return recipe_document(base, catalog, origin=f"recipe {base}")
    except RequestError as error:
        if not os.path.lexists(base) and not catalog.named(base, [RECIPE]):
            error.what = f"{error.what} There is no file or run folder at this path either."
        raise


def recipe_document(name: str, catalog: Catalog, origin: str) -> PlanDocument:
    """Read a recipe; `origin` is recorded for its values."""
    # Every plan starts from marsseg's own recipe `default`, even if another distribution has one with this name.
    entry = catalog.find(RECIPE, name, where="--plan", prefer=DISTRIBUTION if origin == DEFAULT_RECIPE else None)
    path = package_file(entry)
    if path is None:
        raise PluginError(f"The file of the {entry.label} is missing.", where=entry.target)
    return PlanDocument(read_toml(path, "The plan"), path.parent, origin, f"recipe {name}", entry.distribution)


def named_in_document(value: Any, *, where: str) -> list[grammar.NamedComponent]:
    """Parse the components of one kind in a plan file: a composition text, a table, or a list of them."""
    if isinstance(value, str):
        return grammar.parse(value, where=where)
    if isinstance(value, Mapping):
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise RequestError("The table of a component has no name.", where=where, hint='Add name = "…".')
        distribution = value.get("distribution")
        full_name = f"{distribution}/{name}" if distribution else name
        values = {key: item for key, item in value.items() if key not in NAME_KEYS}
        return [grammar.NamedComponent(full_name, values, version=str(value.get("version", "")))]
    if isinstance(value, list):
        return [named for item in value for named in named_in_document(item, where=where)]
    raise RequestError(f"{value!r} is not a component.", where=where, hint='Write a string such as "transformer,aspp".')
