"""Hide what the C++ code of libraries prints about itself."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

# What prints about itself while it is imported. Each one is imported by the code of a plugin or by marsseg.
_LIBRARIES: Final = ("keras", "tensorflow", "jax")


@contextmanager
def native_output_hidden() -> Iterator[None]:
    """Hide what is written to descriptor 2 while the block runs.

    If the block raises an exception, it is shown then; not if it is interrupted.
    """
    sys.stderr.flush()
    with ExitStack() as stack:
        try:
            hidden = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no folder for temporary files can be written: nothing is hidden
            yield
            return
        original = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            hidden.seek(0)
            stack.callback(sys.stderr.write, hidden.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


@contextmanager
def native_output_of_imports_hidden() -> Iterator[None]:
    """Hide what Keras and its backends write to descriptor 2 while the code inside the block imports them.

    What the code itself prints is shown. If the import fails, what was hidden is shown.
    """
    finder = _Finder(_LIBRARIES)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Find some modules, each once, with a loader that hides their output."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = {*names}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the specification of one of the modules, as the other finders have it."""
        if fullname not in self._names:
            return None
        self._names.remove(fullname)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Load a module as another loader does, and hide its output."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as the other loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, which has the other loader from then on."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        with native_output_hidden():
            self._loader.exec_module(module)
