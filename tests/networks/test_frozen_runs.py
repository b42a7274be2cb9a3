"""Architectures that use the networks of finished runs, and `refine`."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
from helpers.paths import FROZEN

from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.build import build_network
from marsseg_core.networks.cost import cost_of
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.frozen import FrozenNetwork, changing_weights
from marsseg_core.networks.load import load
from marsseg_core.networks.transfer import copy_weights
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry.kinds import ARCHITECTURE
from marsseg_core.registry.session import open_session
from marsseg_core.training.averaging import EpochAverage
from marsseg_core.training.statistics import normalisations

RUN = FROZEN / "finished"
INNER = "unet:width=0.125:depth=1:convolutions=1:dropout=0.2"


def hash_of(run):
    return RunFolder.open(run).network_hash()


def planned(run, *overrides, inner=INNER):
    return api.plan(arch="refine", overrides=[f"arch.refine.run={run}", f"arch.refine.inner={inner}", *overrides])


@pytest.fixture(scope="module")
def first():
    return load(RUN, open_session())


@pytest.fixture(scope="module")
def shape(first):
    return first.input_shape[1:]


@pytest.fixture(scope="module")
def network(first, shape):
    return build_network(planned(RUN), shape, first.output_shape[-1])


@pytest.fixture
def images(shape):
    return np.random.default_rng(0).random((3, *shape), np.float32)


@pytest.fixture
def copy(tmp_path):
    """A copy of the run folder that a test may change; its name has a +."""
    return shutil.copytree(RUN, tmp_path / "unet++")


def values(network):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in network.weights]


def frozen(network):
    (layer,) = [layer for layer in network.layers if isinstance(layer, FrozenNetwork)]
    return layer.network


class TestPlan:
    def test_records_path_hash_and_components_of_the_run(self, copy, monkeypatch):
        monkeypatch.chdir(copy.parent)
        plan = api.plan(arch="refine:run=unet++")
        refine = plan.one(ARCHITECTURE)
        assert refine.run == str(copy)
        assert refine.run_hashes == (hash_of(copy),)
        assert refine.run_components == ("arch.marsseg/unet",)

    def test_is_unchanged_when_its_file_is_read_again_without_the_run(self, copy, tmp_path):
        (tmp_path / "plan.toml").write_text(planned(copy).to_toml())
        text = planned(copy).to_toml()
        shutil.rmtree(copy)
        assert api.plan(tmp_path / "plan.toml").to_toml() == text

    def test_with_another_run_does_not_keep_the_old_hash(self, copy, tmp_path):
        (tmp_path / "plan.toml").write_text(planned(RUN).to_toml().replace(hash_of(RUN), "0" * 32))
        kept = api.plan(tmp_path / "plan.toml")
        assert kept.one(ARCHITECTURE).run_hashes == ("0" * 32,)
        other = api.plan(tmp_path / "plan.toml", arch=f"refine:run={copy}")
        assert other.one(ARCHITECTURE).run_hashes == (hash_of(copy),)

    def test_needs_a_run(self, tmp_path):
        with pytest.raises(RequestError, match="run must be given"):
            api.plan(arch="refine")
        with pytest.raises(RequestError, match="is not a run folder"):
            api.plan(arch=f"refine:run={tmp_path}")

    def test_takes_a_run_with_an_encoder_without_one_for_the_second_network(self, copy):
        (copy / "plan.toml").write_text(api.plan(arch="fpn", encoder="mit_b0").to_toml())
        refine = planned(copy).one(ARCHITECTURE)
        assert refine.run_components == ("arch.marsseg/fpn", "encoder.marsseg/mit_b0")

    def test_takes_an_encoder_and_a_run_whose_architecture_takes_none(self, copy):
        (copy / "plan.toml").write_text(api.plan(arch="dense").to_toml())
        api.plan(arch=f"refine:run={copy}", encoder="mit_b0", bottleneck="aspp")
        with pytest.raises(RequestError, match="'dense' inside 'refine' does not take an encoder"):
            api.plan(arch=f"refine:run={copy}:inner=dense", encoder="mit_b0")

    def test_has_no_run_inside_of_another_component(self):
        with pytest.raises(RequestError, match="cannot be part of another component"):
            planned(RUN, inner=f"refine:run={RUN}")


class TestNetwork:
    def test_begins_with_the_map_of_the_run_and_adds_to_it(self, network, first, images):
        before = values(network)
        head = network.get_layer("logits")
        head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
        expected = keras.ops.log_softmax(first(images, training=False))
        for training in (False, True):
            np.testing.assert_allclose(network(images, training=training), expected, rtol=1e-4, atol=1e-5)
        for weight, value in zip(network.weights, before, strict=True):
            weight.assign(value)

    def test_without_the_sum_is_the_second_network_alone(self, first, shape):
        plain = build_network(planned(RUN, "arch.refine.residual=false"), shape, first.output_shape[-1])
        assert plain.layers[-1].name == "logits"
        assert plain.get_layer("encoder1_conv1").kernel.shape[2] == shape[-1] + first.output_shape[-1]

    def test_trains_the_second_network_only(self, network, first, images):
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        before, count = values(copy), len(copy.trainable_weights)
        copy.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        copy.train_on_batch(images, np.zeros(images.shape[:3], np.int32))
        inner = frozen(copy)
        assert count == len(copy.trainable_weights) > 0
        for weight, value in zip(inner.weights, first.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), np.asarray(value))
        changed = [not np.array_equal(np.asarray(w), b) for w, b in zip(copy.weights, before, strict=True)]
        assert sum(changed) > count / 2  # with moving statistics, without biases that nothing reaches

    def test_averages_copies_and_recomputes_only_what_changes(self, network):
        inner = {id(weight) for weight in frozen(network).weights}
        changing = {id(weight) for weight in changing_weights(network)}
        assert changing == {id(weight) for weight in network.weights} - inner
        assert len(EpochAverage(network).sums) == len(changing)
        statistics = [weight for layer in normalisations(network) for weight in layer.weights]
        assert statistics
        assert not {id(weight) for weight in statistics} & inner
        assert (
            copy_weights(network, network, "there").total
            == cost_of(network).parameters - cost_of(frozen(network)).parameters
        )

    def test_is_saved_with_the_first_network(self, network, images, tmp_path):
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
        np.testing.assert_allclose(loaded(images), network(images), rtol=1e-5, atol=1e-5)
        assert not frozen(loaded).trainable_weights
        assert len(loaded.trainable_weights) == len(network.trainable_weights)

    def test_has_a_fast_form_and_a_cost(self, network, first, images):
        np.testing.assert_allclose(fast_network(network)(images), network(images), rtol=1e-3, atol=1e-4)
        cost = cost_of(network)
        assert not cost.unknown
        assert cost.multiply_accumulates > cost_of(first).multiply_accumulates
        assert cost.trainable < cost.parameters - cost_of(first).parameters


class TestRunsThatDoNotFit:
    def test_a_run_that_is_gone(self, copy, shape):
        plan = planned(copy)
        shutil.rmtree(copy)
        with pytest.raises(RequestError, match="whose network the plan uses is gone"):
            build_network(plan, shape, 5)

    def test_a_run_that_has_changed(self, copy, shape):
        plan = planned(copy)
        with (copy / "network.keras").open("ab") as file:
            file.write(b"more")
        with pytest.raises(RequestError, match="has changed since the plan was made"):
            build_network(plan, shape, 5)

    def test_other_classes_and_sizes(self, shape):
        with pytest.raises(RequestError, match="5 classes; the data have 1 channels and 7 classes"):
            build_network(planned(RUN), shape, 7)
        larger = build_network(planned(RUN), (2 * shape[0], shape[1], shape[2]), 5)
        assert larger.output_shape[1] == 2 * shape[0]

    def test_not_one_second_network(self, shape):
        with pytest.raises(RequestError, match="must name one architecture"):
            build_network(planned(RUN, inner="unet,dense"), shape, 5)


def test_a_network_is_loaded_with_the_plan_of_its_own_run_alone(copy, network, tmp_path):
    """The components that the first network was built from are in the plan, as they define its layers."""
    (tmp_path / "plan.toml").write_text(planned(copy).to_toml())
    shutil.rmtree(copy)
    plan = resolve(Request(base=str(tmp_path / "plan.toml")), open_session())
    assert [each.entry.name for each in plan.resolved[ARCHITECTURE][0].with_inner] == ["refine", "unet", "unet"]
