"""The links that the documentation makes of the sources that its pages name."""

from __future__ import annotations

import importlib.util

import pytest
from helpers.paths import REPOSITORY


def loaded_hook():
    spec = importlib.util.spec_from_file_location("links", REPOSITORY / "docs" / "links.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


HOOK = loaded_hook()


@pytest.mark.parametrize(
    ("text", "address", "named"),
    [
        ("Lin 2017, arXiv 1612.03144.", "https://arxiv.org/abs/1612.03144", "arXiv 1612.03144"),
        ("Dice 1945, doi:10.2307/1932409.", "https://doi.org/10.2307/1932409", "doi:10.2307/1932409"),
        (
            "(doi:10.1007/s11263-014-0733-5).",
            "https://doi.org/10.1007/s11263-014-0733-5",
            "doi:10.1007/s11263-014-0733-5",
        ),
        ("at doi.org/10.5281/zenodo.159.", "https://doi.org/10.5281/zenodo.159", "doi.org/10.5281/zenodo.159"),
        ("Code: github.com/owner/name.", "https://github.com/owner/name", "github.com/owner/name"),
        ("Source: https://docs.ray.io", "https://docs.ray.io", "https://docs.ray.io"),
        ("(https://github.com/owner/name)", "https://github.com/owner/name", "https://github.com/owner/name"),
    ],
)
def test_a_source_is_a_link(text, address, named):
    link = f'<a href="{address}">{named}</a>'
    assert HOOK.on_page_content(f"<p>{text}</p>") == f"<p>{text.replace(named, link)}</p>"


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://docs.ray.io">https://docs.ray.io</a>',
        "<pre><code>pip install https://docs.ray.io</code></pre>",
        '<img src="https://docs.ray.io/picture.png">',
        "<p>marsseg @ git+https://…</p>",
    ],
)
def test_links_code_and_attributes_are_left_alone(html):
    assert HOOK.on_page_content(html) == html
