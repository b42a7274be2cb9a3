"""The code that prepares a data set: with other code, other arrays come out of the same files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from ..registry.source_code import imported_files, module_file

# What a data set reads its files with, wherever it is defined; plugins have it from `plugin_api`, which imports it.
_READERS: Final = ("marsseg_core.data", "marsseg_core.plugin_api")

# Where the interfaces are: from there on, nothing in a class is its own.
_INTERFACES: Final = "marsseg_core.components.interfaces"


def code_hash(prepare: Any) -> str:
    """A hash of the source of all that the callable `prepare` is defined in, and of what that imports.

    These are the modules of the function, of its closure's functions, and of the classes of components that it is
    bound to or refers to; and what they import, in functions too, of their own packages and of `marsseg_core.data`.
    A function without a file, typed into an interpreter, counts by its compiled code.
    """
    digest = hashlib.blake2b(digest_size=16)
    files: dict[str, Path] = {}
    for module in sorted(set(_modules(prepare, digest))):
        digest.update(f"{module}\n".encode())
        files |= imported_files(module, (module.partition(".")[0], *_READERS))
    for name in sorted(files):
        digest.update(f"{name}\n".encode())
        digest.update(files[name].read_bytes())
    return digest.hexdigest()


def _modules(value: Any, digest: Any) -> Iterator[str]:
    """The modules that define `value` and what it holds; functions that have no file go into `digest` at once."""
    if isinstance(value, partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            yield from _modules(part, digest)
    elif isinstance(value, MethodType):
        yield from _modules(value.__func__, digest)
        yield from _modules(value.__self__, digest)
    elif isinstance(value, FunctionType):
        yield value.__module__
        if module_file(value.__module__) is None:
            digest.update(repr(list(_instructions(value.__code__))).encode())
        for cell in value.__closure__ or ():
            yield from _modules(cell.cell_contents, digest)
    elif is_dataclass(value) or callable(value):
        for owner in type(value).__mro__[:-1]:
            if f"{owner.__module__}.".startswith(f"{_INTERFACES}."):
                break
            yield owner.__module__


def _instructions(code: CodeType) -> Iterator[Any]:
    """What a function does, wherever it stands: its instructions, names and constants, inner functions included."""
    yield code.co_code, code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
        else:
            yield repr(constant)
