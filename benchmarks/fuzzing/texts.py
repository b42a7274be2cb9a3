"""Text files that people write: classes, splits, recipes and the source of plugins."""

from __future__ import annotations

import random
from pathlib import Path

from fuzzing.kind import FileKind
from fuzzing.mutations import damaged, mutate_toml, with_other_lines
from fuzzing.run_files import data
from marsseg_core.data.split_file import read_split_file
from marsseg_core.data.split_source import SplitSource
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import LOSS, OBSERVER, RECIPE
from marsseg_core.registry.listing import with_summary
from marsseg_core.registry.source_code import find_source
from marsseg_plugins.datasets.class_file import read_class_file

# Expressions and statements that are nested more deeply than Python's compiler can go.
DEEP: tuple[bytes, ...] = (
    *(b"-" * 9000 + b"1", b"1" + b"+1" * 9000, b"(" * 300 + b")" * 300, b"x" + b".a" * 9000, b"not " * 9000 + b"x"),
    *(b"if x:\n pass\n" + b"elif x:\n pass\n" * 3000, b"lambda:" * 3000, b"\x00", b"\xff", b"# coding: nothing\n"),
)

SOURCE = b'''"""A module."""

from dataclasses import dataclass

from .other import Circle as Round


@dataclass(frozen=True)
class Ring:
    """A ring: round.

    More of it.
    """

    width: float = 0.5

    def build(self, spec):
        return lambda labels, logits: (labels - logits) ** 2
'''


def mutate_text(rng: random.Random, content: bytes, other: bytes) -> bytes:
    return (damaged if rng.random() < 0.6 else with_other_lines)(rng, content, other)


def mutate_source(rng: random.Random, content: bytes, other: bytes) -> bytes:
    if rng.random() < 0.05:
        place = rng.randint(0, len(content))
        return content[:place] + rng.choice(DEEP) + content[place:]
    return mutate_text(rng, content, other)


def class_files() -> list[bytes]:
    return [b"name,r,g,b\nsoil,1,2,3\nrock,4,5,6\nvoid,0,0,0\n", b"# mine\nsoil\nrock\n", b'"a b";1;2;3\n"c";4;5;6\n']


def split_files() -> list[bytes]:
    subsets = b"item,subset\n0,train\n1,train\n2,val\n3,test\n4,test\n"
    return [subsets, b"file;fold\n0;1\n1;2\n2;3\n3;1\n", b'image\tsplit\n"5"\tvalid\n6\ttrain\n']


def recipes() -> list[bytes]:
    return [b'summary = "A big one"\narch = "unet"\n\n[training]\nepochs = 3\n']


def read_classes(path: Path) -> bool:
    read = read_class_file(path)
    assert 0 < len(read.names) <= 255
    assert all(0 <= shade <= 255 for colour in read.palette for shade in colour)
    return True


def read_split(path: Path) -> bool:
    read_split_file(SplitSource.of(str(path)), data())
    return True


def read_source(path: Path) -> bool:
    """List an entry whose source is the damaged file: that must never fail."""
    readable = True
    for kind, target in ((LOSS, "fuzzed_plugin:Ring"), (OBSERVER, "fuzzed_plugin"), (LOSS, "fuzzed_plugin:Round")):
        entry = Entry(kind, "ring", target, "fuzzed", "1.0")
        listed, _ = with_summary(entry)
        find_source(entry)
        readable &= listed.status == "ok"
    return readable


def read_recipe(path: Path) -> bool:
    entry = Entry(RECIPE, "recipe", "fuzzed_package.recipe", "fuzzed", "1.0")
    find_source(entry)
    return with_summary(entry)[0].status == "ok"


KINDS = [
    FileKind("class file", class_files, mutate_text, read_classes, 150),
    FileKind("split file", split_files, mutate_text, read_split, 120, "split.csv"),
    FileKind("recipe", recipes, mutate_toml, read_recipe, 60, "fuzzed_package/recipe.toml"),
    FileKind("plugin source", lambda: [SOURCE], mutate_source, read_source, 30, "fuzzed_plugin.py"),
]
