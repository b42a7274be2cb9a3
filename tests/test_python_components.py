"""Components passed in Python as text, instances, classes, functions, arrays and networks, and how runs store them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from helpers.messages import warnings_told

import marsseg
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.planning.plan import NETWORK_KINDS
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.plugin_api import Loss, Metric
from marsseg_core.registry import plugin_files
from marsseg_core.registry.kinds import ARCHITECTURE, AUGMENTATION, DATASET, LOSS
from marsseg_core.registry.session import open_session
from marsseg_core.registry.source_record import record_source
from marsseg_plugins.architectures.unet import UNet
from marsseg_plugins.augmentations.rockmix import RockMix
from marsseg_plugins.datasets.synthetic import Synthetic
from marsseg_plugins.losses.dice import Dice

pytestmark = pytest.mark.usefixtures("without_reports")

# The source of a notebook cell. Its definitions are in no file.
CELL = '''
from dataclasses import dataclass

import keras
from keras import ops

from marsseg_core.plugin_api import Architecture, Loss, param

POWER = 0.5
TABLE = object()


def shares(logits):
    return ops.softmax(logits)


@keras.saving.register_keras_serializable("python-test")
class Doubled(keras.layers.Layer):
    def call(self, values):
        return 2 * values


@dataclass(frozen=True)
class RootDice(Loss):
    """Root dice: a loss from a cell."""

    power: float = param(POWER, help="below 1, small errors count more", above=0)

    def build(self, spec):
        def root_dice(labels, logits):
            valid = ops.cast(ops.not_equal(labels, 255), "float32")
            hot = ops.one_hot(ops.where(ops.equal(labels, 255), 0, ops.cast(labels, "int32")), spec.num_classes)
            right = ops.sum(shares(logits) * hot, axis=-1)
            return ops.mean(valid * (1.0 - right + 1e-6) ** self.power)

        return root_dice


@dataclass(frozen=True)
class Tabled(RootDice):
    """Root dice that looks something up."""

    def build(self, spec):
        assert TABLE
        return super().build(spec)


def tiny_net(spec):
    inputs = keras.Input((spec.height, spec.width, spec.channels))
    features = Doubled()(keras.layers.Conv2D(4, 3, padding="same")(inputs))
    return keras.Model(inputs, keras.layers.Conv2D(spec.num_classes, 1)(features))
'''

SMALL = {"batch": 8, "epochs": 1, "bottleneck": None, "seed": 1}
LITTLE = "unet:width=0.125:depth=1:convolutions=1"


@pytest.fixture
def cell(monkeypatch):
    """Execute the cell in a module without a file, as a notebook does, and return the module."""
    import linecache

    name = "a_notebook"
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    file = "/nowhere/cell_1.py"
    linecache.cache[file] = (len(CELL), None, CELL.splitlines(keepends=True), file)
    exec(compile(CELL, file, "exec"), vars(module))
    yield module
    del linecache.cache[file]
    forget()


def forget():
    """Forget all plugin files that this process executed."""
    plugin_files._loaded.clear()
    for name in [name for name in sys.modules if name.startswith("marsseg_plugin_")]:
        del sys.modules[name]


class TestNamed:
    def test_an_instance_is_the_component_with_its_values(self):
        (chosen,) = marsseg.plan(loss=Dice(smooth=0.25)).resolved[LOSS]
        assert (chosen.entry.name, chosen.entry.distribution, chosen.component) == (
            "dice",
            "marsseg",
            Dice(smooth=0.25),
        )

    def test_a_class_keeps_the_values_of_the_plan(self):
        base = marsseg.plan(arch="unet:width=0.5")
        assert marsseg.plan(arch=UNet).one(ARCHITECTURE) == UNet()
        assert base.one(ARCHITECTURE) == UNet(width=0.5)

    def test_a_list_mixes_texts_classes_and_instances(self):
        plan = marsseg.plan(augment=["hflip,vflip", RockMix, Path("blur")], loss=("dice", Dice(smooth=1.0)))
        assert [each.entry.name for each in plan.resolved[AUGMENTATION]] == ["hflip", "vflip", "rockmix", "blur"]
        assert [each.component.smooth for each in plan.resolved[LOSS]] == [0.0, 1.0]

    def test_a_data_set_is_passed_as_an_instance(self):
        assert marsseg.plan(data=Synthetic(count=3)).one(DATASET) == Synthetic(count=3)

    def test_a_value_that_does_not_fit_is_refused(self):
        with pytest.raises(RequestError, match="smooth=-1 is not valid"):
            marsseg.plan(loss=Dice(smooth=-1))

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"loss": UNet}, "loss cannot be UNet, which is an architecture"),
            ({"arch": Dice()}, "arch cannot be Dice, which is a loss"),
            ({"loss": 3}, "loss cannot be of type int"),
            ({"augment": ["hflip", 3.5]}, "augment cannot be of type float"),
            ({"data": 3}, "data cannot be of type int"),
            ({"arch": int}, "arch cannot be of type int"),
            ({"loss": lambda labels, logits: 0}, "loss cannot be of type function"),
        ],
    )
    def test_an_object_that_is_no_component_of_the_kind_is_refused(self, words, message):
        with pytest.raises(RequestError, match=message):
            marsseg.plan(**words)

    def test_networks_and_losses_take_them_too(self):
        network = marsseg.network(UNet(width=0.125, depth=1), height=16, width=32)
        assert network.output_shape == (None, 16, 32, 5)
        assert marsseg.loss(Dice) is not None


@dataclass(frozen=True)
class Silent(Loss):
    """A loss of zero."""

    def build(self, spec):
        return lambda labels, logits: 0.0 * keras.ops.sum(logits)


@dataclass(frozen=True)
class RockShare(Metric):
    """The share of the pixels of rock."""

    power: int = 1
    scales: tuple[float, ...] = (1.0,)

    def value(self, counts, spec):
        return float(counts[4].sum() / counts.sum()) ** self.power


class TestMetrics:
    def test_they_are_texts_classes_and_instances_in_a_list(self):
        plan = marsseg.plan(metrics=["recall", RockShare(power=2)])
        assert plan.training.metrics == "recall,rock_share.py/rock_share:power=2"
        assert plan.metrics.asked >= {"recall", "rock_share"}
        assert plan.metrics.resolved["rock_share"].component == RockShare(power=2)
        assert [plugin.name for plugin in plan.plugins] == ["rock_share.py"]
        assert ("training.metrics", plan.training.metrics, "Python") in plan.rows()
        forget()

    def test_one_alone_and_texts_alone_need_no_list_and_no_plugin(self):
        assert marsseg.plan(metrics=RockShare).training.metrics == "rock_share.py/rock_share"
        texts = marsseg.plan(metrics=["recall", "boundary_f:tolerance=2"])
        assert (texts.training.metrics, texts.plugins) == ("recall,boundary_f:tolerance=2", ())
        assert marsseg.plan(metrics=None).training.metrics == "none"
        forget()

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                {"metrics": [Dice]},
                r"metrics cannot be Dice, which is a loss\. \[metrics\] .* a metric as an instance or a class",
            ),
            ({"metrics": [RockShare(scales=(1.0, 2.0))]}, "scales=1.0,2.0 of the metric .* cannot be recorded"),
            ({"monitor": RockShare}, "monitor cannot be the class RockShare"),
        ],
    )
    def test_what_is_not_possible_is_said(self, words, message):
        with pytest.raises(RequestError, match=message):
            marsseg.plan(**words)
        forget()

    def test_a_sweep_takes_none_that_other_processes_cannot_have(self):
        with pytest.raises(RequestError, match="metrics must be a string"):
            marsseg.sweep(metrics=[RockShare], vary={"training.batch": "2,4"})
        forget()


def test_messages_do_not_name_the_file_that_a_class_is_stored_as():
    (loss,) = marsseg.plan(loss=Silent).resolved[LOSS]
    assert loss.entry.label == "loss 'silent' (passed in Python)"
    forget()


class TestFromACell:
    def test_the_record_defines_the_same_class_again(self, cell, python_with_keras):
        record = record_source(cell.RootDice)
        assert record.missing == ()
        assert "def shares(logits)" in record.text
        assert "POWER = 0.5" in record.text
        assert "TABLE" not in record.text
        answer = python_with_keras(record.text + "\nprint(RootDice())")
        assert answer.out == "RootDice(power=0.5)\n", answer.err

    def test_a_record_names_what_it_lacks(self, cell):
        assert record_source(cell.Tabled).missing == ("TABLE",)
        (remark,) = marsseg.plan(loss=cell.Tabled).remarks
        assert "copy of the loss 'tabled' lacks TABLE" in remark

    def test_a_class_within_a_function_has_no_complete_source(self, cell):
        def make(power):
            class Local(cell.RootDice):
                def build(self, spec):
                    return power

            return Local

        assert record_source(make(2)).missing == ("Local",)

    def test_a_plan_names_it_and_is_read_again(self, cell, tmp_path):
        plan = marsseg.plan(loss=[cell.RootDice(power=0.3), "dice"])
        assert type(plan.resolved[LOSS][0].component) is cell.RootDice
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plan.toml").write_text(plan.to_toml())
        for plugin in plan.plugins:
            (tmp_path / "plugins" / plugin.name).write_bytes(plugin.source)
        # No `trust` is needed: this process has executed the same source already.
        assert marsseg.plan(tmp_path).resolved[LOSS][0].component == cell.RootDice(power=0.3)
        forget()
        with pytest.raises(RequestError, match=r"wants to execute .*root_dice.py"):
            marsseg.plan(tmp_path)
        again = marsseg.plan(tmp_path, trust=True)
        assert again.to_toml() == plan.to_toml()
        assert again.resolved[LOSS][0].component.power == 0.3

    def test_a_cell_that_is_executed_again_gives_the_new_class(self, cell):
        marsseg.plan(loss=cell.RootDice)
        exec(compile(CELL, "/nowhere/cell_1.py", "exec"), vars(cell))
        assert type(marsseg.plan(loss=cell.RootDice()).resolved[LOSS][0].component) is cell.RootDice

    def test_a_class_that_is_no_dataclass_is_named(self, cell):
        class Plain(marsseg_loss()):
            def build(self, spec):
                return None

        with pytest.raises(PluginError, match=r"'plain' \(passed in Python\) .* is not a dataclass"):
            marsseg.plan(loss=Plain())

    def test_a_function_is_an_architecture(self, cell, tmp_path, tiny):
        run = marsseg.run(arch=cell.tiny_net, loss=cell.RootDice(power=0.3), data=tiny, out=tmp_path / "run", **SMALL)
        stored = {path.name for path in run.folder.plugins.iterdir()}
        assert stored == {"tiny_net.py", "root_dice.py"}
        assert run.plan.name == "tiny_net"
        assert not run.plan.remarks

    def test_another_process_loads_what_it_made(self, cell, tmp_path, tiny, python_with_keras):
        run = marsseg.run(arch=cell.tiny_net, loss=cell.RootDice, data=tiny, out=tmp_path / "run", **SMALL)
        code = "import marsseg, sys; print(marsseg.load('run', trust=True).count_params())"
        answer = python_with_keras(code)
        assert answer.out == f"{run.network.count_params()}\n", answer.err
        load = "import marsseg\ntry: marsseg.load('run')\nexcept marsseg.RequestError as e: print(e)"
        refused = python_with_keras(load)
        assert "wants to execute" in refused.out

    def test_a_function_with_a_closure_runs_with_a_warning(self, tiny, tmp_path):
        width = 4

        def local_net(spec):
            inputs = keras.Input((spec.height, spec.width, spec.channels))
            features = keras.layers.Conv2D(width, 3, padding="same")(inputs)
            return keras.Model(inputs, keras.layers.Conv2D(spec.num_classes, 1)(features))

        lines: list[str] = []
        with warnings_told(lines):
            run = marsseg.run(arch=local_net, loss="dice", data=tiny, out=tmp_path / "run", **SMALL)
        assert any("copy of the architecture 'local_net' lacks local_net" in line for line in lines)
        assert "lacks local_net" in run.folder.log_file.read_text()


def marsseg_loss():
    from marsseg_core.plugin_api import Loss

    return Loss


@pytest.fixture(scope="module")
def done(tiny, tmp_path_factory):
    """Train a network on data, both passed as objects; return the network, its first weights, and the run."""
    inputs = keras.Input((16, 32, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(5, 3, padding="same")(inputs))
    before = [weights.copy() for weights in model.get_weights()]
    out = tmp_path_factory.mktemp("given") / "run"
    run = marsseg.run(arch=model, loss="dice", data=tiny, out=out, epochs=2, batch=8, bottleneck=None)
    return model, before, run


class TestGivenObjects:
    def test_the_plan_names_both_given(self, done, tiny):
        model, _, run = done
        rows = {name: value for name, value, _ in run.plan.rows()}
        assert rows["data"] == rows["arch"] == "given"
        assert rows["data.given.fingerprint"] == tiny.fingerprint()
        assert rows["arch.given.parameters"] == str(model.count_params())
        assert marsseg.plan(run).to_toml() == run.folder.plan.read_text()

    def test_the_network_that_was_passed_is_not_changed(self, done):
        model, before, run = done
        for now, then, trained in zip(model.get_weights(), before, run.network.get_weights(), strict=True):
            np.testing.assert_array_equal(now, then)
            assert not np.array_equal(trained, then)

    def test_the_best_network_is_loaded_as_usual(self, done, python_with_keras):
        _, _, run = done
        code = "import marsseg, sys; print(marsseg.load(sys.argv[1]).output_shape)"
        answer = python_with_keras(code, str(run.path))
        assert answer.out == "(None, 16, 32, 5)\n", answer.err

    def test_scoring_needs_the_data_again(self, done, tiny):
        _, _, run = done
        with pytest.raises(RequestError, match=r"was passed in Python.*data=…"):
            marsseg.evaluate(run)
        again = marsseg.evaluate(run, tiny, subset="test")
        assert again.to_json() == run.scores["test"].to_json()
        assert len(marsseg.evaluate(run, tiny).per_image) == len(tiny)

    def test_scoring_refuses_other_data_for_a_subset(self, done, tiny):
        import dataclasses

        other = dataclasses.replace(tiny, images=255 - tiny.images)
        with pytest.raises(RequestError, match="not what the run was trained on"):
            marsseg.evaluate(done[2], other, subset="test")

    def test_a_killed_run_is_resumed_if_both_are_passed(self, done, tiny, tmp_path):
        import shutil

        model, _, run = done
        folder = tmp_path / "killed"
        shutil.copytree(run.path, folder)
        (folder / "metrics.json").unlink()
        with pytest.raises(RequestError, match="The data of 24 images was passed in Python"):
            marsseg.resume(folder)
        with pytest.raises(RequestError, match="The network of 50 parameters was passed in Python"):
            marsseg.resume(folder, data=tiny)
        other = keras.models.clone_model(model)
        with pytest.raises(RequestError, match="not the one that the run started with"):
            marsseg.resume(folder, data=tiny, arch=other)
        again = marsseg.resume(folder, data=tiny, arch=model)
        assert again.metrics == run.metrics

    def test_a_pair_of_arrays_is_data_with_numbered_classes(self, tiny):
        data = marsseg.plan(data=(tiny.images, tiny.masks)).one(DATASET).load()
        assert data.class_names == tuple(f"class_{c}" for c in range(5))
        assert data.source == "arrays given in Python"

    def test_arrays_are_checked(self, tiny):
        with pytest.raises(RequestError, match=r"Images must be \(N, H, W, C\) uint8"):
            marsseg.plan(data=(tiny.images / 255, tiny.masks))

    def test_a_network_must_fit_the_data(self, done, tiny):
        inputs = keras.Input((8, 8, 3))
        wrong = keras.Model(inputs, keras.layers.Conv2D(5, 1)(inputs))
        with pytest.raises(RequestError, match="does not fit"):
            marsseg.run(arch=wrong, loss="dice", data=tiny, **SMALL)

    def test_a_network_gives_logits(self, tiny):
        inputs = keras.Input((16, 32, 1))
        shares = keras.Model(inputs, keras.layers.Conv2D(5, 1, activation="softmax")(inputs))
        with pytest.raises(RequestError, match="logits are expected"):
            marsseg.plan(arch=shares, bottleneck=None)

    def test_a_network_has_no_place_for_a_bottleneck(self, done):
        with pytest.raises(RequestError, match="does not take a bottleneck"):
            marsseg.plan(arch=done[0], bottleneck="aspp")

    def test_they_cannot_be_chosen_by_name(self):
        assert not [each for each in marsseg.list_components() if each.name == "given"]

    def test_a_plan_of_other_weights_is_another_plan(self, done):
        other = keras.models.clone_model(done[0])
        plans = [marsseg.plan(arch=each, bottleneck=None) for each in (done[0], other)]
        assert plans[0].one(ARCHITECTURE) != plans[1].one(ARCHITECTURE)


class TestCallbacks:
    def test_are_called_in_training_and_logged(self, tiny, tmp_path):
        class Seen(keras.callbacks.Callback):
            def __init__(self):
                super().__init__()
                self.epochs = []

            def on_epoch_end(self, epoch, logs=None):
                self.epochs.append((epoch, "val_miou" in logs))

        seen = Seen()
        run = marsseg.run(
            arch=LITTLE, loss="dice", data=tiny, callbacks=[seen], out=tmp_path / "run", **SMALL | {"epochs": 2}
        )
        assert seen.epochs == [(0, True), (1, True)]
        assert "callbacks passed in Python: Seen" in run.folder.log_file.read_text()

    @pytest.mark.parametrize("wrong", [3, "early", [keras.callbacks.Callback], [lambda: None]])
    def test_an_object_that_is_no_callback_is_refused(self, wrong):
        with pytest.raises(RequestError, match="callbacks must be a list of Keras callbacks"):
            marsseg.run(callbacks=wrong)


def test_a_plan_that_reads_only_the_network_needs_no_loss_from_a_cell(cell, tmp_path, tiny):
    run = marsseg.run(arch=LITTLE, loss=cell.RootDice, data=tiny, out=tmp_path / "run", **SMALL)
    plugin_files._loaded.clear()
    assert resolve(Request(base=str(run.path)), open_session(), only=NETWORK_KINDS).plugins == ()
