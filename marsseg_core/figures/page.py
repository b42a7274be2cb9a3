"""HTML pages: a template and the style that all of them share."""

from __future__ import annotations

from importlib.resources import files
from string import Template


def fill_page(package: str, template: str, **parts: str) -> str:
    """Fill in the parts of a template file that lies in a package; `$style` is the common style.

    Args:
        package: the package's name
        template: the file's name in it; its parts stand as `$name`
        **parts: what goes into each
    """
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8").rstrip()
    return Template(files(package).joinpath(template).read_text(encoding="utf-8")).substitute(style=style, **parts)
