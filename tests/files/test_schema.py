"""Test the forms of documents: what they accept, and that an error names the field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from marsseg_core.files.run_forms import DOCUMENTS, PROGRESS
from marsseg_core.files.schema import Anything, FormError, Items, Nothing, Number, OneOf, Table, Text, Truth

SHARE = Number(0, 1)
FORM = Table(
    required={"status": Text(("finished", "failed")), "scores": Table(others=OneOf(SHARE, Nothing()))},
    optional={"items": Items(Number(0, whole=True), least=1), "deep": OneOf(Table(required={"a": Truth()}), Nothing())},
    renamed={"parts": "scores"},
)
VALID = {"status": "finished", "scores": {"miou": 0.5, "dice": None}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def refusal(value: object) -> str:
    with pytest.raises(FormError) as error:
        FORM.read(value)
    return str(error.value)


def test_a_valid_value_is_read_as_it_is_with_further_keys():
    value = VALID | {"items": [0, 3], "deep": {"a": True, "b": 1}, "of a newer version": [None]}
    assert FORM.read(value) == value


def test_a_key_of_an_older_version_gets_its_current_name():
    assert FORM.read({"status": "failed", "parts": {"miou": 1}}) == {"status": "failed", "scores": {"miou": 1}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": {"miou": "x"}}, "scores.miou must be a number from 0 to 1 or null, not 'x'"),
        ({"scores": {"miou": 1.5}}, "scores.miou must be a number from 0 to 1 or null, not 1.5"),
        ({"scores": {"miou": True}}, "scores.miou must be a number from 0 to 1 or null, not True"),
        ({"scores": {"miou": float("nan")}}, "scores.miou must be a number from 0 to 1 or null, not nan"),
        ({"scores": [1]}, "scores must be a table, not [1]"),
        ({"status": "x"}, "status must be 'finished' or 'failed', not 'x'"),
        ({"status": 3}, "status must be 'finished' or 'failed', not 3"),
        ({"items": []}, "items must be a list of at least 1, not []"),
        ({"items": [0, -1]}, "items[1] must be a whole number from 0, not -1"),
        ({"items": [0, 1.0]}, "items[1] must be a whole number from 0, not 1.0"),
        ({"deep": {"a": 1}}, "deep.a must be true or false, not 1"),
        ({"deep": 1}, "deep must be a table or null, not 1"),
        ({"scores": {"a\nb": 2}}, r"scores.'a\nb' must be a number from 0 to 1 or null, not 2"),
    ],
)
def test_an_error_names_the_field_and_the_value(change, says):
    assert refusal(VALID | change) == says


def test_missing_keys_are_named():
    assert refusal({}) == "status, scores are missing"
    assert refusal({"status": "failed"}) == "scores is missing"
    assert refusal([]) == "the content must be a table, not []"


def test_a_long_value_is_shortened():
    assert len(refusal(VALID | {"status": "x" * 10_000})) < 200
    assert len(refusal(VALID | {"scores": {"k" * 10_000: 3}})) < 200


@settings(max_examples=25)
@given(value=JSON)
@pytest.mark.parametrize("form", [FORM, Anything(), PROGRESS, *(document.form for document in DOCUMENTS.values())])
def test_any_value_is_read_or_refused_and_what_was_read_is_read_again(form, value):
    try:
        content = form.read(value)
    except FormError:
        return
    assert form.read(json.loads(json.dumps(content))) == content
