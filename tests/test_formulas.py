"""The formulas of the reference: one place for each component, which becomes MathML."""

from __future__ import annotations

import re
import tomllib

import pytest
from helpers.paths import REPOSITORY
from latex2mathml.converter import convert

from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.kinds import COMPONENT_KINDS, LOSS, SCHEDULE, WEIGHTING

TABLES = tomllib.loads((REPOSITORY / "docs" / "formulas.toml").read_text(encoding="utf-8"))
KINDS = {kind.name: kind for kind in COMPONENT_KINDS}
LINES = [
    (name, line) for kind in TABLES if kind != "notation" for name, lines in TABLES[kind].items() for line in lines
]


def built_in(kind):
    return {entry.name for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION}


@pytest.mark.parametrize("kind", [LOSS, WEIGHTING, SCHEDULE], ids=str)
def test_each_component_of_these_kinds_has_one(kind):
    assert set(TABLES[kind.name]) == built_in(kind)


def test_each_is_of_a_component_and_its_letters_are_explained():
    for kind in TABLES["notation"]:
        assert set(TABLES[kind]) <= built_in(KINDS[kind])
    assert set(TABLES) - {"notation"} == set(TABLES["notation"])


@pytest.mark.parametrize(("name", "line"), LINES)
def test_every_command_of_its_latex_is_understood(name, line):
    mathml = convert(line, display="block")
    assert re.findall(r"\\\w+|&#x0005C;", mathml) == []
    assert mathml.count("<m") == mathml.count("</m") + len(re.findall(r"<m\w+[^>]*/>", mathml))
