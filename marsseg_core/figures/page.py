"""HTML pages, by Jinja2: one base, one style, and partials that all of them share."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

HERE: Final = "marsseg_core.figures"


def render_template(package: str, template: str, **values: Any) -> str:
    """Fill in a Jinja2 template. Every text is shown as it is, whatever it holds.

    A page begins with `{% extends "marsseg/base.html" %}`, which shows `title` and has the blocks `style` and
    `content`. `marsseg/partials.html` has macros: `table` and its `column`s, `swatch`, and `picture`, which puts a PNG
    file's bytes into the page.

    Args:
        package: The name of the package that has the template beside its modules.
        template: The name of the file.
        values: What the template calls by name; one that it lacks is an error.
    """
    return _environment(package).get_template(template).render(values)


@cache
def _environment(package: str) -> Environment:
    shared = PrefixLoader({"marsseg": PackageLoader(HERE, "")})
    environment = Environment(
        loader=ChoiceLoader([shared, PackageLoader(package, "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda content: b64encode(content).decode("ascii")
    return environment
