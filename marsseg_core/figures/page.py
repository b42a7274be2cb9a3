"""Render HTML pages with Jinja2. All pages share one base, one style sheet and some macros."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from ..printable import printable

HERE: Final = "marsseg_core.figures"


def render_template(package: str, template: str, **values: Any) -> str:
    """Render a Jinja2 template. All texts are escaped, so HTML in them is shown literally.

    A page begins with `{% extends "marsseg/base.html" %}`. This base shows `title` and has the blocks `style` and
    `content`. `marsseg/partials.html` has these macros: `table` and `column` for tables, `swatch` for a patch of
    colour, and `picture`, which embeds the bytes of a PNG file in the page.

    Args:
        package: The name of the package whose folder has the template.
        template: The name of the template file.
        **values: The variables of the template.

    Returns:
        The text of the page.

    Raises:
        jinja2.TemplateNotFound: The package has no such template.
        jinja2.UndefinedError: The template uses a variable that was not passed.
    """
    return _environment(package).get_template(template).render(values)


def _printable(value: Any) -> Any:
    """Replace control characters in a value that a template inserts. Rendered parts of a page stay as they are."""
    return value if hasattr(value, "__html__") else printable(str(value))


@cache
def _environment(package: str) -> Environment:
    shared = PrefixLoader({"marsseg": PackageLoader(HERE, "")})
    environment = Environment(
        loader=ChoiceLoader([shared, PackageLoader(package, "")]),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda content: b64encode(content).decode("ascii")
    return environment
