"""The list of known plugins is one that a reader can rely on: `docs/known-plugins.md` says what each key means."""

from __future__ import annotations

import importlib.util
import tomllib
from types import SimpleNamespace

import pytest
from helpers.paths import REPOSITORY
from packaging.licenses import canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import is_normalized_name

from marsseg_core import version
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.kinds import ALL_KINDS


def loaded_hook():
    spec = importlib.util.spec_from_file_location("known_plugins", REPOSITORY / "docs" / "known_plugins.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


HOOK = loaded_hook()
KNOWN = HOOK.read()
EACH = pytest.mark.parametrize("plugin", KNOWN, ids=lambda plugin: plugin["name"])


@EACH
def test_each_says_what_it_is(plugin):
    assert plugin.keys() == {"name", "summary", "kinds", "licence", "source"}
    assert is_normalized_name(plugin["name"])
    assert plugin["summary"].endswith(".")
    assert len(plugin["summary"]) <= 120
    assert "|" not in plugin["summary"]
    names = [kind.name for kind in ALL_KINDS]
    assert plugin["kinds"]
    assert [name for name in names if name in plugin["kinds"]] == plugin["kinds"]  # in marsseg's order
    assert canonicalize_license_expression(plugin["licence"]) == plugin["licence"]
    assert plugin["source"].startswith("https://") or (REPOSITORY / plugin["source"] / "pyproject.toml").is_file()


def test_they_are_sorted_and_each_is_there_once():
    names = [plugin["name"] for plugin in KNOWN]
    assert names == sorted({*names})


@pytest.mark.parametrize(
    "plugin", [each for each in KNOWN if not each["source"].startswith("https")], ids=lambda plugin: plugin["name"]
)
def test_what_is_said_of_a_plugin_in_this_repository_is_true(plugin):
    project = tomllib.loads((REPOSITORY / plugin["source"] / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["license"]) == (plugin["name"], plugin["licence"])
    groups = {kind.group: kind.name for kind in ALL_KINDS}
    assert {groups[group] for group in project["entry-points"]} == {*plugin["kinds"]}
    (needed,) = (need for need in map(Requirement, project["dependencies"]) if need.name == DISTRIBUTION)
    assert version() in needed.specifier


def test_the_example_is_one_of_them():
    assert "marsseg-dunes" in [plugin["name"] for plugin in KNOWN]


def test_the_page_shows_them_all():
    text = (REPOSITORY / "docs" / HOOK.PAGE).read_text(encoding="utf-8")
    assert text.count(HOOK.MARK) == 1
    shown = HOOK.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=HOOK.PAGE)))
    for plugin in KNOWN:
        assert f"{plugin['summary']} | {', '.join(plugin['kinds'])} | {plugin['licence']} |" in shown
    other = SimpleNamespace(file=SimpleNamespace(src_uri="plugins.md"))
    assert HOOK.on_page_markdown(text, other) == text


def test_a_source_elsewhere_is_a_link():
    elsewhere = KNOWN[0] | {"source": "https://example.org/acme"}
    assert f"[{elsewhere['name']}](https://example.org/acme)" in HOOK.table([elsewhere])
