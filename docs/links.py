"""Make links of the papers and repositories that pages name: `arXiv 1612.03144`, `github.com/owner/name`, DOIs."""

from __future__ import annotations

import re
from typing import Any, Final

# Text in these elements is a link already, or something to type.
_LEFT_ALONE: Final = ("a", "code", "pre", "script", "style", "title")

_SOURCES: Final = (
    (re.compile(r"\barXiv[ :](\d{4}\.\d{4,5})\b"), r'<a href="https://arxiv.org/abs/\1">\g<0></a>'),
    (re.compile(r"(?<![\w/])(?:github\.com|doi\.org)/[\w.+/()-]*[\w/]"), r'<a href="https://\g<0>">\g<0></a>'),
)


def on_page_content(html: str, **_: Any) -> str:
    """Return the page with links in its text. MkDocs calls this for each page, after it was converted."""
    parts, inside = [], 0
    for part in re.split(r"(<[^>]+>)", html):
        tag = re.match(r"<(/?)(\w+)", part)
        if tag is None:
            parts.append(part if inside else linked(part))
            continue
        if tag[2] in _LEFT_ALONE:
            inside += -1 if tag[1] else 1
        parts.append(part)
    return "".join(parts)


def linked(text: str) -> str:
    """Return text with links to the sources that it names."""
    for pattern, link in _SOURCES:
        text = pattern.sub(link, text)
    return text
