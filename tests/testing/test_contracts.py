"""Test that the checks of the contracts fail for wrong components, and that known failures can be listed."""

from __future__ import annotations

import dataclasses
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from helpers.paths import REPOSITORY
from helpers.processes import run_process
from keras import ops

from marsseg_core import testing
from marsseg_core.components.interfaces import (
    Architecture,
    Augmentation,
    Bottleneck,
    Dataset,
    Loss,
    Schedule,
    Weighting,
)
from marsseg_core.components.weighting_layer import WeightingLayer
from marsseg_core.conventions import VOID
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.warps import Warp
from marsseg_core.registry.kinds import COMPONENT_KINDS
from marsseg_core.registry.loading import interface_of
from marsseg_core.registry.parameters import param

FAILURES = (AssertionError, ValueError, TypeError)


def fails(contract, component, check, *arguments, **attributes):
    """Assert that a check of the contract fails for this component; return its message."""
    case = type("Case", (contract,), {"component": component, **attributes})()
    with pytest.raises(FAILURES) as caught:
        getattr(case, check)(*arguments)
    return str(caught.value)


def passes(contract, component, check, *arguments, **attributes):
    """Assert that a check of the contract passes for this component."""
    getattr(type("Case", (contract,), {"component": component, **attributes})(), check)(*arguments)


def test_there_is_a_contract_for_every_kind():
    for kind in COMPONENT_KINDS:
        contract = getattr(testing, f"{interface_of(kind).__name__}Contract")
        assert issubclass(contract, testing.ComponentContract)
    assert sorted(testing.__all__) == [
        f"{name}Contract" for name in sorted(["Component", *(interface_of(kind).__name__ for kind in COMPONENT_KINDS)])
    ]


# --- every component


@dataclass(frozen=True)
class Undocumented(Dataset):
    size: int = 3

    def load(self):
        raise NotImplementedError


@dataclass
class Mutable(Dataset):
    """Not frozen."""

    size: float = param(-1.0, help="a default below its bound", minimum=0)

    def load(self):
        raise NotImplementedError


@dataclass(frozen=True)
class Lossy(Dataset):
    """Has a parameter whose text is not read as written: a comma splits the items of a list."""

    words: tuple[str, ...] = param(("a,b",), help="words")
    weight: float = field(default=1.0, compare=False)

    def load(self):
        raise NotImplementedError


def test_what_is_missing_in_a_component_is_named():
    contract = testing.ComponentContract
    assert "docstring" in fails(contract, Undocumented(), "test_it_is_a_frozen_dataclass_with_a_summary")
    assert "help" in fails(contract, Undocumented(), "test_every_parameter_has_a_help_text_and_a_valid_default")
    fails(contract, Mutable(), "test_it_is_a_frozen_dataclass_with_a_summary")
    fails(contract, Mutable(), "test_equal_parameters_make_equal_components")
    fails(contract, Mutable(), "test_every_parameter_has_a_help_text_and_a_valid_default")
    fails(contract, Lossy(), "test_its_parameters_can_be_written_as_text_and_read")
    with pytest.raises(BaseException, match="no installed distribution"):
        passes(contract, Lossy(), "test_the_catalog_has_it_under_its_name")


def test_a_module_that_imports_a_heavy_package_is_caught():
    component = dataclasses.make_dataclass("Heavy", [], bases=(Lossy,), frozen=True)()
    type(component).__module__ = "marsseg_core.figures.canvas"
    assert "matplotlib" in fails(testing.ComponentContract, component, "test_importing_its_module_is_light")


# --- losses


@dataclass(frozen=True)
class Mean(Loss):
    """Cross-entropy with one fault."""

    fault: str = param("none", help="what is wrong with it")

    @property
    def may_be_negative(self):
        return self.fault == "says it is negative"

    def targets(self, spec):
        if self.fault == "looks at the batch":
            return lambda masks: np.broadcast_to(masks.mean(), masks.shape).astype(np.float32)
        return None

    def build(self, spec):
        def loss(labels, logits, targets=None):
            labels = ops.cast(labels, "uint8" if self.fault == "keeps uint8" else "int32")
            logits = logits if self.fault == "half" else ops.cast(logits, "float32")
            if self.fault == "of one shape":
                labels, logits = ops.reshape(labels, (2, 4, 6)), ops.reshape(logits, (2, 4, 6, -1))
            valid = labels != VOID
            for c in spec.ignore_classes:
                valid = valid & (labels != c)
            if self.fault == "learns void":
                known = ops.where(valid, labels, spec.num_classes - 1)
                counted = ops.ones_like(valid)
            else:
                known, counted = ops.where(valid, labels, 0), valid
            p = ops.softmax(logits)
            classes = 5 if self.fault == "of five classes" else spec.num_classes
            right = ops.sum(p * ops.cast(ops.one_hot(known, classes), p.dtype), axis=-1)
            if self.fault == "overflows":
                entropy = -ops.log(right)
            elif self.fault == "stops":
                entropy = -ops.log(ops.stop_gradient(right) + 1e-6) + right * 0
            elif self.fault == "rises":
                entropy = right
            else:
                entropy = -ops.log(ops.maximum(right, 1e-30))
            if self.fault == "drops a class":
                counted = counted & (labels != 1)
            if self.fault == "half gradient":
                entropy = (entropy + ops.stop_gradient(entropy)) / 2
            if self.fault == "left side":
                entropy = entropy * ops.arange(entropy.shape[-1], dtype="float32")
            counted = ops.cast(counted, entropy.dtype)
            total = ops.sum(ops.where(counted > 0, entropy, 0.0))
            if self.fault == "by pixel":
                return entropy * counted
            if self.fault == "no labels":
                return total / ops.sum(counted)
            loss = total / ops.maximum(ops.sum(counted), 1.0)
            return loss - 1 if self.fault == "negative" else loss

        return loss


LOSS_FAULTS = [
    ("by pixel", "test_it_is_a_scalar_in_float32"),
    ("half", "test_half_precision_logits_are_cast_to_float32"),
    ("overflows", "test_it_is_finite_on_any_labels_and_logits", "every label"),
    ("no labels", "test_it_is_finite_on_any_labels_and_logits", "void only"),
    ("learns void", "test_the_gradient_is_exactly_zero_where_no_pixel_counts", "every label"),
    ("learns void", "test_the_logits_of_ignored_pixels_change_nothing"),
    ("drops a class", "test_labelled_pixels_have_a_gradient"),
    ("half gradient", "test_the_gradient_agrees_with_finite_differences"),
    ("stops", "test_following_the_gradient_lowers_the_loss"),
    ("negative", "test_it_is_negative_only_if_may_be_negative_is_true"),
    ("negative", "test_a_perfect_prediction_costs_nothing", "every label"),
    ("rises", "test_a_wrong_prediction_costs_more_than_a_perfect_one"),
    ("left side", "test_flipping_labels_and_logits_together_changes_nothing", 2),
    ("looks at the batch", "test_the_targets_of_a_mask_do_not_depend_on_its_batch"),
    ("stops", "test_it_trains_in_a_compiled_step"),
    ("of one shape", "test_it_works_for_other_numbers_of_classes_and_shapes"),
    ("of five classes", "test_it_works_for_other_numbers_of_classes_and_shapes"),
    ("learns void", "test_it_works_for_other_numbers_of_classes_and_shapes"),
]


@pytest.mark.parametrize(("fault", "check", "arguments"), [(f, c, a) for f, c, *a in LOSS_FAULTS])
def test_a_wrong_loss_is_caught(fault, check, arguments):
    fails(testing.LossContract, Mean(fault), check, *arguments)
    if "targets" not in check:
        passes(testing.LossContract, Mean(), check, *arguments)


@dataclass(frozen=True)
class FiveClasses(Mean):
    """Cross-entropy with one weight for each of five classes."""

    def build(self, spec):
        if spec.num_classes != 5:
            raise ValueError("5 class weights do not fit")
        return super().build(spec)


def test_a_loss_may_refuse_other_numbers_of_classes():
    with pytest.raises(pytest.skip.Exception, match="5 class weights do not fit"):
        passes(testing.LossContract, FiveClasses(), "test_it_works_for_other_numbers_of_classes_and_shapes")


# --- weightings


class Faulty(WeightingLayer):
    """A moving mean of the losses' shares, with one fault."""

    def __init__(self, spec, fault):
        super().__init__(spec)
        self.fault = fault
        self.outside = np.zeros(self.count, np.float32)
        self.past = []

    def build(self, input_shape=None):
        super().build(input_shape)
        self.mean = self.add_state("mean")

    def call(self, losses):
        if self.fault == "gradient":
            return ops.sum((self.rule_weights + losses) * self.base_weights * losses)
        if self.fault == "vector":
            return self.rule_weights * self.base_weights * losses
        if self.fault == "no plan":
            return ops.sum(self.rule_weights * losses)
        return super().call(losses)

    def on_epoch_end(self, losses):
        if self.fault == "sees the plan":
            losses = losses * self.base_weights
        if self.fault == "list":
            self.past.append(losses)
            if len(self.past) > 1:
                ratios = self.past[-1] / np.maximum(self.past[-2], 1e-12)
                self.rule_weights.assign(self.count * ratios / max(ratios.sum(), 1e-12))
            return
        mean = 0.5 * (self.outside if self.fault == "state outside" else ops.convert_to_numpy(self.mean)) + losses
        self.outside = mean
        self.mean.assign(mean)
        if self.fault == "chance":
            mean = mean + np.random.default_rng().random(self.count)
        divisor = mean.sum() if self.fault == "zero" else max(mean.sum(), 1e-12)
        shares = mean / divisor if mean.sum() > 0 or self.fault == "zero" else np.full(self.count, 1 / self.count)
        if self.fault == "late variable" and len(self.variables) < 3:
            self.late = keras.Variable(mean)
            self._non_trainable_variables.append(self.late)
        if self.fault != "stuck":
            self.rule_weights.assign(shares if self.fault == "sum" else self.count * shares)


@dataclass(frozen=True)
class Shares(Weighting):
    """Weights by shares, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    @property
    def needs_nonnegative(self):
        return True

    def build(self, spec):
        return Faulty(spec, self.fault)


WEIGHTING_FAULTS = [
    ("vector", "test_its_objective_is_a_scalar_in_float32"),
    ("zero", "test_objective_and_weights_stay_finite_for_any_losses", "all are 0"),
    ("gradient", "test_the_gradient_of_each_loss_is_its_weight"),
    ("sum", "test_the_sum_of_its_weights_stays_what_it_was", "falling"),
    ("stuck", "test_its_weights_move_if_they_should"),
    ("no plan", "test_the_gradient_of_each_loss_is_its_weight"),
    ("sees the plan", "test_the_weights_of_the_plan_multiply_those_of_the_rule"),
    ("chance", "test_the_same_seed_and_losses_give_the_same_weights"),
    ("state outside", "test_its_state_is_in_its_variables"),
    ("list", "test_its_state_is_in_its_variables"),
    ("late variable", "test_its_state_is_in_its_variables"),
]


@pytest.mark.parametrize(("fault", "check", "arguments"), [(f, c, a) for f, c, *a in WEIGHTING_FAULTS])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_wrong_weighting_is_caught(fault, check, arguments):
    fails(testing.WeightingContract, Shares(fault), check, *arguments)
    passes(testing.WeightingContract, Shares(), check, *arguments)


def test_a_weight_that_never_trains_is_caught():
    """Use a variable that is not part of the objective, so it has no gradient."""

    class Idle(WeightingLayer):
        def build(self, input_shape=None):
            super().build(input_shape)
            self.idle = self.add_weight(name="idle", shape=(self.count,), initializer="zeros")

    @dataclass(frozen=True)
    class Untrained(Weighting):
        """A weighting with a variable that is not part of the objective."""

        def build(self, spec):
            return Idle(spec)

    assert "no gradient reaches" in fails(
        testing.WeightingContract, Untrained(), "test_its_trained_variables_lower_the_objective"
    )


# --- augmentations


@dataclass(frozen=True)
class Shift(Augmentation):
    """Shift images and masks to the right by some pixels, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    def prepare(self, data, items):
        if self.fault == "uses other items":
            shift = int(data.masks[-1].max())
            return lambda images, masks, generators: self.moved(images, masks, [shift] * len(images))
        if self.fault == "changes the data":
            data.images[0] = 0
        return self.apply

    def apply(self, images, masks, generators):
        if self.fault == "own randomness":
            shifts = np.random.randint(1, 8, len(images))
        elif self.fault == "first generator":
            shifts = [generators[0].integers(1, 8)] * len(images)
        elif self.fault == "same":
            shifts = [3] * len(images)
        else:
            shifts = [generator.integers(1, 8) for generator in generators]
        return self.moved(images, masks, shifts)

    def moved(self, images, masks, shifts):
        new_images, new_masks = np.zeros_like(images), np.full_like(masks, VOID)
        for i, shift in enumerate(shifts):
            new_images[i, :, shift:] = images[i, :, :-shift]
            mask_shift = shift + 2 if self.fault == "mask shifted more" else shift
            new_masks[i, :, mask_shift:] = masks[i, :, :-mask_shift]
        if self.fault == "interpolates":
            new_masks = ((new_masks.astype(int) + masks) // 2).astype(np.uint8)
        if self.fault == "out of range":
            new_images += 0.5
        if self.fault == "float64":
            new_images = new_images.astype(np.float64)
        return new_images, new_masks


AUGMENTATION_FAULTS = [
    ("interpolates", "test_shapes_types_and_values_stay_valid", (24, 40, 1)),
    ("out of range", "test_shapes_types_and_values_stay_valid", (24, 40, 1)),
    ("float64", "test_shapes_types_and_values_stay_valid", (24, 40, 1)),
    ("own randomness", "test_all_randomness_comes_from_the_generators"),
    ("first generator", "test_the_change_of_an_image_does_not_depend_on_its_batch"),
    ("same", "test_other_generators_give_something_else"),
    ("mask shifted more", "test_the_mask_moves_exactly_as_the_image", 1),
    ("uses other items", "test_only_the_training_items_are_used"),
    ("changes the data", "test_the_data_set_is_not_changed"),
]


@pytest.mark.parametrize(("fault", "check", "arguments"), [(f, c, a) for f, c, *a in AUGMENTATION_FAULTS])
def test_a_wrong_augmentation_is_caught(fault, check, arguments):
    fails(testing.AugmentationContract, Shift(fault), check, *arguments, geometric=True)
    passes(testing.AugmentationContract, Shift(), check, *arguments, geometric=True)


def test_an_augmentation_that_contradicts_its_attributes_is_caught():
    contract = testing.AugmentationContract
    fails(contract, Shift(), "test_the_mask_is_unchanged", leaves_masks=True)
    fails(contract, Shift(), "test_with_neutral_parameters_nothing_changes", nothing=Shift())
    message = fails(contract, Shift(), "test_labels_keep_their_places_unless_it_moves_or_mixes")
    assert "geometric = True" in message
    assert "mixes = True" in message


@dataclass(frozen=True)
class Slide(Augmentation):
    """Move images and masks to the right by a warp, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    def warp(self, height, width, generator):
        if self.fault == "no warp":
            return np.eye(2, 3)
        if self.fault == "size":
            return Warp.by_offsets(np.zeros((2, 24, 24)))
        if self.fault == "own randomness":
            generator = np.random.default_rng()
        return Warp(np.array([[1, 0, 0], [0, 1, -generator.uniform(1, 5)]]))


@dataclass(frozen=True)
class SlideTwice(Slide):
    def apply(self, images, masks, generators):
        return images, masks


@pytest.mark.parametrize("component", [Slide("no warp"), Slide("size"), Slide("own randomness"), SlideTwice()])
def test_a_wrong_warp_is_caught(component):
    check = "test_its_warp_can_be_joined_with_others"
    fails(testing.AugmentationContract, component, check, (17, 31, 1), geometric=True)
    passes(testing.AugmentationContract, Slide(), check, (17, 31, 1), geometric=True)


@dataclass(frozen=True)
class Flip(Augmentation):
    """Flip images and masks, or only one of them."""

    what: str = param("both", help="what is flipped")

    def apply(self, images, masks, generators):
        if self.what in ("both", "images"):
            images = images[:, :, ::-1].copy()
        if self.what in ("both", "masks"):
            masks = masks[:, :, ::-1].copy()
        return images, masks


@pytest.mark.parametrize("what", ["images", "masks"])
def test_moving_only_the_image_or_the_mask_is_caught_for_any_attributes(what):
    check = "test_image_and_mask_move_together"
    assert "labels" in fails(testing.AugmentationContract, Flip(what), check)
    for fault in ("none", "mask shifted more"):  # another check is more exact
        passes(testing.AugmentationContract, Shift(fault), check)
    passes(testing.AugmentationContract, Flip(), check)


@dataclass(frozen=True)
class Exposure(Augmentation):
    """Give an image the mean brightness of another training image: it uses `prepare`, but no labels of other images."""

    def prepare(self, data, items):
        means = np.array([data.images[item].mean() / 255 for item in items], np.float32)

        def exposed(images, masks, generators):
            for image, generator in zip(images, generators, strict=True):
                image += generator.choice(means) - image.mean()
            return images.clip(0, 1), masks

        return exposed


@dataclass(frozen=True)
class Paste(Augmentation):
    """Insert the upper half of another training image, with its labels there, elsewhere or not at all."""

    labels: str = param("there", help="where the labels are inserted")

    def prepare(self, data, items):
        def pasted(images, masks, generators):
            for image, mask, generator in zip(images, masks, generators, strict=True):
                item, rows = generator.choice(items), len(mask) // 2
                image[:rows] = data.images[item, :rows] / np.float32(255)
                if self.labels == "there":
                    mask[:rows] = data.masks[item, :rows]
                elif self.labels == "elsewhere":
                    mask[-rows:] = data.masks[item, :rows]
            return images, masks

        return pasted


AUGMENTATION_CHECKS = [
    ("test_shapes_types_and_values_stay_valid", (24, 40, 3)),
    ("test_all_randomness_comes_from_the_generators",),
    ("test_the_change_of_an_image_does_not_depend_on_its_batch",),
    ("test_other_generators_give_something_else",),
    ("test_it_changes_something",),
    ("test_labels_keep_their_places_unless_it_moves_or_mixes",),
    ("test_image_and_mask_move_together",),
    ("test_the_mask_moves_exactly_as_the_image", 3),
    ("test_only_the_training_items_are_used",),
    ("test_the_data_set_is_not_changed",),
]


@pytest.mark.parametrize(
    ("component", "attributes"),
    [
        (Exposure(), {}),
        (Paste(), {"mixes": True}),
        (Shift(), {"geometric": True}),
        (Flip(), {"geometric": True, "draws": False}),
    ],
    ids=str,
)
@pytest.mark.parametrize(("check", "arguments"), [(c, a) for c, *a in AUGMENTATION_CHECKS])
def test_a_correct_augmentation_passes(component, attributes, check, arguments):
    with suppress(pytest.skip.Exception):
        passes(testing.AugmentationContract, component, check, *arguments, **attributes)


def test_inserting_pixels_without_their_labels_is_caught():
    contract, check = testing.AugmentationContract, "test_labels_keep_their_places_unless_it_moves_or_mixes"
    assert "mixes = True" in fails(contract, Paste(), check)
    for labels in ("elsewhere", "not at all"):
        fails(contract, Paste(labels), "test_the_mask_moves_exactly_as_the_image", 1, mixes=True)


# --- architectures


@dataclass(frozen=True)
class Plain(Architecture):
    """One convolution to the logits, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    def build(self, spec):
        if self.fault == "sets the seed":
            keras.utils.set_random_seed(42)
        start = keras.initializers.GlorotUniform(seed=0 if self.fault == "own seed" else None)
        x = images = keras.Input((spec.height, spec.width, spec.channels))
        if self.fault != "no bottleneck":
            x = spec.bottleneck(x)
        logits = keras.layers.Conv2D(spec.num_classes, 3, padding="same", dtype="float32", kernel_initializer=start)(x)
        if self.fault == "sets the seed late":
            keras.utils.set_random_seed(42)
        return keras.Model(images, logits)


@dataclass(frozen=True)
class WithoutPlace(Plain):
    """A network without a place for a bottleneck, which `takes_bottleneck` says."""

    takes_bottleneck = False


@dataclass(frozen=True)
class Nested(Plain):
    """A network that contains another network with the bottleneck."""

    def build(self, spec):
        images = keras.Input((spec.height, spec.width, spec.channels))
        return keras.Model(images, super().build(spec)(images))


ARCHITECTURE_FAULTS = [
    ("no bottleneck", "test_the_bottlenecks_of_the_plan_are_in_the_network"),
    ("own seed", "test_another_seed_gives_other_weights"),
    ("sets the seed", "test_another_seed_gives_other_weights"),
    ("sets the seed late", "test_another_seed_gives_other_weights"),
]


@pytest.mark.parametrize(("fault", "check"), ARCHITECTURE_FAULTS)
def test_a_wrong_architecture_is_caught(fault, check):
    fails(testing.ArchitectureContract, Plain(fault), check)
    passes(testing.ArchitectureContract, Plain(), check)


def test_an_architecture_without_a_place_for_a_bottleneck_is_not_checked_for_one():
    check = "test_the_bottlenecks_of_the_plan_are_in_the_network"
    assert "spec.bottleneck" in fails(testing.ArchitectureContract, Plain("no bottleneck"), check)
    with pytest.raises(pytest.skip.Exception, match="takes_bottleneck"):
        passes(testing.ArchitectureContract, WithoutPlace("no bottleneck"), check)
    passes(testing.ArchitectureContract, Nested(), check)


@dataclass(frozen=True)
class OnAnEncoder(Architecture):
    """A convolution on the coarsest map of an encoder, without which it cannot be built."""

    fault: str = param("none", help="what is wrong with it")

    takes_encoder = True
    needs_encoder = True

    def build(self, spec):
        images = keras.Input((spec.height, spec.width, spec.channels))
        maps = spec.encode(images)
        stride = min(maps) if self.fault == "the finest map only" else max(maps)
        logits = keras.layers.Conv2D(spec.num_classes, 3, padding="same")(maps[stride])
        size = 2 if self.fault == "one stride only" else stride
        return keras.Model(images, keras.layers.UpSampling2D(size, dtype="float32")(logits))


@pytest.mark.parametrize(
    ("fault", "message"),
    [("the finest map only", "call spec.encode"), ("one stride only", "the shape of the logits")],
)
def test_an_architecture_that_does_not_use_the_encoder_is_caught(fault, message):
    check = "test_the_encoder_of_the_plan_is_in_the_network"
    assert message in fails(testing.ArchitectureContract, OnAnEncoder(fault), check)
    passes(testing.ArchitectureContract, OnAnEncoder(), check)
    with pytest.raises(pytest.skip.Exception, match="takes_encoder"):
        passes(testing.ArchitectureContract, Plain(), check)


def test_an_architecture_that_needs_an_encoder_is_checked_with_one():
    passes(testing.ArchitectureContract, OnAnEncoder(), "test_four_channels_and_two_classes")


# --- bottlenecks, schedules, data sets


@dataclass(frozen=True)
class Convolution(Bottleneck):
    """A convolution, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    def build(self, features, spec):
        name = "mine" if self.fault == "own name" else f"{spec.prefix}mine"
        stride = 2 if self.fault == "smaller" else 1
        if self.fault == "sets the seed":
            keras.utils.set_random_seed(42)
        seeds = {"own seed": int(np.random.default_rng().integers(2**31)), "fixed seed": 0}
        start = keras.initializers.GlorotUniform(seed=seeds.get(self.fault))
        x = keras.layers.Conv2D(4, 3, stride, padding="same", kernel_initializer=start, name=name)(features)
        if self.fault == "unreached":
            idle = keras.layers.Conv2D(4, 1, use_bias=False, name=f"{spec.prefix}idle")(features)
            x = keras.layers.Add()([x, keras.layers.Rescaling(0.0)(idle)])
        return keras.layers.Rescaling(1e6)(x) if self.fault == "overflows" else x


BOTTLENECK_FAULTS = [
    ("smaller", "test_it_keeps_height_and_width", (4, 8)),
    ("own seed", "test_the_same_seed_gives_the_same_weights"),
    ("fixed seed", "test_another_seed_gives_other_weights"),
    ("sets the seed", "test_another_seed_gives_other_weights"),
    ("own name", "test_two_of_it_fit_into_one_network"),
    ("unreached", "test_it_learns_with_all_its_weights"),
    ("overflows", "test_it_is_finite_in_mixed_precision", "mixed_float16"),
]


@dataclass(frozen=True)
class Constants(Bottleneck):
    """A bottleneck whose initial weights are constants, equal for all seeds."""

    def build(self, features, spec):
        return keras.layers.BatchNormalization(name=f"{spec.prefix}norm")(features)


def test_weights_that_are_initialised_as_constants_may_be_equal():
    passes(testing.BottleneckContract, Constants(), "test_another_seed_gives_other_weights")


@pytest.mark.parametrize(("fault", "check", "arguments"), [(f, c, a) for f, c, *a in BOTTLENECK_FAULTS])
def test_a_wrong_bottleneck_is_caught(fault, check, arguments):
    fails(testing.BottleneckContract, Convolution(fault), check, *arguments)
    passes(testing.BottleneckContract, Convolution(), check, *arguments)


@dataclass(frozen=True)
class Rate(Schedule):
    """A learning rate that ends at 0, or a schedule that Keras cannot save."""

    fault: str = param("ends", help="what is wrong with it")

    def build(self, spec):
        steps = spec.epochs * spec.steps_per_epoch

        class Unknown(keras.optimizers.schedules.LearningRateSchedule):
            def __call__(self, step):
                return ops.convert_to_tensor(spec.learning_rate)

        if self.fault == "shared":
            return CALLBACK
        if self.fault == "unknown":
            return Unknown()
        return keras.optimizers.schedules.PolynomialDecay(spec.learning_rate, steps - 1, 0.0)


class Forgetful(keras.callbacks.Callback):
    """Halve the learning rate after three epochs, until it is 0; their count is not in the checkpoint."""

    def __init__(self):
        super().__init__()
        self.seen = [0]

    def on_epoch_end(self, epoch, logs=None):
        self.seen[0] += 1
        if self.seen[0] > 3:
            self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)
        if self.seen[0] > 9:
            self.model.optimizer.learning_rate = 0.0


CALLBACK = Forgetful()


@dataclass(frozen=True)
class Halves(Schedule):
    """Halve the learning rate, with a state that is not in the checkpoint."""

    def build(self, spec):
        return Forgetful()


class Climb(keras.callbacks.Callback):
    """Raise the rate step by step; the count of steps is in the checkpoint, or in a closure, or starts at 0."""

    def __init__(self, rate, fault):
        super().__init__()
        self.rate, self.steps, self.fault = rate, 0, fault
        done = []
        self.count = lambda: done.append(None) or len(done)

    def on_train_begin(self, logs=None):
        if self.fault == "restarts":
            self.model.optimizer.learning_rate = self.rate / 8

    def on_train_batch_begin(self, batch, logs=None):
        if self.fault == "restarts":
            self.steps += 1
            if self.steps % 5 == 0:
                self.model.optimizer.learning_rate = min(self.rate, 1.5 * float(self.model.optimizer.learning_rate))
            return
        self.steps = self.count() if self.fault == "closure" else self.steps + 1
        self.model.optimizer.learning_rate = self.rate * (min(self.steps, 8) - (self.fault == "zero")) / 8


@dataclass(frozen=True)
class Climbs(Schedule):
    """Warm up step by step, with one fault."""

    fault: str = param("none", help="what is wrong with it")

    def build(self, spec):
        return Climb(spec.learning_rate, self.fault)


@pytest.mark.parametrize("fault", ["closure", "restarts"])
def test_a_schedule_whose_count_of_steps_is_not_in_the_checkpoint_is_caught(fault):
    contract, check = testing.ScheduleContract, "test_its_state_is_in_the_checkpoint"
    assert "checkpoint" in fails(contract, Climbs(fault), check)
    passes(contract, Climbs(), check)


def test_a_step_with_a_rate_of_zero_is_caught_in_a_callback_too():
    contract, check = testing.ScheduleContract, "test_the_rate_stays_above_zero_for_any_losses"
    fails(contract, Climbs("zero"), check, "falling")
    passes(contract, Climbs(), check, "falling")


def test_a_wrong_schedule_is_caught():
    contract = testing.ScheduleContract
    assert "lost" in fails(contract, Rate(), "test_every_step_has_a_rate_above_zero", None)
    fails(contract, Rate("shared"), "test_it_builds_a_new_keras_schedule_or_callback_each_time")
    with pytest.raises((NotImplementedError, *FAILURES)):
        passes(contract, Rate("unknown"), "test_keras_can_save_and_load_it")
    fails(contract, Halves(), "test_the_rate_stays_above_zero_for_any_losses", "falling")
    fails(contract, Halves(), "test_its_state_is_in_the_checkpoint")


@dataclass(frozen=True)
class Noise(Dataset):
    """Return other images each time, recognise every path and yield no items."""

    def load(self):
        random = np.random.default_rng()
        images, masks = random.integers(0, 256, (3, 8, 8, 1), np.uint8), np.ones((3, 8, 8), np.uint8)
        return SegmentationData(images, masks, ("nothing", "something"), (1,))

    @classmethod
    def recognises(cls, path):
        return bool(path.read_bytes() is not None)

    @classmethod
    def recognises_unlabelled(cls, path):
        return True

    def items(self):
        return iter(())


def test_a_wrong_data_set_is_caught(tmp_path):
    contract = testing.DatasetContract
    fails(contract, Noise(), "test_it_loads_valid_labelled_images")
    fails(contract, Noise(), "test_it_loads_the_same_data_each_time")
    fails(contract, Noise(), "test_items_yields_the_data_of_load")
    with pytest.raises(OSError, match="directory"):
        passes(contract, Noise(), "test_it_recognises_paths_without_an_error", tmp_path)
    fails(contract, Noise(), "test_it_recognises_images_without_labels_without_an_error", tmp_path)


# --- known failures

LISTED = """
from marsseg_core.testing import ComponentContract
from test_contracts_sample import Undocumented

class TestListed(ComponentContract):
    component = Undocumented()
    expected_failures = {
        "test_it_is_a_frozen_dataclass_with_a_summary": "nobody has described it yet",
        "test_every_parameter_has_a_help_text_and_a_valid_default": "its size has no help text either",
        "test_its_parameters_can_be_written_as_text_and_read": "listed, but it passes",
    }
"""

SAMPLE = """
from dataclasses import dataclass
from marsseg_core.plugin_api import Dataset

@dataclass(frozen=True)
class Undocumented(Dataset):
    size: int = 3

    def load(self):
        raise NotImplementedError
"""


def test_a_known_failure_is_reported_with_its_reason_and_must_fail(tmp_path):
    (tmp_path / "test_contracts_sample.py").write_text(SAMPLE)
    (tmp_path / "test_listed.py").write_text(LISTED)
    words = (sys.executable, "-m", "pytest", "-q", "-rxs", "-p", "no:cacheprovider", "test_listed.py")
    answer = run_process(*words, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}")
    assert answer.code == 1
    assert "1 failed" in answer.out
    assert "2 xfailed" in answer.out
    assert "nobody has described it yet" in answer.out
    assert "[XPASS(strict)] listed, but it passes" in answer.out
    assert "no installed distribution has an entry point for this component" in answer.out


def test_a_known_failure_of_a_missing_check_is_an_error():
    with pytest.raises(TypeError, match="names 'test_nothing', but there is no such check"):
        type("Case", (testing.ComponentContract,), {"expected_failures": {"test_nothing": "no such check"}})
