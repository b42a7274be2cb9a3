"""Put off the import of a library until it is used, also where another library imports it at its beginning."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _OnDemand(ModuleType):
    """Stand for a module that is imported when something in it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system itself reads these
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            raise ImportError(f"{self.__name__} is not imported while another library is")
        return getattr(import_module(self.__name__), name)


@contextmanager
def imported_on_demand(*names: str) -> Iterator[None]:
    """Let imports of these modules inside the block return modules that are imported at their first use after it.

    A package must stand before its modules. If something in it is used inside the block, this fails as if the module
    were not installed. Modules that are imported already are left as they are.

    Args:
        names: the full names of the modules
    """
    stand_ins = {name: _OnDemand(name) for name in names if name not in sys.modules}
    for name, module in stand_ins.items():
        package, _, own_name = name.rpartition(".")
        if package in stand_ins:
            setattr(stand_ins[package], own_name, module)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
