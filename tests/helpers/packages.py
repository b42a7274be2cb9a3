"""Distributions for the catalog to look at."""

from importlib.metadata import Distribution, EntryPoint

from marsseg_core.registry.kinds import ARCHITECTURE


class Package(Distribution):
    """A distribution that is nowhere installed."""

    def __init__(self, name: str, version: str = "1.0", requires: tuple[str, ...] = ()) -> None:
        self.lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {text}" for text in requires)]

    def read_text(self, filename):
        return "\n".join(self.lines) if filename == "METADATA" else None

    def locate_file(self, path):
        raise AssertionError("the catalog looks at metadata alone")

    def point(self, name: str, target: str, kind=ARCHITECTURE) -> EntryPoint:
        return EntryPoint(name, target, kind.group)._for(self)
