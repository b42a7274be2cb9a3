"""`marsseg data`: look at data sets, clean, make and convert them."""

from __future__ import annotations

from typing import Final

# Each is a module of this package with a function of the same name.
COMMANDS: Final = ("inspect", "clean", "make", "convert", "cache")

HELP: Final = "Look at data sets; clean, make and convert them."
