"""The documentation builds without a warning, has all there is, and fetches nothing from elsewhere."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import pytest
from helpers.browser import needs_browser, shown
from helpers.commands import commands
from helpers.paths import REPOSITORY
from helpers.processes import run_process

import marsseg_core
from marsseg_core import hooks, plugin_api, testing
from marsseg_core.components.interfaces import Component
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.kinds import (
    ARCHITECTURE,
    AUGMENTATION,
    BOTTLENECK,
    COMPONENT_KINDS,
    ENCODER,
    LOSS,
    OBSERVER,
    RECIPE,
    SCHEDULE,
    WEIGHTING,
)
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = ("build", "--strict", "--config-file", str(REPOSITORY / "mkdocs.yml"), "--site-dir", str(folder / "pages"))
    # The theme's authors announce the theme after this one.
    # The notebook is executed in test_notebook.py. Pictures take a minute of processor time.
    environment = {"NO_MKDOCS_2_WARNING": "1", "MARSSEG_DOCS_NOTEBOOK": "no"}
    answer = run_process(sys.executable, "-m", "mkdocs", *words, cwd=folder, timeout=600, **environment)
    assert answer.code == 0, answer.err
    assert "WARNING" not in answer.err
    return folder / "pages"


def text_of(page: Path) -> str:
    return without_tags(page.read_text(encoding="utf-8"))


def without_tags(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def headings(page: Path) -> set[str]:
    return set(re.findall(r'<h\d id="([^"]+)"', page.read_text(encoding="utf-8")))


def test_every_command_and_option_is_in_the_reference(site):
    text = text_of(site / "reference" / "commands.html")
    for words, options in commands().items():
        if words != ("data",):
            assert " ".join(("marsseg", *words)) in text
            for option in options:
                assert option in text


@pytest.mark.parametrize("kind", [*COMPONENT_KINDS, RECIPE, OBSERVER], ids=str)
def test_every_component_and_parameter_is_in_the_reference(site, kind):
    page = site / "reference" / f"{'observers' if kind == OBSERVER else kind.group.partition('.')[2]}.html"
    entries = [entry for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION]
    assert {entry.name for entry in entries} <= headings(page)
    text = text_of(page)
    for entry in entries:
        names = () if kind in (RECIPE, OBSERVER) else parameters_of(load(entry))
        assert {*entry.aliases, *names} <= {*re.split(r"[^\w+-]+", text)}


def test_everything_public_is_in_the_reference(site):
    python, interfaces, contracts, plugins = (
        headings(site / "reference" / f"{name}.html") for name in ("python", "interfaces", "testing", "plugin_api")
    )
    assert {f"marsseg_core.plugin_api.{name}" for name in plugin_api.__all__} <= plugins
    assert {f"marsseg_core.{name}" for name in marsseg_core.__all__} <= python
    assert {f"marsseg_core.components.interfaces.{kind.__name__}" for kind in Component.__subclasses__()} <= interfaces
    assert {f"marsseg_core.hooks.Hooks.{name}" for name in vars(hooks.Hooks) if name[0] != "_"} <= interfaces
    assert {heading.rpartition(".")[2] for heading in contracts} >= set(testing.__all__)


def test_the_notebook_and_the_known_plugins_are_pages(site):
    assert "class TinyNet(Architecture):" in text_of(site / "notebook.html")
    assert (site / "tutorial.ipynb").is_file()
    assert "marsseg-dunes" in text_of(site / "known-plugins.html")


def test_every_source_that_a_page_names_is_a_link(site):
    pages = [page.read_text(encoding="utf-8") for page in site.rglob("*.html")]
    texts = [without_tags(re.sub(r"<(a|code|pre|script)\b.*?</\1>", "", page, flags=re.DOTALL)) for page in pages]
    named = re.compile(r"arXiv[ :]\d{4}\.\d+|doi:10\.|https://\w")
    assert not [found for text in texts for found in named.findall(text)]
    assert sum(page.count('href="https://arxiv.org/abs/') for page in pages) > 50


def drawn(kind):
    """The components of a kind that can be drawn alone: all that need no run and no files."""
    entries = [entry for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION]
    return [entry.name for entry in entries if (kind, entry.name) != (ARCHITECTURE, "refine")]


@pytest.mark.parametrize(
    "kind", [ARCHITECTURE, ENCODER, BOTTLENECK, LOSS, WEIGHTING, AUGMENTATION, SCHEDULE, RECIPE], ids=str
)
def test_every_component_that_can_be_drawn_has_a_picture_in_its_section_and_in_the_gallery(site, kind):
    page = (site / "reference" / f"{kind.plural}.html").read_text(encoding="utf-8")
    sections = {part.partition('"')[0]: part for part in page.split('<h2 id="')}
    gallery = (site / "gallery.html").read_text(encoding="utf-8")
    for name in drawn(kind):
        assert f'src="../pictures/{kind.plural}/' in sections[name]
        assert f"marsseg {kind.command} " in without_tags(sections[name])
        assert re.search(rf'href="reference/{kind.plural}.html#{re.escape(name)}"[^>]*><img', gallery)


def test_every_picture_is_there_says_what_it_shows_and_is_fetched_when_it_is_near(site):
    pictures = [
        (page, dict(re.findall(r'(\w+)="([^"]*)"', tag)))
        for page in site.rglob("*.html")
        for tag in re.findall(r"<img\b[^>]*>", page.read_text(encoding="utf-8"))
    ]
    assert len(pictures) > 100
    for page, picture in pictures:
        assert (page.parent / picture["src"]).stat().st_size < 250_000
        assert len(picture["alt"]) > 10
        assert picture["loading"] == "lazy"
        assert {"width", "height"} <= set(picture)


@pytest.mark.parametrize("kind", [LOSS, WEIGHTING, SCHEDULE], ids=str)
def test_formulas_are_mathematics(site, kind):
    page = (site / "reference" / f"{kind.plural}.html").read_text(encoding="utf-8")
    assert page.count('class="formula"') == len(drawn(kind))
    assert page.count("<math ") >= len(drawn(kind))


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        fetched = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?([^\"\s>]+)", page.read_text("utf-8")
        )
        assert not [address for address in fetched if re.match(r"(?:https?:)?//", address)], page


@needs_browser
@pytest.mark.parametrize(
    ("page", "width", "dark"),
    [
        ("index.html", 400, False),
        ("howto.html", 400, False),
        ("gallery.html", 400, False),
        ("reference/losses.html", 400, True),
        ("glossary.html", 400, False),  # it has one heading
        ("reference/commands.html", 1280, True),
    ],
)
def test_pages_show_no_error_fit_the_window_and_can_be_read(site, tmp_path, page, width, dark):
    seen = shown(site / page, tmp_path, width=width, dark=dark)
    assert seen.messages == []
    assert seen.overflow == 0
    assert seen.problems == {}
