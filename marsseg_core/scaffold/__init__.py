"""Make a project for a plugin from the templates in this folder: complete, installable, with tests that pass.

`Project.words` gives the values of the `$words` in the templates.
"""

from __future__ import annotations

import json
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

# The path in the project of each template of the folder `project`, which all kinds share.
_PLACES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "test.yml": ".github/workflows/test.yml",
    "__init__.py": "$package/__init__.py",
}

_NOTES: Final = {
    "component": "Its parameters are the fields of the class. `marsseg show $name` prints their `help`.",
    "observer": "Its hooks are called in every run, unless you pass `--disable $name`.",
}


@dataclass(frozen=True)
class Project:
    """A new project for a plugin of a kind. Raises RequestError if `name` is not a valid name for a plugin."""

    name: str
    kind: Kind

    def __post_init__(self) -> None:
        hint = None
        if not NAME_PATTERN.fullmatch(self.name):
            hint = "Use lower-case letters, digits and + _ . - (the first character is a letter or a digit)."
        elif self.name == NONE_WORD:
            hint = "This word means that there is no component, as in --bottleneck none."
        elif self.name.isdecimal():
            hint = "In --set, a whole number is a position, as in --set bottleneck.2.key=value."
        if hint:
            raise RequestError(f"'{self.name}' is not a valid name for a plugin.", where="new-plugin", hint=hint)

    @property
    def distribution(self) -> str:
        """Return the name of the distribution: marsseg-unet3plus for `unet3+`."""
        return f"{DISTRIBUTION}-{'-'.join(self._parts)}"

    @property
    def package(self) -> str:
        """Return the name of the Python package: marsseg_unet3plus for `unet3+`."""
        return f"{DISTRIBUTION}_{'_'.join(self._parts)}"

    @property
    def _parts(self) -> list[str]:
        return re.findall(r"[a-z0-9]+", self.name.replace("+", "plus"))

    @property
    def class_name(self) -> str:
        """Return the name of the class: Unet3plus, or MyLoss where Python or the template already uses the word."""
        words = "".join(part.capitalize() for part in self._parts)
        used = set(re.findall(r"\w+", self._templates["component.py"]))
        is_taken = words in used or keyword.iskeyword(words) or not words.isidentifier()
        return f"My{words}" if is_taken else words

    @property
    def use(self) -> str:
        """Return the options of `marsseg run`, or of the kind's own command, that use the plugin."""
        return self.kind.use.format(name=self.name)

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the next commands to run in the project's folder."""
        return (
            'pip install -e ".[test]"',
            'pytest -m "not slow"',
            f"marsseg show {self.name}",
            f"marsseg {self.kind.command} {self.use}",
        )

    @property
    def words(self) -> dict[str, str]:
        """Return the values of the `$words` in the templates."""
        module = f"{self.package}.{self.kind.name}"
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
            "marsseg": marsseg_requirement(),
            "python": metadata.metadata(DISTRIBUTION)["Requires-Python"],
            "steps": "\n".join(self.steps),
        }
        note = _NOTES["observer" if self.kind == OBSERVER else "component"]
        return words | {"note": Template(note).substitute(words)}

    @cached_property
    def _templates(self) -> dict[str, str]:
        """Return the templates of this kind: the text of each by the name of its file."""
        return _read(self.kind.template)

    def files(self) -> dict[str, str]:
        """Return the files of the project: the text of each by its path in the project."""
        kind, words = self.kind.name, self.words
        places = {"component.py": f"$package/{kind}.py", "test.py": f"tests/test_{kind}.py"}
        texts = {places.get(name, f"$package/{name}"): text for name, text in self._templates.items()}
        texts |= {_PLACES[name]: text for name, text in _read("project").items()}
        return {Template(path).substitute(words): Template(text).substitute(words) for path, text in texts.items()}

    def check_free(self, catalog: Catalog) -> None:
        """Raise RequestError if an installed plugin or package already has the name of this one."""
        if existing := catalog.named(self.name, [self.kind]):
            raise RequestError(
                f"There is already {self.kind.with_article} '{self.name}', provided by {existing[0].provider}.",
                where="new-plugin",
                hint="Choose another name. Otherwise both could only be used as DISTRIBUTION/NAME.",
            )
        if find_spec(self.package) is not None:
            raise RequestError(
                f"There is already a Python package {self.package}, the package name of this plugin.",
                where="new-plugin",
                hint="Choose another name.",
            )

    def write(self, out: Path) -> None:
        """Write the project into the new folder `out`, completely or not at all; RequestError if `out` exists."""
        refuse_existing(out)
        with atomic_folder(out) as temporary:
            for path, text in self.files().items():
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / path).write_text(text, encoding="utf-8", newline="\n")


def bounds(current: str) -> str:
    """Return the versions of marsseg that a plugin made with the `current` one supports (docs/stability.md)."""
    made_with = Version(current)
    lower = made_with.public if made_with.is_prerelease else f"{made_with.major}.{made_with.minor}"
    upper = f"{made_with.major + 1}" if made_with.major else f"0.{made_with.minor + 1}"
    return f">={lower},<{upper}"


def marsseg_requirement() -> str:
    """Return what pip can install as marsseg elsewhere: its repository, if it was installed from one, else its name."""
    origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    source, url = origin.get("vcs_info"), origin.get("url", "")
    if source is None or not url.startswith("https://"):  # a folder of this machine, or an address with a key
        return DISTRIBUTION
    return f"{DISTRIBUTION} @ {source['vcs']}+{url}@{source['commit_id']}"


def _read(folder: str) -> dict[str, str]:
    files = resources.files(__name__).joinpath(folder).iterdir()
    return {file.name.removesuffix(_SUFFIX): file.read_text(encoding="utf-8") for file in files}
