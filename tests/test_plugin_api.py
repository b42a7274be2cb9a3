"""Test that one page of the documentation has every name of `marsseg_core.plugin_api`, with a useful docstring."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from types import ModuleType

import pytest
from helpers.paths import REPOSITORY

from marsseg_core import plugin_api

PAGE = (REPOSITORY / "docs" / "reference" / "plugin_api.md").read_text(encoding="utf-8")

# The first words of sentences that are not imperative.
NOT_IMPERATIVE = {"A", "An", "The", "What", "Which", "Whether", "How", "All", "Some", "One", "It", "This", "These"}


def docstring(name: str) -> str:
    """Return the docstring of a name; for a constant, the text below its assignment."""
    value = getattr(plugin_api, name)
    if isinstance(value, type | ModuleType) or inspect.isfunction(value):
        return inspect.getdoc(value) or ""
    (module,) = [module for module, names in plugin_api._NAMES.items() if name in names]
    file = REPOSITORY / "marsseg_core" / f"{module.replace('.', '/')}.py"
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node, below in pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            return str(below.value.value)
    return ""


def test_every_name_is_on_the_page_once():
    listed = re.findall(r"^::: marsseg_core\.plugin_api\.(\w+)$", PAGE, re.MULTILINE)
    assert sorted(listed) == plugin_api.__all__


def test_the_page_is_in_the_navigation():
    assert "reference/plugin_api.md" in (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plugin_api.__all__)
def test_every_docstring_begins_with_an_imperative_sentence(name):
    sentence = re.match(r"[^\n]+(?:\n[^\n]+)*?[.:](?=\s|$)", docstring(name))
    assert sentence, f"{name} has no sentence"
    first = sentence[0].split()[0]
    assert first[0].isupper()
    assert not first.endswith("s"), f"{name}: {sentence[0]}"
    assert first not in NOT_IMPERATIVE, f"{name}: {sentence[0]}"


@pytest.mark.parametrize("name", [name for name in plugin_api.__all__ if inspect.isfunction(getattr(plugin_api, name))])
def test_the_docstring_of_a_function_describes_its_arguments_and_errors(name):
    """The described arguments are those of the function, and errors have a section."""
    text, parameters = docstring(name), inspect.signature(getattr(plugin_api, name)).parameters
    described = re.search(r"^Args:\n((?:    .*\n?)+)", text, re.MULTILINE)
    if described:
        assert set(re.findall(r"^    \**(\w+):", described[1], re.MULTILINE)) == set(parameters)
    assert "Raises RequestError" not in text


def test_every_method_of_an_interface_has_an_imperative_docstring():
    for name in plugin_api.__all__:
        value = getattr(plugin_api, name)
        if not isinstance(value, type) or not issubclass(value, plugin_api.Component):
            continue
        for method, member in vars(value).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if method[0] != "_" and inspect.isfunction(function):
                first = (inspect.getdoc(function) or "None").split()[0]
                assert first not in NOT_IMPERATIVE, f"{name}.{method}"
                assert not first.endswith("s"), f"{name}.{method}"
