"""Make links of what pages name: `arXiv 1612.03144`, `doi:10.2307/1932409`, `github.com/owner/name`, `https://…`."""

from __future__ import annotations

import re
from typing import Any, Final

# Text in these elements is a link already, or something to type.
_LEFT_ALONE: Final = ("a", "code", "pre", "script", "style", "title")

# Each way to name a source, and the beginning of its address. Signs at the end of a sentence are not part of a name.
_SOURCES: Final = {
    r"\barXiv[ :](\d{4}\.\d{4,5})\b": "https://arxiv.org/abs/",
    r"(?<![\w/])doi:(10\.\d{4,9}/[\w.+/()-]*\w)": "https://doi.org/",
    r"(?<![\w/])((?:github\.com|doi\.org)/[\w.+/()-]*[\w/])": "https://",
    r"(?<![\w+])https://([\w.~%+/?=#@:-]*[\w/])": "https://",
}
_NAMED: Final = re.compile("|".join(_SOURCES))


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
    return _NAMED.sub(_link, text)


def _link(found: re.Match[str]) -> str:
    assert found.lastindex is not None
    begin = [*_SOURCES.values()][found.lastindex - 1]
    return f'<a href="{begin}{found[found.lastindex]}">{found[0]}</a>'
