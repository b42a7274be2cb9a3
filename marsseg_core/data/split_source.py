"""Say in which files a split is, and whether they have changed. This module does not import NumPy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError
from ..files.hashed import file_hash
from ..files.run_folder import RunFolder
from .split_options import SplitOptions
from .subsets import SUBSET_WORDS, SUBSETS

_FORM: Final = "train=FILE,validation=FILE,test=FILE"

_AS_RECORDED: Final = "--split RUN takes the split that a run has recorded"


@dataclass(frozen=True)
class SplitSource:
    """Hold where a split is: a table, the split.json of a run, or a list of items for each subset.

    Attributes:
        text: the value of `split.subsets` that means the same in every folder
        name: what messages call it
        files: the list of each subset, in the order of SUBSETS; the key of a table, or of a split.json, is ""
    """

    text: str
    name: str
    files: Mapping[str, Path]

    @classmethod
    def of(cls, text: str) -> SplitSource:
        """Return the source that a value of `split.subsets` names. Raises RequestError for lists of another form."""
        word, equals, _ = text.partition("=")
        if equals and word.strip().lower() in SUBSET_WORDS:
            lists = _lists(text)
            return cls(
                ",".join(f"{subset}={path}" for subset, path in lists.items()),
                ", ".join(path.name for path in lists.values()),
                lists,
            )
        path = _absolute(text)
        recorded = RunFolder(path).split
        return cls(str(path), path.name, {"": recorded if os.path.isfile(recorded) else path})

    @property
    def has_lists(self) -> bool:
        """Return whether each subset has a list of its own."""
        return "" not in self.files

    @property
    def file(self) -> Path:
        """Return the table or the split.json; of lists, the first one."""
        return next(iter(self.files.values()))

    def place(self, line: int, value: Any) -> str:
        """Return what messages call a line; `value` is the subset or fold that it gives."""
        return f"line {line} of {self.files[value].name}" if self.has_lists else f"line {line}"

    def hash(self) -> str:
        """Return a hash of the files. Raises RequestError if one cannot be read."""
        hashes = {}
        for subset, path in self.files.items():
            try:
                hashes[subset] = file_hash(path)
            except OSError as cause:
                raise RequestError(f"The split cannot be read: {cause.strerror}.", where=str(path)) from cause
        if not self.has_lists:
            return hashes[""]
        lines = "".join(f"{subset} {each}\n" for subset, each in hashes.items())
        return hashlib.blake2b(lines.encode(), digest_size=16).hexdigest()

    def hint(self) -> str | None:
        """Return how to give lists, if the text probably means some; None if it names a file that exists."""
        path = Path(self.text)
        if self.has_lists or os.path.isfile(path):
            return None
        if os.path.isdir(path):
            with suppress(OSError):
                return f"A split is a table, a run, or a list for each subset: {_as_lists(sorted(path.iterdir()))}"
        if "," in self.text:
            return f"A list for each subset is given as {_as_lists(map(Path, self.text.split(',')))}"
        return None


def check_unchanged(options: SplitOptions) -> None:
    """Check that the files of a split are those that the plan was made with. A plan without a hash fits any files.

    Args:
        options: the section `split` of a plan

    Raises:
        RequestError: if they have changed, or cannot be read
    """
    if not options.from_file or options.subsets_hash is None:
        return
    source = SplitSource.of(options.subsets)
    try:
        found = source.hash()
    except RequestError as error:
        raise RequestError(
            error.what, where=error.where, hint=f"Name its new place with --split; {_AS_RECORDED}."
        ) from error
    if found != options.subsets_hash:
        raise RequestError(
            "The split has changed since the plan was made.",
            where=source.text,
            hint=f"To use the changed split in a new run: --split {source.text}; {_AS_RECORDED}.",
        )


def _lists(text: str) -> dict[str, Path]:
    lists: dict[str, Path] = {}
    for part in text.split(","):
        word, equals, file = (each.strip() for each in part.partition("="))
        subset = SUBSET_WORDS.get(word.lower())
        if not equals or not file or subset is None:
            raise RequestError(
                f"'{part.strip()}' does not name a subset and its list.",
                where=f"--split {text}",
                hint=f"Lists are given as {_FORM}.",
            )
        if subset in lists:
            raise RequestError(f"The subset {subset} has two lists.", where=f"--split {text}", hint="Join them first.")
        lists[subset] = _absolute(file)
        if "," in str(lists[subset]):
            raise RequestError(
                f"'{lists[subset]}' has a comma, which separates lists.",
                where=f"--split {text}",
                hint="Name a link to it without one.",
            )
    return {subset: lists[subset] for subset in SUBSETS if subset in lists}


def _absolute(file: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(file)))


def _as_lists(paths: Iterable[Path]) -> str:
    """Return the option for these lists, by their names; its general form if the names tell no subset."""
    found: dict[str, Path] = {}
    for path in paths:
        if subset := SUBSET_WORDS.get(path.stem.lower()):
            found.setdefault(subset, path)
    return f"--split {','.join(f'{subset}={found[subset]}' for subset in SUBSETS if subset in found) or _FORM}"
