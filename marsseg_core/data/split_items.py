"""Find the items of the data that the keys of a split mean."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ..errors import RequestError, counted, some
from .arrays import SegmentationData
from .file_names import file_stem
from .names import image_of
from .split_source import SplitSource
from .split_table import is_number


class SplitItems:
    """Find the items of the data that the keys of a split mean.

    A key is the name of an item or of an image, with or without the suffix of its file; or the last part of a name,
    where no other image ends so; or, where no key is such a name, the number of an item. Where no key is found so,
    folders that the data do not have are left out at the beginning of the keys, and suffixes of images at their end.

    Args:
        data: the data that are split
        keys: the keys of the split
        source: the split, for messages

    Attributes:
        found: the items that each key means; unknown keys are left out

    Raises:
        RequestError: if several shortened keys mean one item, or one of them means several images
    """

    def __init__(self, data: SegmentationData, keys: Collection[str], source: SplitSource) -> None:
        self._data, self._keys, self._source = data, keys, source
        # Spaces around a key are part of a name only where the data have such a name.
        self._stripped = {key: key.strip() for key in keys}
        self._shortened = False
        self.found: Mapping[str, Sequence[int]] = self._by_name() or self._by_number(self._stripped)
        if not self.found:
            self.found = self._by_shortened_name() or self._by_shortened_number()
            self._shortened = bool(self.found)
            self._check_shortened()
        self._unknown = [key for key in keys if key not in self.found]

    def _by_name(self) -> dict[str, list[int]]:
        if self._data.names is None:
            return {}
        whole, ends = _items_by_key(self._data.names, {*self._stripped, *self._stripped.values()})
        named = ends | whole
        found = {key: named.get(key) or named.get(word) for key, word in self._stripped.items()}
        return {key: items for key, items in found.items() if items}

    def _by_number(self, words: Mapping[str, str]) -> dict[str, list[int]]:
        return {key: [int(word)] for key, word in words.items() if is_number(word) and int(word) < len(self._data)}

    def _by_shortened_name(self) -> dict[str, list[int]]:
        if self._data.names is None:
            return {}
        words = {word for word in self._stripped.values() for word, _ in _shorter(word)}
        whole, ends = _items_by_key(self._data.names, words)
        found = {}
        for key, text in self._stripped.items():
            for word, in_folder in _shorter(text):
                # What is left of a key that had folders must be a whole name: a last part could be another folder's.
                if items := whole.get(word) or (None if in_folder else ends.get(word)):
                    found[key] = items
                    break
        return found

    def _by_shortened_number(self) -> dict[str, list[int]]:
        if self._data.names is not None:
            return {}
        return self._by_number({key: file_stem(os.path.basename(word)) for key, word in self._stripped.items()})

    def _check_shortened(self) -> None:
        key_of_item: dict[int, str] = {}
        for key, items in self.found.items():
            if self._data.names is not None:
                images = sorted({image_of(self._data.name(item)) for item in items})
                if len(images) > 1:
                    self._refuse(f"{key} may mean {some(images)}")
            for item in items:
                if (other := key_of_item.setdefault(item, key)) != key:
                    self._refuse(f"{other} and {key} would both mean {self._data.name(item)}")

    def _refuse(self, what: str) -> None:
        raise RequestError(
            f"It is not clear which items are meant: {what}.", where=self._source.text, hint=self._first_name()
        )

    def check_used(self, used: int) -> None:
        """Raise RequestError if the split has none of the items; `used` is how many it has."""
        if not used:
            raise RequestError(
                f"None of its items is in the data ({some(self._unknown)}).",
                where=self._source.text,
                hint=self._first_name(),
            )

    def _first_name(self) -> str:
        return f"The first item of {self._data.source} is called {self._data.name(0)}."

    def remarks(self) -> tuple[str, ...]:
        """Return a warning about keys that mean no item."""
        if not (count := len(self._unknown)):
            return ()
        items, verb = counted(count, "item"), "is" if count == 1 else "are"
        return (f"{items} of {self._source.name} {verb} not in the data: {some(self._unknown)}.",)

    def notes(self, used: int) -> tuple[str, ...]:
        """Return how keys were shortened, and how many items of the data the split does not have."""
        lines = []
        if self._shortened:
            key, items = next(iter(self.found.items()))
            name = image_of(self._data.name(items[0]))
            lines.append(
                f"The items of {self._source.name} are found without folders or suffixes that the data do not have: "
                f"{key} is {name}."
            )
        if unused := len(self._data) - used:
            verb = "is" if unused == 1 else "are"
            lines.append(
                f"{unused:,} of {len(self._data):,} images {verb} in no subset of {self._source.name}, and not used."
            )
        return tuple(lines)


def _shorter(word: str) -> Iterator[tuple[str, bool]]:
    """Yield a key without its suffix, and without its first folders, the longest first; and whether it had folders."""
    parts = word.split("/")
    for dropped in range(len(parts)):
        left = "/".join(parts[dropped:])
        in_folder = len(parts) > 1
        yield left, in_folder
        if (stem := file_stem(left)) != left:
            yield stem, in_folder


def _items_by_key(names: Iterable[str], keys: set[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return the items that keys mean by the whole name of an item or of its image, and by its last part.

    The suffix of a file may be left out. A last part, such as the name of a file without its folder, must be unique.
    """
    by_key: dict[str, list[int]] = defaultdict(list)
    by_end: dict[str, list[int]] = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for item, name in enumerate(names):
        image = image_of(name)
        stem = os.path.splitext(image)[0]
        for key in dict.fromkeys((name, image, stem, stem + name[len(image) :])):
            if key in keys:
                by_key[key].append(item)
        for key in dict.fromkeys((os.path.basename(image), os.path.basename(stem))):
            if key in keys:
                by_end[key].append(item)
                owners[key].add(image)
    return dict(by_key), {key: items for key, items in by_end.items() if len(owners[key]) == 1}
