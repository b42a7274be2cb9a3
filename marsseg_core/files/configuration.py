"""Find and read the configuration files: the project's `marsseg.toml`, and that of the user."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError, nearest
from .documents import read_toml

VARIABLE: Final = "MARSSEG_CONFIG"
NAME: Final = "marsseg.toml"

# Set by `without_files`. As a variable, it also counts in the processes that this one starts.
_NO_FILES: Final = "MARSSEG_NO_CONFIG"

DISABLE: Final = "disable"
"""Name the only key of a file that is no table: a list of names to disable."""


@dataclass(frozen=True)
class Configuration:
    """The content of a configuration file.

    Attributes:
        path: the file
        values: its content: names to disable, and a table of options for each command
        of_project: whether it was found from the working directory, and not where the user keeps it
    """

    path: Path
    values: Mapping[str, Any]
    of_project: bool

    @property
    def title(self) -> str:
        """Return what messages call the file: its name if it is in the working directory, else its path."""
        return self.path.name if self.path.parent in _folders()[:1] else str(self.path)


def user_file() -> Path | None:
    """Return the path of the user's file: $MARSSEG_CONFIG, or that in the configuration folder of the operating system.

    The file of the operating system need not exist. None if the variable is the null device, or without a home folder.
    """
    if chosen := os.environ.get(VARIABLE):
        return None if chosen == os.devnull else Path(chosen).absolute()
    import platformdirs  # imported here, as the variable makes it unnecessary

    with suppress(RuntimeError):  # without a home folder some versions raise, others return a relative path
        folder = platformdirs.user_config_path("marsseg", appauthor=False)
        return folder / NAME if folder.is_absolute() else None
    return None


def project_file() -> Path | None:
    """Return the `marsseg.toml` of the working directory or of its nearest parent that has one; None without any."""
    return next((path for folder in _folders() if os.path.lexists(path := folder / NAME)), None)


def _folders() -> tuple[Path, ...]:
    """Return the working directory and its parents; none if it was removed."""
    with suppress(OSError):
        return (here := Path.cwd(), *here.parents)
    return ()


@contextmanager
def without_files() -> Iterator[None]:
    """Read no configuration file while the block runs."""
    before = os.environ.get(_NO_FILES)
    os.environ[_NO_FILES] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_NO_FILES]
        else:
            os.environ[_NO_FILES] = before


def configurations() -> tuple[Configuration, ...]:
    """Read the configuration files that exist, that of the project first: it counts more. None in `without_files`.

    Raises RequestError for a file that cannot be read, a key that is no table, and a file that the variable names and
    that does not exist.
    """
    if os.environ.get(_NO_FILES):
        return ()
    project, user = project_file(), user_file()
    found = []
    if project is not None and project != user:
        found.append(_read(project, of_project=True))
    if user is not None and (os.path.lexists(user) or os.environ.get(VARIABLE)):
        found.append(_read(user, of_project=False))
    return tuple(found)


def _read(path: Path, *, of_project: bool) -> Configuration:
    configuration = Configuration(path, read_toml(path, "The configuration"), of_project)
    for key, value in configuration.values.items():
        if key != DISABLE and not isinstance(value, Mapping):
            what = f"There is no setting '{key}'."
            hint = nearest(key, [DISABLE], listing="Options are in the table of their command, as in [run]. Others")
            raise RequestError(what, where=configuration.title, hint=hint)
    return configuration
