"""A project for a plugin, from the templates beside this file: complete, installable, with tests that pass.

What a template's `$words` stand for is in `Project.words`.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from packaging.version import Version

from ..errors import RequestError
from ..files.atomic import atomic_folder, refuse_existing
from ..registry.catalog import Catalog
from ..registry.distribution import DISTRIBUTION, version
from ..registry.entries import NAME_PATTERN
from ..registry.kinds import OBSERVER, Kind
from ..registry.parameters import NONE_WORD

_SUFFIX: Final = ".tmpl"

# Where the files of every project go; those of a kind are its modules, besides its test.
_PLACES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "test.yml": ".github/workflows/test.yml",
    "__init__.py": "$package/__init__.py",
}

_NOTES: Final = {
    "component": "Its parameters are the fields of the class; their `help` stands in `marsseg show $name`.",
    "observer": "Its hooks are called in every run, in the order of a run; `--disable $name` leaves it out.",
}


@dataclass(frozen=True)
class Project:
    """A new project for a plugin of some kind; RequestError where `name` is no name for one."""

    name: str
    kind: Kind

    def __post_init__(self) -> None:
        hint = None
        if not NAME_PATTERN.fullmatch(self.name):
            hint = "A name is lower case: letters, digits and + _ . - (not first)."
        elif self.name == NONE_WORD:
            hint = "Where a component is named, it stands for nothing, as in --bottleneck none."
        elif self.name.isdecimal():
            hint = "In a setting, a whole number is a position, as in --set bottleneck.2.key=value."
        if hint:
            raise RequestError(f"'{self.name}' is no name for a plugin.", where="new-plugin", hint=hint)

    @property
    def distribution(self) -> str:
        """What is installed: marsseg-unet3plus for `unet3+`."""
        return f"{DISTRIBUTION}-{'-'.join(self._parts)}"

    @property
    def package(self) -> str:
        """What is imported: marsseg_unet3plus."""
        return f"{DISTRIBUTION}_{'_'.join(self._parts)}"

    @property
    def _parts(self) -> list[str]:
        return re.findall(r"[a-z0-9]+", self.name.replace("+", "plus"))

    @property
    def class_name(self) -> str:
        """Unet3plus; with My before it where Python or the template has another use for the word."""
        words = "".join(part.capitalize() for part in self._parts)
        used = set(re.findall(r"\w+", self._templates["component.py"]))
        taken = words in used or keyword.iskeyword(words) or not words.isidentifier()
        return f"My{words}" if taken else words

    @property
    def use(self) -> str:
        """The words after `marsseg run` that make a run use it."""
        return self.kind.use.format(name=self.name)

    @property
    def steps(self) -> tuple[str, ...]:
        """The commands to go on with, in the project's folder."""
        return (
            'pip install -e ".[test]"',
            'pytest -m "not slow"',
            f"marsseg show {self.name}",
            f"marsseg run {self.use} --epochs 1",
        )

    @property
    def words(self) -> dict[str, str]:
        module = f"{self.package}.{self.kind}"
        words = {
            "name": self.name,
            "title": self.name.capitalize(),
            "kind": self.kind.name,
            "article_kind": self.kind.with_article.capitalize(),
            "every": f"every {self.kind}",
            "class_name": self.class_name,
            "distribution": self.distribution,
            "package": self.package,
            "group": self.kind.group,
            "target": module if self.kind == OBSERVER else f"{module}:{self.class_name}",
            "bounds": bounds(version()),
            "python": metadata.metadata(DISTRIBUTION)["Requires-Python"],
            "steps": "\n".join(self.steps),
        }
        note = _NOTES["observer" if self.kind == OBSERVER else "component"]
        return words | {"note": Template(note).substitute(words)}

    @cached_property
    def _templates(self) -> dict[str, str]:
        """The texts of this kind's templates by the names of their files."""
        return _read(self.kind.template)

    def files(self) -> dict[str, str]:
        """What the project is made of: paths in its folder, and their texts."""
        kind, words = self.kind.name, self.words
        places = {"component.py": f"$package/{kind}.py", "test.py": f"tests/test_{kind}.py"}
        texts = {places.get(name, f"$package/{name}"): text for name, text in self._templates.items()}
        texts |= {_PLACES[name]: text for name, text in _read("project").items()}
        return {Template(path).substitute(words): Template(text).substitute(words) for path, text in texts.items()}

    def check_free(self, catalog: Catalog) -> None:
        """RequestError where what is installed has taken one of its names already."""
        if taken := catalog.named(self.name, [self.kind]):
            raise RequestError(
                f"There is {self.kind.with_article} '{self.name}' already, of {taken[0].provider}.",
                where="new-plugin",
                hint="Choose another name: of two alike, each would have to be asked for with its distribution's.",
            )
        if find_spec(self.package) is not None:
            raise RequestError(
                f"There is a Python package {self.package} already, which is what it would be imported as.",
                where="new-plugin",
                hint="Choose another name.",
            )

    def write(self, out: Path) -> None:
        """Make the folder `out`, whole or not at all; RequestError where there is one."""
        refuse_existing(out)
        with atomic_folder(out) as temporary:
            for path, text in self.files().items():
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / path).write_text(text, encoding="utf-8", newline="\n")


def bounds(current: str) -> str:
    """The versions that a plugin made with this one goes with: until the next that may break it (docs/stability.md)."""
    made_with = Version(current)
    lower = made_with.public if made_with.is_prerelease else f"{made_with.major}.{made_with.minor}"
    upper = f"{made_with.major + 1}" if made_with.major else f"0.{made_with.minor + 1}"
    return f">={lower},<{upper}"


def _read(folder: str) -> dict[str, str]:
    files = resources.files(__name__).joinpath(folder).iterdir()
    return {file.name.removesuffix(_SUFFIX): file.read_text(encoding="utf-8") for file in files}
