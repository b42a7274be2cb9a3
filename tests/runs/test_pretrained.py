"""Only a network that begins to be trained takes its encoder's weights from elsewhere; a loaded one never does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.networks.build import build_network
from marsseg_core.networks.pretrained import encoder_values, values_hash
from marsseg_core.registry import kinds
from marsseg_core.runs import pretrained
from marsseg_core.runs.pretrained import load_encoder_weights, settle_weights

pytestmark = pytest.mark.usefixtures("without_observers")

# A plugin file with an encoder whose published weights are all 0.25. Offline, it fails where it is asked for them.
PLUGIN = '''
import os
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Architecture, Encoder, RequestError


@dataclass(frozen=True)
class Bare(Architecture):
    """Enlarge the last map of the encoder."""

    takes_encoder = True

    def build(self, spec):
        import keras

        images = keras.Input((spec.height, spec.width, spec.channels))
        x = keras.layers.UpSampling2D(32)(spec.encode(images)[32])
        return keras.Model(images, keras.layers.Conv2D(spec.num_classes, 1, name="logits")(x))


@dataclass(frozen=True)
class Halving(Encoder):
    """Halve the maps at each stride."""

    published_weights = ("moon", "list")

    def published(self, name):
        if "OFFLINE" in os.environ:
            raise RequestError("The weights were asked for.")
        if name == "list":
            return [1, 2, 3]
        value = np.float32(os.environ.get("VALUE", 0.25))
        return {
            f"conv{stride}/{name}": np.full(shape, value)
            for stride in (2, 4, 8, 16, 32)
            for name, shape in (("kernel", (3, 3, 3 if stride == 2 else 4, 4)), ("bias", (4,)))
        }

    def build(self, images, spec):
        import keras

        maps, x = {}, images
        for stride in (2, 4, 8, 16, 32):
            strides = 2 if stride <= spec.output_stride else 1
            x = keras.layers.Conv2D(4, 3, strides, padding="same", name=f"{spec.prefix}conv{stride}")(x)
            maps[min(stride, spec.output_stride)] = x
        return maps
'''
SMALL = {"arch": "bare", "data": "synthetic:count=16:height=32:width=32", "batch": 4, "epochs": 1}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugins") / "halving.py"
    path.write_text(PLUGIN)
    return path


def planned(plugin, weights="moon", **more):
    return api.plan(arch=SMALL["arch"], encoder=f"halving:weights={weights}", plugins=[plugin], **more)


def built(plan):
    return build_network(plan, (32, 32, 1), 5)


def begun(plan):
    network = built(plan)
    load_encoder_weights(plan, network)
    return network


class TestPublished:
    def test_their_hash_is_recorded_when_the_run_begins(self, plugin):
        first, second = settle_weights([planned(plugin), planned(plugin, seed=1)])
        options = first.resolved[kinds.ENCODER][0].options
        values = first.resolved[kinds.ENCODER][0].component.published("moon")
        assert options.weights_hash == values_hash(values)
        assert second.resolved[kinds.ENCODER] == first.resolved[kinds.ENCODER]
        assert second.training.seed == 1
        assert ("encoder.halving.weights_hash", values_hash(values), "Python") in first.rows()

    def test_other_values_than_those_recorded_are_refused(self, plugin, monkeypatch):
        (plan,) = settle_weights([planned(plugin)])
        assert settle_weights([plan]) == [plan]
        monkeypatch.setenv("VALUE", "0.5")
        with pytest.raises(RequestError, match="have changed since the plan was made") as error:
            begun(plan)
        assert error.value.hint.endswith("--set encoder.halving.weights_hash=none")

    def test_what_is_no_mapping_of_arrays_is_the_plugins_fault(self, plugin):
        with pytest.raises(PluginError, match="returns no arrays by their paths"):
            begun(planned(plugin, "list"))

    def test_the_rest_of_the_network_begins_as_without_them(self, plugin):
        pretrained, random = begun(planned(plugin)), built(planned(plugin, "none"))
        assert np.ptp(pretrained.get_layer("encoder_conv4").kernel) == 0
        np.testing.assert_array_equal(pretrained.get_layer("logits").kernel, random.get_layer("logits").kernel)

    def test_a_network_in_python_has_them(self, plugin):
        network = marsseg.network(SMALL["arch"], encoder="halving:weights=moon", plugins=[plugin])
        assert np.ptp(network.get_layer("encoder_conv4").kernel) == 0


class TestFiles:
    def save(self, network, path):
        if path.name.endswith(".weights.h5"):
            network.save_weights(path)
        else:
            np.savez(path, **encoder_values(network))

    @pytest.mark.parametrize("name", ["a.npz", "a.weights.h5"])
    def test_they_are_read(self, plugin, tmp_path, name):
        source = built(planned(plugin, "none", seed=5))
        self.save(source, tmp_path / name)
        network = begun(planned(plugin, tmp_path / name))
        for path, value in encoder_values(network).items():
            np.testing.assert_array_equal(value, encoder_values(source)[path])

    def test_one_that_has_changed_since_is_refused(self, plugin, tmp_path):
        for seed in (5, 6):
            self.save(built(planned(plugin, "none", seed=seed)), tmp_path / "a.npz")
            if seed == 5:
                plan = planned(plugin, tmp_path / "a.npz")
        with pytest.raises(RequestError, match="have changed since the plan was made"):
            begun(plan)


@pytest.fixture(scope="module")
def reads():
    """A list that gets an item whenever the run `finished` reads published weights."""
    return []


@pytest.fixture(scope="module")
def finished(plugin, tmp_path_factory, reads):
    """A run that began with published weights."""
    original = pretrained._published
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "_published", lambda *arguments: reads.append(arguments) or original(*arguments))
        return marsseg.run(
            out=tmp_path_factory.mktemp("runs") / "first", encoder="halving:weights=moon", plugins=[plugin], **SMALL
        )


@pytest.mark.slow
class TestRun:
    def test_it_records_the_hash_and_says_what_it_began_with(self, finished):
        (resolved,) = finished.plan.resolved[kinds.ENCODER]
        recorded = api.plan(finished.path, trust=True).resolved[kinds.ENCODER][0].options
        assert recorded == resolved.options
        assert recorded.weights_hash == values_hash(resolved.component.published("moon"))
        assert "The encoder begins with 632 weights of moon." in (finished.path / "log.txt").read_text()

    def test_it_reads_them_once(self, finished, reads):
        assert len(reads) == 1

    def test_a_finished_one_never_asks_for_them_again(self, finished, tmp_path, monkeypatch):
        monkeypatch.setenv("OFFLINE", "yes")
        with pytest.raises(RequestError, match="were asked for"):
            begun(finished.plan)
        network = marsseg.load(finished.path, trust=True)
        assert isinstance(network, keras.Model)
        marsseg.evaluate(finished.path, trust=True)
        marsseg.extend(finished.path, epochs=2, out=tmp_path / "longer", trust=True)

    def test_another_one_begins_with_its_encoder(self, finished, plugin, tmp_path):
        run = shutil.copytree(finished.path, tmp_path / "copy")
        plan = planned(plugin, run)
        plan = replace(plan, session=replace(plan.session, trust=True))
        options = plan.resolved[kinds.ENCODER][0].options
        assert (options.weights, options.weights_hash) == (str(run), finished.folder.network_hash())
        network, source = begun(plan), finished.network
        for path, value in encoder_values(network).items():
            np.testing.assert_array_equal(value, encoder_values(source)[path])
        (run / "network.keras").write_bytes((run / "network.keras").read_bytes() + b"more")
        with pytest.raises(RequestError, match="have changed since the plan was made"):
            begun(plan)


def test_show_builds_a_network_without_them(cli, plugin, monkeypatch):
    monkeypatch.setenv("OFFLINE", "yes")
    answer = cli(
        "show", "bare", "--encoder", "halving:weights=moon", "--plugin", str(plugin), "--size", "32x32", "--json"
    )
    assert answer.code == 0, answer.err
    assert '"parameters": 657' in answer.out
