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
_FRAME: Final = r"""<!DOCTYPE html><meta charset="utf-8"><iframe id="frame" style="border:0" width="{width}"
height="3000" src="{address}"></iframe><pre id="answer"></pre><script>
const rgba = (colour) => {{ const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return [r, g, b, a]; }};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
const light = (colour) => {{
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = colour.map((each) => linear(each / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}};
// The contrast of a text with what is behind it, and the one that it needs, as WCAG 2 (AA) defines them.
const contrast = (element) => {{
  const layers = [], style = getComputedStyle(element);
  const ink = element.namespaceURI.endsWith("/svg") && /^rgb/.test(style.fill) ? style.fill : style.color;
  for (let each = element; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
  const behind = layers.reduceRight((below, top) => over(top, below), [255, 255, 255]);
  const [low, high] = [light(behind), light(over(rgba(ink), behind))].sort((a, b) => a - b);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  return [(high + 0.05) / (low + 0.05), large ? 3 : 4.5];
}};
const pale = (page) => [...page.body.querySelectorAll("*")].filter((each) => {{
  const text = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!text || !each.checkVisibility({{opacityProperty: true, visibilityProperty: true}})) return false;
  const [has, needs] = contrast(each);
  return has < needs;
}}).map((each) => `${{each.textContent.trim().slice(0, 40)}}: ${{contrast(each)[0].toFixed(2)}}`);
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
    pale: pale(page),
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
        problems: what keeps a screen reader from reading it, and texts that are too pale to read
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
    names = ("unnamed", "undescribed", "unreachable", "repeated", "pale")
    problems = {name: found[name] for name in names if found[name]}
    problems |= {} if found["language"] else {"language": ""}
    messages = re.findall(r":CONSOLE[^\]]*\] (.*)", answer.stderr)
    return Shown(messages, found["overflow"], problems, found["background"], found["text"], found["drawn"])
