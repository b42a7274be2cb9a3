"""Hash the code that prepares a data set: if the code changes, the prepared arrays may change too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from ..registry.source_code import imported_files, module_file

# Packages that are hashed even if another package imports them: data sets read files with them. Plugins import them
# from `plugin_api`.
_READERS: Final = ("marsseg_core.data", "marsseg_core.plugin_api")

# The package of the interfaces: the classes from there on in a class's method resolution order are not hashed.
_INTERFACES: Final = "marsseg_core.components.interfaces"


def code_hash(prepare: Any) -> str:
    """Return a hash of the source code of the callable `prepare` and of the modules that it imports.

    The hash includes the modules of the function, of the functions in its closure, and of the classes of components
    that it is bound to or refers to. It also includes the modules of their own packages and of `marsseg_core.data` that
    they import, also inside functions. A function without a file, such as one typed into an interpreter, is hashed by
    its compiled code.
    """
    digest = hashlib.blake2b(digest_size=16)
    files: dict[str, Path] = {}
    modules = sorted(set(_modules(prepare, digest)))
    digest.update("".join(f"{module}\n" for module in modules).encode())
    for package, members in groupby(modules, lambda module: module.partition(".")[0]):
        files |= imported_files(members, (package, *_READERS))
    for name in sorted(files):
        digest.update(f"{name}\n".encode())
        digest.update(files[name].read_bytes())
    return digest.hexdigest()


def _modules(value: Any, digest: Any) -> Iterator[str]:
    """Yield the modules that define `value` and its parts; hash functions without a file into `digest` directly."""
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
    """Yield the instructions, names and constants of a function and its inner functions, without line numbers."""
    yield code.co_code, code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
        else:
            yield repr(constant)
