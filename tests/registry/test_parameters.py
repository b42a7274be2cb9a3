"""The parameters of a component: conversion from text and TOML to values, and back."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest
import tomli_w
from hypothesis import given, strategies as st

from marsseg_core.errors import PluginError, RequestError
from marsseg_core.planning.options import SECTIONS, options_of
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.kinds import COMPONENT_KINDS
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import Parameter, configure, param, parameters_of, settings, to_text, to_toml

if TYPE_CHECKING:
    import decimal

WORDS = st.text("abcxyz0189_./ -", min_size=1).map(str.strip).filter(lambda text: text not in ("", "none", "auto"))
WHOLE = st.integers(-(2**40), 2**40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

# Each possible type of a parameter, with a strategy for its values.
TYPES = {
    bool: st.booleans(),
    int: WHOLE,
    float: NUMBERS,
    str: WORDS,
    int | None: st.none() | WHOLE,
    float | None: st.none() | NUMBERS,
    Literal["pre", "post"]: st.sampled_from(["pre", "post"]),
    Literal[1, 2, "both"]: st.sampled_from([1, 2, "both"]),
    tuple[int, ...]: st.lists(WHOLE, min_size=1).map(tuple),
    tuple[float, ...]: st.lists(NUMBERS, min_size=1).map(tuple),
    tuple[str, ...]: st.lists(WORDS, min_size=1).map(tuple),
    Literal["auto"] | tuple[int, ...]: st.just("auto") | st.lists(WHOLE, min_size=1).map(tuple),
    tuple[Literal["pre", "post"], ...]: st.lists(st.sampled_from(["pre", "post"]), min_size=1).map(tuple),
    tuple[int, ...] | None: st.none() | st.lists(WHOLE, min_size=1).map(tuple),
    str | None: st.none() | WORDS,
}
TYPED_VALUES = st.sampled_from(list(TYPES)).flatmap(lambda kind: st.tuples(st.just(kind), TYPES[kind]))


def parameter(type, **options) -> Parameter:
    return Parameter("it", type, None, "", **options)


def same(left, right) -> bool:
    return left == right and type(left) is type(right)


@given(TYPED_VALUES)
def test_a_value_written_as_text_is_read_back(typed):
    type, value = typed
    assert same(parameter(type).convert(to_text(value)), value)


@given(TYPED_VALUES)
def test_a_value_written_as_toml_is_read_back(typed):
    type, value = typed
    read = tomllib.loads(tomli_w.dumps({"it": to_toml(value)}))["it"]
    assert same(parameter(type).convert(read), value)


@given(TYPED_VALUES)
def test_a_python_value_is_accepted_as_it_is(typed):
    type, value = typed
    assert same(parameter(type).convert(value), value)


def test_an_empty_list_can_be_written_in_toml():
    assert parameter(tuple[int, ...]).convert([]) == ()


@pytest.mark.parametrize(
    ("type", "raw", "value"),
    [
        (int, " 3 ", 3),
        (float, "3", 3.0),
        (float, 3, 3.0),
        (float, "1e-3", 0.001),
        (bool, "Yes", True),
        (bool, "off", False),
        (tuple[int, ...], "6, 12,18", (6, 12, 18)),
        (tuple[int, ...], 6, (6,)),
        (tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (int | None, "none", None),
        (int | Literal["auto"], "auto", "auto"),
        (int | Literal["auto"], "7", 7),
        (tuple[Literal["a", "b"], ...], "b, a,b", ("b", "a", "b")),
        (tuple[Literal["a", "b"], ...], "b", ("b",)),
        (tuple[Literal[1, 2], ...], ["1", 2], (1, 2)),
        (str | None, "none", None),  # fixed words have priority over str, which accepts any text
    ],
)
def test_texts_and_toml_values_are_converted(type, raw, value):
    assert same(parameter(type).convert(raw), value)


@pytest.mark.parametrize(
    ("type", "raw", "expected"),
    [
        (int, "x", "a whole number"),
        (int, "2.5", "a whole number"),
        (int, 2.5, "a whole number"),
        (int, True, "a whole number"),
        (int, "", "a whole number"),
        (float, "x", "a number"),
        (float, "nan", "a number"),
        (float, "inf", "a number"),
        (float, "1e999", "a number"),
        (float, 10**400, "a number"),
        (float, True, "a number"),
        (float, None, "a number"),
        (float, {"a": 1}, "a number"),
        (bool, "maybe", "true or false"),
        (bool, 1, "true or false"),
        (str, 3, "text"),
        (Literal["pre", "post"], "prae", "one of pre, post"),
        (Literal["pre", "post"], ["pre"], "one of pre, post"),
        (int | Literal["auto"], "x", "whole number or auto"),
        (tuple[int, ...] | None, "1,x", "list of whole numbers or none"),
        (tuple[int, ...], "1,,2", "a whole number"),
        (tuple[int, ...], "", "a whole number"),
        (tuple[Literal["a", "b"], ...], "a,c", "one of a, b"),
        (tuple[Literal["a", "b"], ...] | None, "a,c", "list out of a, b or none"),
    ],
)
def test_a_wrong_value_is_refused_with_the_expected_type(type, raw, expected):
    with pytest.raises(ValueError, match=f"^{expected}$"):
        parameter(type).convert(raw)


@pytest.mark.parametrize(
    ("bounds", "raw", "expected"),
    [
        ({"minimum": 1}, "0.999", "at least 1"),
        ({"maximum": 1}, "1.001", "at most 1"),
        ({"above": 0}, "0", "above 0"),
        ({"minimum": 1}, "3,0,2", "at least 1"),
    ],
)
def test_bounds_apply_to_a_number_and_to_each_item_of_a_list(bounds, raw, expected):
    with pytest.raises(ValueError, match=expected):
        parameter(tuple[float, ...] if "," in raw else float, **bounds).convert(raw)


def test_a_bound_is_shown_with_all_of_its_digits():
    for bounds, raw, expected in (
        ({"maximum": 10_000_000}, "10000001", "at most 10,000,000"),
        ({"maximum": 2**32 - 1}, 2**32, "at most 4,294,967,295"),
        ({"minimum": 0.001}, "0", "at least 0.001"),
    ):
        with pytest.raises(ValueError, match=f"^{expected}$"):
            parameter(float, **bounds).convert(raw)


def test_a_list_has_a_limit():
    assert len(parameter(tuple[int, ...]).convert([1] * 1000)) == 1000
    with pytest.raises(ValueError, match=r"^a list of at most 1,000, not 1,001$"):
        parameter(tuple[int, ...]).convert([1] * 1001)


# Numbers that cost nothing, however large they are, and the limit that a user raises on purpose.
UNLIMITED = {"seed", "first", "ignore_classes", "pixel_limit"}


@pytest.mark.parametrize("entry", [e for e in installed().entries if e.kind in COMPONENT_KINDS], ids=lambda e: e.label)
def test_every_whole_number_of_a_component_has_an_upper_limit(entry):
    """Without one, a huge number hangs, or takes all memory, before anything is said."""
    if entry.distribution == DISTRIBUTION:
        assert _without_limit(load(entry)) <= UNLIMITED


def test_so_has_every_whole_number_of_a_plan():
    for section in (*SECTIONS.values(), *map(options_of, COMPONENT_KINDS)):
        assert _without_limit(section) <= UNLIMITED


def _without_limit(cls: type) -> set[str]:
    return {name for name, each in parameters_of(cls).items() if each.maximum is None and _is_whole(each.type)}


def _is_whole(annotation: Any) -> bool:
    return annotation is int or any(map(_is_whole, get_args(annotation)))


@given(st.floats(-10, 10))
def test_minimum_and_maximum_are_inclusive_and_above_and_below_are_not(value):
    assert parameter(float, minimum=value, maximum=value).convert(value) == value
    assert parameter(float, above=value - 1, below=value + 1).convert(value) == value
    for bound in ("above", "below"):
        with pytest.raises(ValueError, match=bound):
            parameter(float, **{bound: value}).convert(value)


@pytest.mark.parametrize(
    ("type", "raw", "expected"),
    [
        (tuple[int, ...], [], "a list of 2 or more whole numbers"),
        (tuple[int, ...], "3", "a list of 2 or more whole numbers"),
        (tuple[int, ...] | Literal["auto"], [], "list of 2 or more whole numbers or auto"),
        (tuple[Literal["a", "b"], ...] | None, ["a"], "list of 2 or more out of a, b or none"),
    ],
)
def test_a_list_has_a_minimum_length(type, raw, expected):
    bounded = parameter(type, min_length=2)
    assert bounded.type_text in expected
    with pytest.raises(ValueError, match=bounded.type_text):
        bounded.convert(raw)
    assert parameter(type).convert(raw) is not None


def test_a_list_of_the_minimum_length_and_a_fixed_word_are_accepted():
    bounded = parameter(tuple[int, ...] | Literal["auto"], min_length=2)
    assert bounded.convert("3,4") == (3, 4)
    assert bounded.convert("auto") == "auto"


def test_bounds_do_not_apply_to_values_that_are_not_numbers():
    assert parameter(int | None, minimum=1).convert("none") is None
    assert parameter(int | Literal["auto"], minimum=1).convert("auto") == "auto"
    assert parameter(bool, minimum=1).convert("false") is False


@dataclass(frozen=True)
class Kernel:
    """A sample component."""

    size: int = param(3, help="taps on a side", minimum=1)
    sigma: float = param(1.0, help="standard deviation", above=0)
    mode: Literal["same", "valid"] = param("same", help="what happens at the border")

    def __post_init__(self):
        if self.size == 2 and self.mode == "same":
            raise ValueError("an even size has no middle")


def test_configure_converts_texts_and_keeps_other_defaults():
    assert configure(Kernel, {"size": "5", "sigma": 2}) == Kernel(5, 2.0, "same")
    assert settings(Kernel()) == {"size": 3, "sigma": 1.0, "mode": "same"}


@pytest.mark.parametrize(
    ("raw", "what", "hint"),
    [
        ({"siz": "5"}, "There is no parameter 'siz'.", "Did you mean 'size'?"),
        ({"zzz": "5"}, "There is no parameter 'zzz'.", "Its parameters: mode, sigma, size."),
        ({"size": "x"}, "size=x is not valid: expected a whole number.", "size: taps on a side."),
        ({"sigma": "0"}, "sigma=0 is not valid: expected above 0.", "sigma: standard deviation."),
        ({"size": [1, 2]}, "size=1,2 is not valid: expected a whole number.", "size: taps on a side."),
        ({"size": "2"}, "These parameters do not fit together: an even size has no middle", None),
    ],
)
def test_a_wrong_parameter_is_named_with_the_expected_value(raw, what, hint):
    with pytest.raises(RequestError) as caught:
        configure(Kernel, raw, where="arch kernel")
    assert (caught.value.what, caught.value.where, caught.value.hint) == (what, "arch kernel", hint)


def test_a_parameter_without_a_default_is_required():
    @dataclass(frozen=True)
    class File:
        path: str = param(help="the file")

    with pytest.raises(RequestError, match="path must be given") as caught:
        configure(File, {}, where="npz")
    assert caught.value.hint.startswith("path: the file.\nAdd it to the name, as in NAME:path=…")
    with pytest.raises(RequestError) as caught:
        configure(File, {}, path="data.npz")
    assert caught.value.hint.endswith("as in npz:path=…, or set it with --set data.npz.path=…")
    assert configure(File, {"path": "a b.npz"}).path == "a b.npz"


def test_a_plain_dataclass_field_is_a_parameter_too():
    @dataclass(frozen=True)
    class Plain:
        size: int = 3
        rates: tuple[int, ...] = field(default_factory=lambda: (1, 2))
        cached: int = field(default=0, init=False)

    assert list(parameters_of(Plain)) == ["size", "rates"]
    assert configure(Plain, {}) == Plain(3, (1, 2))
    assert parameters_of(Plain)["rates"].default == (1, 2)


@pytest.mark.parametrize("type", [dict, list[int], tuple[int, int], int | dict, tuple[bytes, ...]])
def test_a_type_that_cannot_be_written_as_text_is_a_plugin_error(type):
    broken = make_dataclass("Broken", [("table", type)], frozen=True)
    with pytest.raises(PluginError, match="cannot be of type") as caught:
        parameters_of(broken)
    assert "Broken.table" in caught.value.where


def test_an_annotation_that_does_not_exist_at_run_time_is_a_plugin_error():
    @dataclass(frozen=True)
    class Broken:
        exact: decimal.Decimal | None = None

    with pytest.raises(PluginError, match=r"The annotations of .*Broken cannot be evaluated: name 'decimal'"):
        parameters_of(Broken)


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (float, "number"),
        (bool, "true or false"),
        (int | None, "whole number or none"),
        (Literal["a", "b"], "one of a, b"),
        (Literal["a"], "a"),
        (Literal["auto"] | tuple[int, ...], "auto or list of whole numbers"),
        (tuple[str, ...], "list of texts"),
        (tuple[Literal["a", "b"], ...], "list out of a, b"),
        (tuple[Literal[1, "both"], ...], "list out of 1, both"),
        (tuple[Literal["a"], ...], "list out of a"),
        (tuple[Literal["a", "b"], ...] | None, "list out of a, b or none"),
        (Literal["all"] | tuple[Literal["a", "b"], ...], "all or list out of a, b"),
    ],
)
def test_types_are_described_in_words(type, text):
    assert parameter(type).type_text == text


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (tuple[Literal["a", "b"], ...], "list of 1 or more out of a, b"),
        (tuple[Literal["a", "b"], ...] | None, "list of 1 or more out of a, b or none"),
        (Literal["all"] | tuple[float, ...], "all or list of 1 or more numbers"),
    ],
)
def test_the_description_of_a_list_has_its_minimum_length(type, text):
    assert parameter(type, min_length=1).type_text == text
