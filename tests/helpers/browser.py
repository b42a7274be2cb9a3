"""Show a page in a browser without a window (Chromium), and measure it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

CHROMIUM: Final = shutil.which("chromium")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it")

# A window cannot be as narrow as a phone, so the page is shown in a frame.
_FRAME: Final = """<!DOCTYPE html><meta charset="utf-8"><iframe id="frame" style="border:0" width="{width}"
height="3000" src="{address}"></iframe><pre id="answer"></pre><script>
const measure = () => {{
  const page = document.getElementById("frame").contentDocument, root = page.documentElement;
  const named = (field) => field.labels?.length || field.getAttribute("aria-label") || field.type === "hidden";
  const scrolls = (each) => /auto|scroll/.test(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth;
  const ids = [...page.querySelectorAll("[id]")].map((each) => each.id);
  document.getElementById("answer").textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth,
    unnamed: [...page.querySelectorAll("input, select, textarea")].filter((each) => !named(each)).length,
    undescribed: [...page.querySelectorAll("img:not([alt])")].length,
    unreachable: [...page.querySelectorAll("body *")].filter((each) => scrolls(each) && each.tabIndex < 0).length,
    drawn: [...page.querySelectorAll("svg[role=img]")].map((each) =>
      `${{each.getAttribute("aria-label").split(":")[0]}}: ${{each.querySelectorAll("polyline").length}} lines`),
    repeated: ids.filter((id, position) => ids.indexOf(id) !== position),
    language: root.lang,
    background: getComputedStyle(page.body).backgroundColor,
    text: page.body.innerText,
  }});
}};
document.getElementById("frame").addEventListener("load", () => setTimeout(measure, 300));
</script>"""


@dataclass(frozen=True)
class Shown:
    """A page as a browser shows it.

    Attributes:
        messages: what its scripts wrote on the console, errors among them
        overflow: the number of pixels by which it is wider than the window
        problems: what keeps a screen reader from reading it
        background: the colour of the page, as CSS writes it
        text: its visible text
        drawn: what each plot is called, and how many lines it has
    """

    messages: list[str]
    overflow: int
    problems: dict[str, Any]
    background: str
    text: str
    drawn: list[str]


def shown(page: Path, folder: Path, *, width: int = 1280, dark: bool = False) -> Shown:
    """Show a page in a window so many pixels wide. `folder` is for a file beside it."""
    frame = folder / f"frame-{width}.html"
    frame.write_text(_FRAME.format(width=width, address=html.escape(page.as_uri())), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr"]
    words += ["--virtual-time-budget=5000", "--dump-dom"]
    words += ["--blink-settings=preferredColorScheme=0"] if dark else []
    answer = subprocess.run(
        [str(CHROMIUM), *words, frame.as_uri()], capture_output=True, encoding="utf-8", check=True, timeout=120
    )
    found = json.loads(html.unescape(re.search(r'<pre id="answer">(.*?)</pre>', answer.stdout, re.DOTALL)[1]))
    names = ("unnamed", "undescribed", "unreachable", "repeated")
    problems = {name: found[name] for name in names if found[name]}
    problems |= {} if found["language"] else {"language": ""}
    messages = re.findall(r":CONSOLE[^\]]*\] (.*)", answer.stderr)
    return Shown(messages, found["overflow"], problems, found["background"], found["text"], found["drawn"])
