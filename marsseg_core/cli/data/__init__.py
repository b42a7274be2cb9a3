"""`marsseg data`: commands that inspect, clean, make and convert data sets."""

from __future__ import annotations

from typing import Final

# Each command is a function in a module of this package with the same name.
COMMANDS: Final = ("inspect", "clean", "make", "convert", "cache")

HELP: Final = "Inspect, clean, make and convert data sets."
