"""Test HTML pages: all packages share one base and its macros, and texts are escaped."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import jinja2
import markupsafe
import pytest

from marsseg_core.plugin_api import render_template

REPOSITORY = Path(__file__).parents[2]
PACKAGES = [REPOSITORY / "marsseg_core", REPOSITORY / "plugins" / "marsseg_plugins"]

PNG = b"\x89PNG and so on"

PAGE = """\
{% extends "marsseg/base.html" %}
{% from "marsseg/partials.html" import column, picture, swatch, table %}
{% block style %}
pre { color: red; }
{% endblock %}
{% block content %}
{% call table() %}
<thead><tr>{{ column("name") }}{{ column(heading, ["of <all>"], number=true) }}</tr></thead>
{% endcall %}
{{ swatch("#123456") }}{{ picture(png, heading) }}{{ picture(png, heading, "wide") }}
{% endblock %}
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> str:
    """Make a package with a template."""
    folder = tmp_path / "paged"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "page.html").write_text(PAGE)
    monkeypatch.syspath_prepend(tmp_path)
    return "paged"


def test_a_page_of_any_package_has_the_base_and_the_partials(package):
    text = render_template(package, "page.html", title="A title", heading="count", png=PNG)
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("A title") == 2
    assert ":root {" in text
    assert "pre { color: red; }\n</style>" in text
    assert '<th scope="col">name</th><th class="number" scope="col">count<small>of &lt;all&gt;</small></th>' in text
    assert '<span class="swatch" style="background:#123456"></span>' in text
    encoded = b64encode(PNG).decode()
    assert f'<img alt="count" src="data:image/png;base64,{encoded}">' in text
    assert f'<img class="wide" alt="count" src="data:image/png;base64,{encoded}">' in text


@pytest.mark.parametrize("text", ["<b>&", "{{ 7 * 7 }}", "{% include 'x' %}", '" onload="x', "$style"])
def test_text_is_shown_literally(package, text):
    page = render_template(package, "page.html", title=text, heading=text, png=b"")
    safe = str(markupsafe.escape(text))
    assert f"<h1>{safe}</h1>" in page
    assert f'alt="{safe}"' in page


def test_a_missing_variable_or_template_is_an_error(package):
    with pytest.raises(jinja2.UndefinedError, match="heading"):
        render_template(package, "page.html", title="A title", png=b"")
    with pytest.raises(jinja2.TemplateNotFound, match="absent"):
        render_template(package, "absent.html")


def test_every_page_extends_the_base():
    pages = {path for folder in PACKAGES for path in folder.rglob("*.html")}
    shared = {path for path in pages if path.name in ("base.html", "partials.html", "notebook.html", "progress.html")}
    assert len(pages - shared) >= 2
    for path in pages - shared:
        assert path.read_text(encoding="utf-8").startswith('{% extends "marsseg/base.html" %}'), path


def test_html_is_in_templates_only():
    modules = [path for folder in PACKAGES for path in folder.rglob("*.py")]
    tag = re.compile(r"</(a|b|body|code|div|figure|h[1-6]|html|li|p|pre|small|span|strong|table|td|th|tr|ul)>")
    assert not [str(path) for path in modules if tag.search(path.read_text(encoding="utf-8"))]
