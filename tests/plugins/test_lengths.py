"""Check that each list parameter of the built-in components declares its shortest length, and works at that length."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import keras
import pytest
from helpers.components import standing_alone
from helpers.networks import spec_for

import marsseg_core as marsseg
from marsseg_core.components.specs import BottleneckSpec
from marsseg_core.planning.options import SECTIONS, options_of
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.distribution import DISTRIBUTION
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import Parameter, parameters_of

pytestmark = pytest.mark.usefixtures("without_reports")

BUILT_IN = [
    entry for kind in kinds.COMPONENT_KINDS for entry in installed().of_kind(kind) if entry.distribution == DISTRIBUTION
]


ARCHITECTURES = standing_alone(kinds.ARCHITECTURE)

# A network of one level has nothing to nest, or no bridge. With an encoder, the levels of `unetpp` are the encoder's.
NEED_TWO_LEVELS = ("resunet", "resunetpp", "unetpp")


def is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(is_list(member) for member in get_args(annotation))


def lists(cls: type) -> dict[str, Parameter]:
    return {name: parameter for name, parameter in parameters_of(cls).items() if is_list(parameter.type)}


def shortest(cls: type, **values: Any) -> Any:
    """Return a component with all lists at their shortest length, a small width and the other values."""
    for name, parameter in lists(cls).items():
        items = parameter.default if isinstance(parameter.default, tuple) else (1,)
        values[name] = items[: parameter.min_length]
    if "width" in parameters_of(cls):
        values["width"] = 0.125
    return cls(**values)


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_list_declares_its_shortest_length(entry):
    undeclared = [name for name, parameter in lists(load(entry)).items() if parameter.min_length is None]
    assert undeclared == []


def test_the_lists_of_options_declare_their_shortest_length():
    options = [*SECTIONS.values(), *(options_of(kind) for kind in kinds.COMPONENT_KINDS)]
    undeclared = [name for cls in options for name, parameter in lists(cls).items() if parameter.min_length is None]
    assert undeclared == []


@pytest.mark.parametrize("entry", ARCHITECTURES, ids=lambda entry: entry.name)
def test_an_architecture_with_the_shortest_lists_gives_logits_of_the_images_size_or_names_the_fewest_levels(entry):
    def build() -> Any:
        component = shortest(load(entry))
        return component.build(spec_for(component, 30, 44, 1, 3))

    if entry.name in NEED_TWO_LEVELS:
        with pytest.raises(ValueError, match="filters has 1 level, but the network needs at least 2"):
            build()
    else:
        assert build().output_shape == (None, 30, 44, 3)


@pytest.mark.parametrize(
    "entry", [each for each in ARCHITECTURES if "depth" in parameters_of(load(each))], ids=lambda entry: entry.name
)
def test_the_smallest_depth_is_enough_with_the_shortest_lists(entry):
    cls = load(entry)
    component = shortest(cls, depth=int(parameters_of(cls)["depth"].minimum or 1))
    assert component.build(spec_for(component, 30, 44, 1, 3)).output_shape == (None, 30, 44, 3)


def test_a_list_may_be_as_short_as_the_smallest_depth():
    cls = load(installed().find(kinds.ARCHITECTURE, "resunetpp"))
    assert parameters_of(cls)["depth"].minimum == len(cls(filters=(4, 8)).filters)


def test_an_encoder_of_patches_needs_no_levels_of_the_convolutional_one():
    cls = load(installed().find(kinds.ARCHITECTURE, "transunet"))
    component = cls(encoder="patches", decoder=(8, 4, 4), width=0.125, layers=1)
    assert component.build(spec_for(component, 16, 24, 1, 3)).get_layer("embed").kernel_size == (8, 8)
    with pytest.raises(ValueError, match="one level more than filters has stages"):
        cls(decoder=(8, 4, 4))


@pytest.mark.parametrize("name", [entry.name for entry in BUILT_IN if entry.kind == kinds.BOTTLENECK])
def test_a_bottleneck_with_the_shortest_lists_keeps_the_size(name):
    features = keras.Input((5, 9, 8))
    component = shortest(load(installed().find(kinds.BOTTLENECK, name)))
    assert component.build(features, BottleneckSpec(3)).shape[:3] == (None, 5, 9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arch", "unet", "--set", "arch.unet.filters=[]"], "filters"),
        (["--arch", "resunet:filters=8"], "at least 2"),
        (["--arch", "resunetpp:filters=8"], "at least 2"),
        (["--bottleneck", "psp", "--set", "bottleneck.psp.bins=[]"], "bins"),
        (["--bottleneck", "aspp", "--set", "bottleneck.aspp.rates=[]"], "rates"),
    ],
)
def test_a_list_that_is_too_short_is_refused_before_anything_is_built(cli, words, message):
    result = cli("run", *words, "--dry-run")
    assert result.code == 2
    assert message in result.err


@pytest.mark.parametrize(("option", "name", "key"), [("arch", "unet", "filters"), ("bottleneck", "psp", "bins")])
def test_an_empty_list_in_a_plan_file_is_refused_by_name(cli, tmp_path, option, name, key):
    table = f"[{option}]" if option == "arch" else f"[[{option}]]"
    (tmp_path / "plan.toml").write_text(f'{table}\nname = "{name}"\n{key} = []\n')
    result = cli("run", "--plan", str(tmp_path / "plan.toml"), "--dry-run")
    assert result.code == 2
    assert "list of 1 or more whole numbers" in result.err


def test_depth_can_add_levels():
    assert marsseg.network("resunet:filters=4:depth=2", height=16, width=24).output_shape == (None, 16, 24, 5)
