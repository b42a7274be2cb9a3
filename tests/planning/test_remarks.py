"""The remarks of a plan on its parts that have no effect."""

from __future__ import annotations

import pytest
from helpers.paths import FROZEN

from marsseg_core.api import plan


@pytest.mark.parametrize(
    ("option", "idle", "used"),
    [
        ("arch", "dense:epsilon=0.1:normalisation=none", "dense:epsilon=0.1:normalisation=group"),
        ("arch", "dense:momentum=0.5:normalisation=group", "dense:momentum=0.5"),
        ("arch", "unet3plus:presence=pair:guided=false", "unet3plus:presence=pair:guided=true"),
        ("bottleneck", "aspp:momentum=0.5:normalisation=none", "aspp:momentum=0.5"),
        ("bottleneck", "psp:epsilon=0.1:normalisation=none", "psp:epsilon=0.1"),
        ("loss", "dice:cap=2:weights=none", "dice:cap=2:weights=inverse"),
        ("loss", "dice:count=all:weights=effective", "dice:count=all:weights=balanced"),
        ("loss", "dice:beta=0.9:weights=balanced", "dice:beta=0.9:weights=effective"),
        ("optimizer", "sgd:nesterov=true:momentum=0.0", "sgd:nesterov=true:momentum=0.9"),
    ],
)
def test_a_parameter_without_effect_is_remarked(option, idle, used):
    name, key, other = idle.split(":")
    remark = f"{key.partition('=')[0]} of {name} has no effect with {other}."
    assert plan(**{option: idle}).remarks == (remark,)
    assert plan(**{option: used}).remarks == ()


@pytest.mark.parametrize(
    ("averaging", "remarked"),
    [("none", ["ema_momentum", "swa_start"]), ("ema", ["swa_start"]), ("swa", ["ema_momentum"])],
)
def test_an_option_of_another_averaging_is_remarked(averaging, remarked):
    values = [f"training.averaging={averaging}", "training.ema_momentum=0.9", "training.swa_start=0.2"]
    rules = {"ema_momentum": "ema", "swa_start": "swa"}
    assert plan(overrides=values).remarks == tuple(
        f"training.{key} has no effect without training.averaging={rules[key]}." for key in remarked
    )


def test_a_method_with_the_weight_zero_is_remarked():
    assert plan(semi="fixmatch:weight=0", unlabelled="unused").remarks == (
        "fixmatch has the weight 0: its term is computed and logged, but the network learns nothing from the images "
        "without labels.",
    )


def test_a_parameter_of_a_term_that_is_not_there_is_remarked():
    assert plan(loss="sce:log_zero=-6").remarks == ()
    assert plan(loss="sce:reverse=0:log_zero=-6").remarks == ("log_zero of sce has no effect with reverse=0.0.",)


def test_a_ramp_that_never_ends_is_remarked():
    assert plan(semi="fixmatch:ramp=3", unlabelled="unused", epochs=4).remarks == ()
    assert plan(semi="fixmatch:ramp=4", unlabelled="unused", epochs=4).remarks == (
        "The ramp of fixmatch is as long as the training or longer: its term never has its whole weight.",
    )


def test_a_method_without_images_is_remarked(tiny_file):
    (remark,) = plan(semi="fixmatch").remarks
    assert remark.startswith("The data set synthetic has no images without labels: name a source of them")
    assert plan(semi="fixmatch", data=tiny_file).remarks == ()


def test_a_list_has_no_effect_where_it_is_not_used():
    weights = ["arch.dense.weights=1,0.5", "loss.dice.weights=1,1,1,1,1", "loss.dice.cap=2"]
    assert plan(arch="dense", loss="dice", overrides=weights).remarks == (
        "weights of dense has no effect with combine=concat.",
        "cap of dice has no effect with weights=1.0,1.0,1.0,1.0,1.0.",
    )
    assert plan(arch="transunet:encoder=patches", overrides=["arch.transunet.units=1,1,1"]).remarks == (
        "units of transunet has no effect with encoder=patches.",
    )


@pytest.mark.parametrize(
    ("arch", "key"), [("unet:depth=2", "depth"), ("unet:bottom=false", "bottom"), ("unetpp:depth=2", "depth")]
)
def test_a_parameter_of_the_own_encoder_has_no_effect_with_another_one(arch, key):
    name = arch.partition(":")[0]
    assert any(line.startswith(f"{key} of {name} has no effect") for line in plan(arch=arch, encoder="mit_b0").remarks)
    assert plan(arch=name, encoder="mit_b0").remarks == plan(arch=arch).remarks == ()


def test_a_loss_that_needs_whole_images_is_remarked_where_windows_are_drawn():
    teacher = f"ssce,distill:runs={FROZEN / 'finished'}"
    assert not any("whole images" in line for line in plan(loss=teacher).remarks)
    assert any("distill needs whole images" in line for line in plan(loss=teacher, crop=(16, 16)).remarks)
