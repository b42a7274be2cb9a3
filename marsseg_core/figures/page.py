"""HTML pages: a template and the style that all of them share."""

from __future__ import annotations

from importlib.resources import files
from string import Template


def fill_page(package: str, template: str, **parts: str) -> str:
    """The template file of a package with its parts filled in; `$style` is the common style."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8").rstrip()
    return Template(files(package).joinpath(template).read_text(encoding="utf-8")).substitute(style=style, **parts)
