"""Starting from the weights of another run: matching layers are copied exactly, the others are named."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
from helpers.messages import warnings_told

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.networks.build import build_network
from marsseg_core.networks.transfer import Transfer, copy_weights
from marsseg_core.registry.session import open_session
from marsseg_core.training.initial_weights import copy_initial_weights

pytestmark = pytest.mark.usefixtures("without_observers")

ARCH = "unet:width=0.125:depth=1:convolutions=1"
SMALL = {"arch": ARCH, "data": "synthetic:count=24:height=16:width=32", "batch": 4, "epochs": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run to start from."""
    return marsseg.run(out=tmp_path_factory.mktemp("runs") / "first", **SMALL)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the run folder that a test may change."""
    return shutil.copytree(finished.path, tmp_path / "copy")


def network(arch=ARCH, *, classes=5, seed=1):
    return build_network(api.plan(arch=arch, seed=seed), (16, 32, 1), classes)


def values(network):
    return {variable.path: np.asarray(variable) for variable in network.weights}


class TestCopying:
    def test_takes_every_weight_exactly_including_moving_statistics(self):
        other, mine = network(seed=1), network(seed=2)
        for variable in other.weights:
            variable.assign(np.random.default_rng(0).random(variable.shape))
        transfer = copy_weights(other, mine, "there")
        theirs, ours = values(other), values(mine)
        assert list(theirs) == list(ours)
        assert any("moving_variance" in path for path in ours)
        for path, value in ours.items():
            np.testing.assert_array_equal(value, theirs[path])
        assert transfer.mismatches == {}
        assert transfer.unused == ()
        assert transfer.weights == transfer.total == sum(value.size for value in ours.values())
        assert transfer.mismatch_text() == ""

    def test_another_number_of_classes_leaves_the_last_layer_alone_as_drawn(self):
        other, mine = network(seed=1), network(seed=2, classes=3)
        drawn = values(mine)
        transfer = copy_weights(other, mine, "there")
        assert set(transfer.mismatches) == {"logits"}
        assert transfer.mismatches["logits"] == "kernel 1×1×4×5 there, 1×1×4×3 here"
        theirs, ours = values(other), values(mine)
        for path, value in ours.items():
            np.testing.assert_array_equal(value, drawn[path] if path.startswith("logits/") else theirs[path])
        assert transfer.total - transfer.weights == 4 * 3 + 3

    def test_a_deeper_network_takes_what_both_have(self):
        other, mine = network(seed=1), network(ARCH.replace("depth=1", "depth=2"), seed=2)
        transfer = copy_weights(other, mine, "there")
        assert "encoder1_conv1" in transfer.copied
        assert transfer.mismatches["encoder2_conv1"] == "not in that network"
        assert set(transfer.copied) | set(transfer.mismatches) == {path.rpartition("/")[0] for path in values(mine)}
        assert "encoder2_conv1 (not in that network)" in transfer.mismatch_text()

    def test_further_layers_of_the_other_network_are_named(self):
        transfer = copy_weights(network(ARCH.replace("depth=1", "depth=2")), network(), "there")
        assert "encoder2_conv1" in transfer.unused
        assert "of the other network are not in this network: encoder2_conv1" in transfer.mismatch_text()

    def test_one_layer_that_does_not_match_is_told_in_the_singular(self):
        transfer = Transfer("there", (), {"head": "not in that network"}, ("old",), weights=0, total=1)
        assert transfer.mismatch_text() == (
            "1 layer keeps its initial weights: head (not in that network). "
            "1 layer of the other network is not in this network: old."
        )

    def test_weights_of_other_names_do_not_fit(self):
        def small(normalise):
            image = keras.Input((8, 8, 1))
            x = keras.layers.Conv2D(2, 1, name="conv")(image)
            layer = keras.layers.BatchNormalization if normalise else keras.layers.LayerNormalization
            return keras.Model(image, layer(name="norm")(x))

        transfer = copy_weights(small(True), small(False), "there")
        assert transfer.mismatches == {"norm": "gamma+beta+moving_mean+moving_variance there, gamma+beta here"}

    def test_a_network_without_matching_layers_is_refused(self):
        narrow, wide = network(), network("unet:width=0.5:depth=1:convolutions=1", classes=3)
        with pytest.raises(RequestError, match="No weights can be copied"):
            copy_weights(narrow, wide, "there")


class TestPlan:
    def test_records_the_whole_path_and_the_networks_hash(self, finished, monkeypatch):
        monkeypatch.chdir(finished.path.parent)
        plan = api.plan(init="first")
        assert plan.training.init == str(finished.path)
        assert plan.training.init_hash == finished.folder.network_hash()

    def test_is_unchanged_when_its_file_is_read_again(self, finished, tmp_path):
        plan = api.plan(init=str(finished.path))
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        assert api.plan(tmp_path / "plan.toml").to_toml() == plan.to_toml()

    def test_is_read_without_the_run_that_it_names(self, copy, tmp_path):
        """Loading a finished network needs its plan, but not the run that its weights started from."""
        (tmp_path / "plan.toml").write_text(api.plan(init=str(copy)).to_toml())
        shutil.rmtree(copy)
        assert api.plan(tmp_path / "plan.toml").training.init == str(copy)

    def test_with_another_init_does_not_keep_the_old_hash(self, finished, copy, tmp_path):
        (copy / "network.keras").write_bytes(b"another")
        (tmp_path / "plan.toml").write_text(api.plan(init=str(finished.path)).to_toml())
        plan = api.plan(tmp_path / "plan.toml", init=str(copy))
        assert plan.training.init == str(copy)
        assert plan.training.init_hash not in (None, finished.folder.network_hash())
        assert api.plan(tmp_path / "plan.toml", overrides=["training.init=none"]).training.init_hash is None

    @pytest.mark.parametrize("words", [["--init", "nowhere"], ["--set", "training.init_hash=abc"]])
    def test_an_invalid_init_is_refused(self, cli, words):
        answer = cli("run", *words, "--dry-run")
        assert answer.code == 2
        assert "not a run folder" in answer.err or "init_hash needs init" in answer.err

    def test_a_run_without_a_network_is_refused(self, cli, copy):
        (copy / "network.keras").unlink()
        answer = cli("run", "--init", str(copy), "--dry-run")
        assert answer.code == 2
        assert "it has no network" in answer.err

    def test_the_dry_run_shows_it(self, cli, finished):
        answer = cli("run", "--init", str(finished.path), "--dry-run")
        assert f"training.init\t{finished.path}\tcommand line" in answer.out
        assert f"training.init_hash\t{finished.folder.network_hash()}\tcommand line" in answer.out


class TestInitialWeights:
    def test_without_an_init_nothing_is_copied(self):
        assert copy_initial_weights(api.plan(arch=ARCH).training, network(), open_session()) is None

    def test_a_network_that_has_changed_since_is_refused(self, copy):
        training = api.plan(init=str(copy)).training
        (copy / "network.keras").write_bytes((copy / "network.keras").read_bytes() + b"more")
        with pytest.raises(RequestError, match="has changed since the plan was made") as caught:
            copy_initial_weights(training, network(), open_session())
        assert caught.value.hint.endswith(f"--init {copy}")

    def test_a_run_that_is_gone_is_refused(self, copy):
        training = api.plan(init=str(copy)).training
        shutil.rmtree(copy)
        with pytest.raises(RequestError, match="is gone"):
            copy_initial_weights(training, network(), open_session())

    @pytest.mark.slow
    def test_a_run_starts_from_the_best_weights_of_the_other_and_logs_what_it_copied(self, finished, tmp_path):
        """With a learning rate near 0, it ends with the weights of the other run, although its seed differs."""
        words = SMALL | {"learning_rate": 1e-12, "weight_decay": 0, "seed": 5, "init": str(finished.path)}
        run = marsseg.run(out=tmp_path / "second", **words)
        theirs, ours = values(marsseg.load(finished.path)), values(marsseg.load(run.path))
        for path in theirs:
            if "moving" not in path:
                np.testing.assert_allclose(ours[path], theirs[path], atol=1e-6)
        assert run.transfer.mismatches == {}
        assert str(run.transfer) in (run.path / "log.txt").read_text()

    @pytest.mark.slow
    def test_layers_that_do_not_fit_are_warned_of_and_logged(self, finished, tmp_path):
        lines = []
        words = SMALL | {"arch": ARCH.replace("depth=1", "depth=2"), "init": str(finished.path)}
        with warnings_told(lines):
            run = marsseg.run(out=tmp_path / "deeper", **words)
        assert lines == [run.transfer.mismatch_text()]
        assert lines[0] in (run.path / "log.txt").read_text()
