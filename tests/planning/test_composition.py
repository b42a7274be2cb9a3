"""The grammar of composition texts: `name:key=value:key=value,name`."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from marsseg_core.errors import RequestError
from marsseg_core.planning.grammar import NamedComponent, parse

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+_.-]*", fullmatch=True).filter(lambda name: name != "none")
KEYS = st.from_regex(r"[a-z][a-z_]*", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9_./=-]+", fullmatch=True)
COMPONENTS = st.builds(NamedComponent, NAMES, st.dictionaries(KEYS, VALUES, max_size=3))


def written(components: list[NamedComponent]) -> str:
    return ",".join(":".join([c.name, *(f"{key}={value}" for key, value in c.parameters.items())]) for c in components)


@given(st.lists(COMPONENTS, min_size=1, max_size=4))
def test_parse_reads_back_a_written_composition(components):
    assert parse(written(components)) == components


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text):
    try:
        components = parse(text)
    except RequestError:
        return
    assert all(named.name for named in components)
    assert len(components) == (text.count(",") + 1 if text.strip() != "none" else 0)


@pytest.mark.parametrize(
    ("text", "components"),
    [
        ("dense", [NamedComponent("dense")]),
        ("transformer,aspp", [NamedComponent("transformer"), NamedComponent("aspp")]),
        (
            " transformer , aspp:out = classes ",
            [NamedComponent("transformer"), NamedComponent("aspp", {"out": "classes"})],
        ),
        ("aspp,aspp", [NamedComponent("aspp"), NamedComponent("aspp")]),
        ("acme/dense:width=0.5", [NamedComponent("acme/dense", {"width": "0.5"})]),
        ("npz:path=a=b", [NamedComponent("npz", {"path": "a=b"})]),
        ("none", []),
        (" none ", []),
    ],
)
def test_examples_of_compositions(text, components):
    assert parse(text) == components


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'' has an empty name where a component is expected."),
        ("wssce,", "'wssce,' has an empty name where a component is expected."),
        ("a,,b", "'a,,b' has an empty name where a component is expected."),
        (":width=1", "':width=1' has an empty name where a component is expected."),
        ("dense:width", "'width' in 'dense:width' is not of the form key=value."),
        ("dense:width=", "'width=' in 'dense:width=' is not of the form key=value."),
        ("dense:=1", "'=1' in 'dense:=1' is not of the form key=value."),
        ("dense:", "'' in 'dense:' is not of the form key=value."),
        ("dense:width=1:width=2", "'width' is given twice in 'dense:width=1:width=2'."),
    ],
)
def test_a_wrong_composition_is_refused_with_its_place(text, what):
    with pytest.raises(RequestError) as caught:
        parse(text, where="--arch")
    assert (caught.value.what, caught.value.where) == (what, "--arch")
