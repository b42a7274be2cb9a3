"""Local plugins: found by name, stored with the run, and executed again only if they are trusted."""

from __future__ import annotations

import builtins
import hashlib
import json
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.messages import no_warning, warned_of, warnings_told

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.planning.plan import NETWORK_KINDS
from marsseg_core.planning.request import Request
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry import loading, plugin_files
from marsseg_core.registry.kinds import ARCHITECTURE, DATASET, LOSS, OBSERVER
from marsseg_core.registry.loading import plugin_stdout_to_stderr
from marsseg_core.registry.plugin_files import component_name, load_plugin_files
from marsseg_core.registry.session import open_session

pytestmark = pytest.mark.usefixtures("without_reports")

LOSSES = '''
"""Ideas."""
from dataclasses import dataclass

from marsseg_core.plugin_api import Loss, param


@dataclass(frozen=True)
class RootError(Loss):
    """Root error: the mean of (1 − p)^power."""

    power: float = param(0.5, help="below 1, small errors count more", above=0)

    def build(self, spec):
        from keras import ops

        def root_error(labels, logits):
            valid = ops.cast(ops.not_equal(labels, 255), "float32")
            hot = ops.one_hot(ops.where(ops.equal(labels, 255), 0, ops.cast(labels, "int32")), spec.num_classes)
            right = ops.sum(ops.softmax(logits) * hot, axis=-1)
            return ops.mean(valid * (1.0 - right + 1e-6) ** self.power)

        return root_error


class _Helper(Loss):
    pass
'''

NETWORK = '''
from dataclasses import dataclass

import keras

from marsseg_core.plugin_api import Architecture, Bottleneck


@keras.saving.register_keras_serializable("local-test")
class Doubled(keras.layers.Layer):
    def call(self, values):
        return 2 * values


@dataclass(frozen=True)
class TinyNet(Architecture):
    """Two convolutions with a layer of its own between them."""

    def build(self, spec):
        inputs = keras.Input((spec.height, spec.width, spec.channels))
        features = Doubled()(keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))
        logits = keras.layers.Conv2D(spec.num_classes, 1, dtype="float32")(spec.bottleneck(features))
        return keras.Model(inputs, logits)


@dataclass(frozen=True)
class SameMap(Bottleneck):
    """Leaves the map as it is."""

    def build(self, features, spec):
        return features
'''

DATA = '''
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Dataset, SegmentationData


@dataclass(frozen=True)
class Stripes(Dataset):
    """Soil above, sand below."""

    def load(self):
        masks = np.full((6, 16, 32), 1, np.uint8)
        masks[:, 8:] = 3
        names = ("background", "soil", "bedrock", "sand", "big_rock")
        return SegmentationData(masks[..., None] * 50, masks, names, ignore_classes=(0,), source="stripes")


@dataclass(frozen=True)
class Dim(Augmentation):
    """Half the light."""

    def apply(self, images, masks, generators):
        return images / 2, masks
'''

WORDS = {"data": "synthetic:count=24:height=16:width=32", "batch": 4, "epochs": 1}


SMALL = WORDS | {"arch": "unet:width=0.125:depth=1:convolutions=1", "bottleneck": "none"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def forget():
    """Reset this process to the state before any plugin file was executed."""
    plugin_files._loaded.clear()
    for name in [name for name in sys.modules if name.startswith("marsseg_plugin_")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def forgotten():
    forget()
    yield
    forget()


@pytest.fixture
def my_loss(tmp_path):
    path = tmp_path / "my_loss.py"
    path.write_text(LOSSES)
    return path


@pytest.fixture
def written(my_loss, tmp_path):
    """A run folder with the plan of a run with `my_loss.py`, and a copy of the file."""
    folder = tmp_path / "run"
    (folder / "plugins").mkdir(parents=True)
    plan = api.plan(loss="root_error:power=0.3", plugins=[my_loss])
    (folder / "plan.toml").write_text(plan.to_toml())
    (folder / "plugins" / "my_loss.py").write_text(LOSSES)
    forget()
    return folder


# --- by name


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("RootError", "root_error"),
        ("WSSCE", "wssce"),
        ("UNet", "u_net"),
        ("UNet3Plus", "u_net3_plus"),
        ("Dice", "dice"),
        ("HTTPLoss", "http_loss"),
        ("plain", "plain"),
    ],
)
def test_the_name_of_a_component_is_its_class_name_in_lower_case(name, called):
    assert component_name(type(name, (), {})) == called


def test_the_components_of_a_file_are_found_by_name(my_loss):
    (plugin,) = load_plugin_files([my_loss])
    (entry,) = plugin.entries
    assert (entry.kind, entry.name, entry.distribution) == (LOSS, "root_error", "my_loss.py")
    assert entry.version == sha256(LOSSES)[:12]
    assert plugin.hash == sha256(LOSSES)


def test_a_second_name_for_the_same_class_is_not_a_second_component(my_loss):
    my_loss.write_text(LOSSES + "\nMyLoss = RootError\n")
    assert api.plan(loss="root_error", plugins=[my_loss]).one(LOSS).power == 0.5


def test_a_plan_has_the_components_and_names_the_file(my_loss):
    plan = api.plan(loss="root_error:power=0.3", plugins=[my_loss])
    assert plan.components(LOSS)[0].power == 0.3
    assert ("plugin", f"my_loss.py {sha256(LOSSES)[:12]}", "Python") in plan.rows()
    document = tomllib.loads(plan.to_toml())
    assert document["plugin"] == [{"file": "plugins/my_loss.py", "sha256": sha256(LOSSES), "kinds": ["loss"]}]
    assert document["loss"][0]["distribution"] == "my_loss.py"


def test_the_next_plan_does_not_have_the_components(my_loss):
    api.plan(loss="root_error", plugins=[my_loss])
    with pytest.raises(RequestError, match="There is no loss 'root_error'"):
        api.plan(loss="root_error")


def test_a_name_that_is_also_installed_is_a_conflict(my_loss):
    my_loss.write_text(LOSSES.replace("RootError", "Dice"))
    with pytest.raises(RequestError, match=r"Use marsseg/dice or my_loss\.py/dice"):
        api.plan(loss="dice", plugins=[my_loss])
    plan = api.plan(loss="my_loss.py/dice,marsseg/dice", plugins=[my_loss])
    assert [chosen.entry.distribution for chosen in plan.resolved[LOSS]] == ["my_loss.py", "marsseg"]


def test_list_show_run_and_doctor_accept_a_file(cli, my_loss):
    assert (
        "root_error\t\tRoot error: the mean of (1 − p)^power.\tmy_loss.py "
        in cli("list", "loss", "--plugin", str(my_loss)).out
    )
    shown = cli("show", "root_error", "--plugin", str(my_loss))
    assert "below 1, small errors count more" in shown.out
    assert f"{my_loss}:9" in shown.out
    assert "root_error" in cli("run", "--loss", "root_error", "--plugin", str(my_loss), "--dry-run").out
    answer = cli("doctor", "root_error", "--plugin", str(my_loss))
    assert answer.code == 0
    assert answer.out.splitlines()[1].startswith("loss\troot_error\tmy_loss.py ")


def test_the_example_of_show_has_the_name_that_a_run_takes(cli, my_loss):
    my_loss.write_text(LOSSES.replace("RootError", "Dice"))
    shown = cli("show", "dice", "--plugin", str(my_loss)).out
    examples = [line.split()[3:] for line in shown.splitlines() if line.startswith("Try:  marsseg run --loss")]
    assert [words[1].partition(":")[0] for words in examples] == ["marsseg/dice", "my_loss.py/dice"]
    for words in examples:
        answer = cli("run", *words, "--plugin", str(my_loss), "--dry-run")
        assert answer.code == 0, answer.err


def test_the_example_of_show_includes_the_file(cli, my_loss):
    assert (
        f"--loss root_error:power=0.5 --plugin {my_loss}\n" in cli("show", "root_error", "--plugin", str(my_loss)).out
    )


def test_a_file_whose_components_are_not_used_is_reported(cli, my_loss):
    unused = cli("run", "--plugin", str(my_loss), "--dry-run")
    assert "Warning: No component of my_loss.py is used. To use one: --loss root_error." in unused.err
    assert cli("run", "--plugin", str(my_loss), "--loss", "wssce,root_error", "--dry-run").err == ""


def test_python_functions_accept_a_file(my_loss, tmp_path):
    (tmp_path / "mine.py").write_text(DATA)
    assert callable(marsseg.loss("root_error:power=0.3", plugins=[my_loss]))
    assert len(marsseg.dataset("stripes", plugins=[tmp_path / "mine.py"])) == 6
    (tmp_path / "net.py").write_text(NETWORK)
    network = marsseg.network("tiny_net", bottleneck="same_map", height=8, width=8, plugins=[tmp_path / "net.py"])
    assert network.output_shape == (None, 8, 8, 5)


def test_commands_about_data_accept_a_file(cli, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(DATA)
    plugin = ("--plugin", str(file))
    looked_at = cli("data", "inspect", "stripes", *plugin)
    assert looked_at.code == 0, looked_at.err
    assert "stripes: 6 labelled images of 16 × 32" in looked_at.out
    assert cli("data", "convert", "stripes", str(tmp_path / "stripes.npz"), *plugin).code == 0
    with np.load(tmp_path / "stripes.npz") as written:
        assert written["training_set"].shape == (6, 2, 16, 32)
    sheet = tmp_path / "dim.png"
    drawn = cli("show", "dim", "--preview", str(sheet), "--data", "stripes", *plugin)
    assert drawn.code == 0, drawn.err
    assert sheet.stat().st_size > 1000


def test_nothing_is_written_beside_the_file(my_loss):
    load_plugin_files([my_loss])
    assert [path.name for path in my_loss.parent.iterdir()] == ["my_loss.py"]


# --- broken files


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("raise RuntimeError('no driver')", PluginError, r"my_loss.py cannot be loaded: RuntimeError.*my_loss.py:1\]"),
        ("x = 1\nimport sys; sys.exit(1)", PluginError, r"cannot be loaded: SystemExit: 1 .*my_loss.py:2\]"),
        ("class X(", PluginError, r"cannot be loaded: SyntaxError.*my_loss.py:1\]"),
        ("import beside", PluginError, "No module named 'beside'.*A local plugin is one file"),
        ("x = 1", RequestError, "defines no component"),
        ("from marsseg_core.plugin_api import Loss", RequestError, "defines no component"),
        ("\0", PluginError, "cannot be loaded"),
    ],
)
def test_a_broken_file_is_named_with_the_cause(my_loss, source, error, said):
    my_loss.write_text(source)
    before = set(sys.modules)
    with pytest.raises(error, match=said):
        load_plugin_files([my_loss])
    if error is PluginError:
        assert not {name for name in set(sys.modules) - before if name.startswith("marsseg_plugin_")}


@pytest.mark.parametrize("name", ["nowhere.py", "my_loss.txt", "my loss.py", "a,b.py", "a:b.py", "my_loss"])
def test_a_file_that_is_not_python_is_refused(tmp_path, name):
    with pytest.raises(RequestError, match=r"cannot be a plugin|cannot be read"):
        load_plugin_files([tmp_path / name])


def test_an_incomplete_component_is_named_when_it_is_used(cli, my_loss):
    my_loss.write_text(LOSSES.replace("@dataclass(frozen=True)", ""))
    answer = cli("run", "--loss", "root_error", "--plugin", str(my_loss), "--dry-run")
    assert answer.code == 3
    assert f"The loss 'root_error' of my_loss.py {sha256(my_loss.read_text())[:12]} cannot be used" in answer.err
    assert str(my_loss) in answer.err


@pytest.mark.parametrize("broken", ["self.pwer", "ops.pwr(1, self.power)"])
def test_the_line_that_fails_in_a_run_is_named(my_loss, tmp_path, broken):
    my_loss.write_text(LOSSES.replace("self.power", broken))
    line = 1 + LOSSES[: LOSSES.index("** self.power")].count("\n")
    with pytest.raises(PluginError, match=rf"'root_error' of my_loss.py \w+ failed: .*{my_loss}:{line}, RootError"):
        marsseg.run(loss="root_error", plugins=[my_loss], out=tmp_path / "run", **SMALL)


def test_two_files_with_the_same_name_are_refused(my_loss, tmp_path):
    other = tmp_path / "other" / "my_loss.py"
    other.parent.mkdir()
    other.write_text(LOSSES + "# another\n")
    with pytest.raises(RequestError, match=r"Two plugins are called my_loss\.py"):
        load_plugin_files([my_loss, other])
    assert len(load_plugin_files([my_loss, my_loss])) == 1


# --- trust


def test_the_copy_in_a_run_folder_is_executed_only_if_trusted(cli, written):
    answer = cli("run", "--plan", str(written), "--dry-run")
    assert answer.code == 2
    assert f"{written}/plugins/my_loss.py (SHA-256 {sha256(LOSSES)})" in answer.err
    assert "--trust" in answer.err
    assert not [name for name in sys.modules if name.startswith("marsseg_plugin_")]
    answer = cli("run", "--plan", str(written), "--dry-run", "--trust")
    assert answer.code == 0
    assert "loss.root_error.power\t0.3" in answer.out


def test_trust_ends_with_the_command(cli, written):
    assert cli("run", "--plan", str(written), "--dry-run", "--trust").code == 0
    forget()
    assert cli("run", "--plan", str(written), "--dry-run").code == 2


def test_a_copy_of_a_file_that_this_process_loaded_needs_no_trust(written, my_loss):
    load_plugin_files([my_loss])
    assert api.plan(written).components(LOSS)[0].power == 0.3


def test_a_changed_copy_is_refused_even_if_trusted(written):
    copy = written / "plugins" / "my_loss.py"
    copy.write_text(LOSSES + "# changed\n")
    with pytest.raises(RequestError, match="has changed since the plan was made") as caught:
        api.plan(written, trust=True)
    assert str(copy) in caught.value.what
    assert sha256(LOSSES) in caught.value.what
    assert sha256(copy.read_text()) in caught.value.what
    assert not [name for name in sys.modules if name.startswith("marsseg_plugin_")]


def test_resuming_refuses_a_plugin_file(cli, written, my_loss):
    answer = cli("run", "--resume", str(written), "--plugin", str(my_loss))
    assert answer.code == 2
    assert "--plugin cannot be used with it" in answer.err
    assert "The run stores a copy of its plugins, which --trust executes." in answer.err


def test_a_missing_copy_is_named(written):
    (written / "plugins" / "my_loss.py").unlink()
    with pytest.raises(RequestError, match=r"my_loss\.py cannot be read: No such file"):
        api.plan(written, trust=True)


def test_a_file_of_the_user_replaces_the_file_of_the_plan(written, my_loss):
    my_loss.write_text(LOSSES + "# better\n")
    plan = api.plan(written, plugins=[my_loss])
    assert [plugin.hash for plugin in plan.plugins] == [sha256(my_loss.read_text())]
    assert plan.components(LOSS)[0].power == 0.3
    (line,) = plan.differences
    assert f"made with my_loss.py {sha256(LOSSES)[:12]}" in line


def test_a_plan_written_by_hand_may_name_a_file_beside_it(tmp_path, my_loss):
    plan = tmp_path / "mine.toml"
    plan.write_text('plugin = "my_loss.py"\nloss = "root_error"\n')
    with pytest.raises(RequestError, match="wants to execute"):
        api.plan(plan)
    assert api.plan(plan, trust=True).resolved[LOSS][0].entry.name == "root_error"


@pytest.mark.parametrize("text", ["plugin = 3", "plugin = [{}]", "plugin = [{file = 3}]"])
def test_a_plan_with_a_wrong_plugin_table_is_refused(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RequestError, match="is not a plugin"):
        api.plan(tmp_path / "mine.toml", trust=True)


def test_a_plan_without_its_file_has_a_hint_to_pass_it(tmp_path, written):
    text = (written / "plan.toml").read_text()
    document = tomllib.loads(text)
    del document["plugin"]
    import tomli_w

    (tmp_path / "alone.toml").write_text(tomli_w.dumps(document))
    with pytest.raises(RequestError, match=r"--plugin my_loss\.py"):
        api.plan(tmp_path / "alone.toml")


def test_loading_a_network_executes_only_the_files_with_its_components(written):
    plan = resolve(Request(base=str(written)), open_session(), only=NETWORK_KINDS)
    assert plan.plugins == ()
    with pytest.raises(RequestError, match="wants to execute"):
        resolve(Request(base=str(written)), open_session(), only=(LOSS,))


# A file that signals that it is being executed, and waits until it may continue. The events are in `builtins`, where
# every module finds them.
GATED = (
    """
import builtins
started, go_on = builtins.marsseg_gates["NAME"]
started.set()
assert go_on.wait(60)
"""
    + LOSSES
)


@pytest.fixture
def gated(tmp_path, monkeypatch):
    """`gated("one")` → a plan with its own plugin file, and two events of the file: it has started, it may continue."""
    monkeypatch.setattr(builtins, "marsseg_gates", {}, raising=False)

    def write(name):
        builtins.marsseg_gates[name] = (threading.Event(), threading.Event())
        (tmp_path / f"{name}.py").write_text(GATED.replace("NAME", name))
        plan = tmp_path / f"{name}.toml"
        plan.write_text(f'plugin = "{name}.py"\nloss = "root_error"\n')
        return plan, *builtins.marsseg_gates[name]

    return write


def test_trust_in_one_thread_does_not_apply_to_others(gated, written):
    """This is true while the trusting threads run and after they end, in any order."""
    (first, first_started, first_goes_on), (second, _, second_goes_on) = gated("first"), gated("second")
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(api.plan, first, trust=True)
        assert first_started.wait(60)
        two = threads.submit(api.plan, second, trust=True)
        refused = pytest.raises(RequestError, match="wants to execute")
        with refused:
            api.plan(written)
        first_goes_on.set()
        assert one.result(60).session.trust
        with refused:
            api.plan(written)
        second_goes_on.set()
        assert two.result(60).session.trust
    with pytest.raises(RequestError, match="wants to execute"):
        api.plan(written)
    assert not [name for name in sys.modules if name.startswith("marsseg_plugin_my_loss")]


def test_no_thread_sees_an_unfinished_module(gated):
    plan, started, goes_on = gated("slow")
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(api.plan, plan, trust=True)
        assert started.wait(60)
        two = threads.submit(api.plan, plan, trust=True)
        with pytest.raises(TimeoutError):
            two.result(0.3)
        goes_on.set()
        assert one.result(60).one(LOSS) == two.result(60).one(LOSS)


def test_a_file_that_is_still_executing_is_not_trusted(gated):
    plan, started, goes_on = gated("slow")
    with ThreadPoolExecutor(1) as threads:
        one = threads.submit(api.plan, plan, trust=True)
        assert started.wait(60)
        with pytest.raises(RequestError, match="wants to execute"):
            api.plan(plan)
        goes_on.set()
        one.result(60)


def test_a_file_with_the_same_content_and_another_name_needs_trust(written, my_loss):
    """The effect of a file may depend on its folder and its name."""
    load_plugin_files([my_loss])
    (written / "plugins" / "other.py").write_text(LOSSES)
    plan = written / "plan.toml"
    plan.write_text(plan.read_text().replace("my_loss.py", "other.py"))
    with pytest.raises(RequestError, match=r"wants to execute .*other\.py"):
        api.plan(written)


def test_standard_output_is_restored_after_threads_end_in_any_order():
    before = sys.stdout
    one, two = plugin_stdout_to_stderr(), plugin_stdout_to_stderr()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert sys.stdout is sys.stderr
    two.__exit__(None, None, None)
    assert sys.stdout is before


def test_init_from_a_run_with_plugin_files_needs_trust(tmp_path):
    network = tmp_path / "my_net.py"
    network.write_text(NETWORK)
    words = WORDS | {"arch": "tiny_net", "bottleneck": "none"}
    run = marsseg.run(plugins=[network], out=tmp_path / "run", **words)
    words |= {"arch": "unet:width=0.125:depth=1:convolutions=1", "init": str(run.path)}
    forget()
    with pytest.raises(RequestError, match=r"wants to execute .*my_net\.py"):
        marsseg.run(out=tmp_path / "other", **words)
    with pytest.raises(RequestError, match="No weights can be copied"):
        marsseg.run(out=tmp_path / "other", trust=True, **words)
    assert not (tmp_path / "other").exists()


def test_the_time_that_keras_takes_is_no_fault_of_a_file(monkeypatch):
    monkeypatch.setattr(loading, "SLOW_SECONDS", -1)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    warned = []
    with warnings_told(warned):
        for may_import_keras in (True, False):
            with loading.warn_if_slow("It", may_import_keras=may_import_keras):
                monkeypatch.setitem(sys.modules, "keras", None)
            monkeypatch.delitem(sys.modules, "keras")
        with loading.warn_if_slow("A slow file", may_import_keras=True):
            pass
    assert [line.split(" took ")[0] for line in warned] == ["It", "A slow file"]


# --- runs


@pytest.mark.slow
def test_a_run_stores_its_files_and_can_be_loaded_with_trust_in_a_new_process(tmp_path, my_loss, python_with_keras):
    network = tmp_path / "my-net.py"
    network.write_text(NETWORK)
    run = marsseg.run(
        arch="tiny_net",
        bottleneck="same_map",
        loss="root_error",
        plugins=[network, my_loss],
        out=tmp_path / "run",
        **WORDS,
    )
    assert (run.path / "plugins" / "my-net.py").read_text() == NETWORK
    assert (run.path / "plugins" / "my_loss.py").read_text() == LOSSES
    versions = json.loads((run.path / "environment.json").read_text())["versions"]
    assert (versions["my_loss.py"], versions["my-net.py"]) == (sha256(LOSSES)[:12], sha256(NETWORK)[:12])
    assert (
        marsseg.load(run.path).count_params() == run.network.count_params()
    )  # this process has already executed the file

    load = "import sys, marsseg_core as m\nprint(m.load(sys.argv[1], trust=len(sys.argv) > 2).count_params())"
    refused = python_with_keras(load, str(run.path))
    assert f"plugins/my-net.py (SHA-256 {sha256(NETWORK)})" in refused.err
    assert "my_loss.py" not in refused.err  # the network needs no loss
    loaded = python_with_keras(load, str(run.path), "trust")
    assert loaded.out == f"{run.network.count_params()}\n", loaded.err

    again = marsseg.run(run.path, out=tmp_path / "again")
    assert (again.path / "plugins" / "my_loss.py").read_text() == LOSSES
    assert (again.path / "metrics.json").read_text() == (run.path / "metrics.json").read_text()


@pytest.mark.slow
def test_evaluate_and_predict_use_the_files_of_a_run_and_of_the_data(cli, tmp_path):
    network, data = tmp_path / "my_net.py", tmp_path / "mine.py"
    network.write_text(NETWORK)
    data.write_text(DATA)
    plugins = ("--plugin", str(network), "--plugin", str(data))
    run = marsseg.run(arch="tiny_net", bottleneck="none", plugins=[network], out=tmp_path / "run", **WORDS)
    for words in (["evaluate", str(run.path), "--data"], ["predict", "--out", str(tmp_path / "masks"), str(run.path)]):
        forget()
        refused = cli(*words, "stripes", "--plugin", str(data))
        assert refused.code == 2
        assert f"plugins/my_net.py (SHA-256 {sha256(NETWORK)})" in refused.err
        answer = cli(*words, "stripes", *plugins)
        assert answer.code == 0, answer.err
        assert "stripes" in answer.out


# --- observers


WATCH = """
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_plan_resolved(plan):
    plan.training  # a plan

@hookimpl
def marsseg_epoch_finished(run, record):
    with (run.path / "seen.txt").open("a") as file:
        file.write(f"{record['epoch']}\\n")
"""


@pytest.fixture
def watch(tmp_path):
    path = tmp_path / "watch.py"
    path.write_text(WATCH)
    return path


def test_a_file_with_hooks_is_an_observer_with_or_without_components(watch, my_loss):
    (plugin,) = load_plugin_files([watch])
    (entry,) = plugin.entries
    assert (entry.kind, entry.name, entry.distribution) == (OBSERVER, "watch", "watch.py")
    my_loss.write_text(LOSSES + WATCH)
    (plugin,) = load_plugin_files([my_loss])
    assert [(entry.kind, entry.name) for entry in plugin.entries] == [(LOSS, "root_error"), (OBSERVER, "my_loss")]
    assert plugin.to_toml("plugins")["kinds"] == ["loss", "observer"]


def test_a_run_calls_the_hooks_stores_the_file_and_resumes_with_trust(watch, tmp_path):
    words = SMALL | {"epochs": 2}
    run = marsseg.run(plugins=[watch], out=tmp_path / "run", **words)
    assert (run.path / "seen.txt").read_text() == "1\n2\n"
    assert (run.path / "plugins" / "watch.py").read_text() == WATCH
    assert tomllib.loads(run.folder.plan.read_text())["plugin"] == [
        {"file": "plugins/watch.py", "sha256": sha256(WATCH), "kinds": ["observer"]}
    ]

    # Make it look like a run that was killed in its last epoch.
    (run.path / "metrics.json").unlink()
    forget()
    with pytest.raises(RequestError, match=r"wants to execute .*plugins/watch\.py \(SHA-256 [0-9a-f]{64}\)"):
        marsseg.resume(run.path)
    assert not [name for name in sys.modules if name.startswith("marsseg_plugin_")]
    marsseg.resume(run.path, trust=True)
    assert json.loads(run.folder.metrics.read_text())["status"] == "finished"


def test_a_run_from_the_plan_of_another_run_calls_its_hooks(watch, tmp_path):
    run = marsseg.run(plugins=[watch], out=tmp_path / "run", **SMALL)
    again = marsseg.run(run.path, out=tmp_path / "again")
    assert (again.path / "seen.txt").read_text() == "1\n"
    assert marsseg.run(out=tmp_path / "other", **SMALL).plan.plugins == ()
    assert not (tmp_path / "other" / "seen.txt").exists()


def test_only_a_run_executes_the_hooks_of_a_plan(watch, tmp_path):
    folder = tmp_path / "run"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plan.toml").write_text(api.plan(plugins=[watch]).to_toml())
    (folder / "plugins" / "watch.py").write_text(WATCH)
    forget()
    for only in (NETWORK_KINDS, (DATASET,), (LOSS,)):
        assert resolve(Request(base=str(folder)), open_session(), only=only).plugins == ()
    with pytest.raises(RequestError, match="wants to execute"):
        api.plan(folder)


def test_a_file_with_hooks_only_needs_no_component(cli, watch):
    words = [word for key, value in SMALL.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    answer = cli("run", *words, "--plugin", str(watch), "--out", "out", MARSSEG_DISABLE="report")
    assert answer.code == 0, answer.err
    assert "Warning" not in answer.err
    assert (watch.parent / "out" / "seen.txt").read_text() == "1\n"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (WATCH.replace("epoch_finished", "epoch_finishd"), "marsseg_epoch_finishd is not a hook"),
        (WATCH.replace("@hookimpl\ndef marsseg_epoch", "def marsseg_epoch"), "is not marked with @hookimpl"),
        (WATCH.replace("epoch_finished(run, record)", "register_commands(app)"), "adds commands.*installed module"),
    ],
)
def test_a_broken_observer_file_is_refused_before_data_is_read(watch, tmp_path, wrong, said):
    """The user passed the file, so this is an error. A broken installed observer is only skipped."""
    watch.write_text(wrong)
    with pytest.raises(PluginError, match=said) as caught:
        marsseg.run(plugins=[watch], out=tmp_path / "run", **SMALL)
    assert "observer 'watch' of watch.py" in caught.value.what
    assert not (tmp_path / "run").exists()


def test_an_observer_that_fails_is_named_and_the_run_continues(watch, tmp_path):
    watch.write_text(WATCH.replace("plan.training", "plan.nowhere"))
    warned = []
    with warnings_told(warned):
        marsseg.run(plugins=[watch], out=tmp_path / "run", **SMALL)
    assert any("The observer watch of watch.py" in line and f"[{watch}:6]" in line for line in warned)


def test_list_show_and_doctor_know_the_observer(cli, watch):
    plugin = ("--plugin", str(watch))
    (found,) = json.loads(cli("list", "observer", "watch", "--json", *plugin).out)["components"]
    assert (found["name"], found["distribution"]) == ("watch", "watch.py")
    assert f"Try:  marsseg run --plugin {watch}" in cli("show", "watch", *plugin).out
    assert cli("doctor", "watch", *plugin).code == 0
    watch.write_text(WATCH.replace("epoch_finished", "epoch_finishd"))
    forget()
    assert "is not a hook" in cli("doctor", "watch", *plugin).out


# --- missing distributions and versions


@pytest.fixture
def from_elsewhere(tmp_path):
    """A plan of a run whose loss and data set come from a distribution that is not installed."""
    text = api.plan(arch="unet").to_toml()
    document = tomllib.loads(text)
    document["loss"] = [{"name": "ring", "distribution": "acme", "version": "1.5"}]
    document["data"] |= {"distribution": "acme", "version": "1.5"}
    import tomli_w

    path = tmp_path / "plan.toml"
    path.write_text(tomli_w.dumps(document))
    return path


def test_a_plan_with_a_missing_distribution_says_what_to_install(from_elsewhere):
    with pytest.raises(RequestError, match=r"loss 'ring' of acme 1\.5, which is not installed.*acme==1\.5"):
        api.plan(from_elsewhere)


def test_a_distribution_that_no_longer_has_the_component_is_named(from_elsewhere):
    from_elsewhere.write_text(from_elsewhere.read_text().replace('"acme"', '"marsseg"'))
    with pytest.raises(
        RequestError, match=r"loss 'ring' of marsseg 1\.5, which is not installed; marsseg \S+ does not have it"
    ):
        api.plan(from_elsewhere)


def test_an_unknown_parameter_of_another_version_is_reported_with_the_version(tmp_path):
    import tomli_w

    document = tomllib.loads(api.plan(arch="unet").to_toml())
    document["arch"] |= {"version": "0.0.1", "kernels": 8}
    (tmp_path / "plan.toml").write_text(tomli_w.dumps(document))
    with pytest.raises(RequestError, match=r"no parameter 'kernels'.* made with marsseg 0\.0\.1; this is marsseg "):
        api.plan(tmp_path / "plan.toml")


def test_a_missing_component_can_be_replaced(from_elsewhere):
    plan = api.plan(from_elsewhere, loss="dice", data="synthetic:count=9")
    assert plan.one(DATASET).count == 9


def test_a_network_needs_only_its_own_components(from_elsewhere):
    plan = resolve(Request(base=str(from_elsewhere)), open_session(), only=NETWORK_KINDS)
    assert plan.one(ARCHITECTURE).width == 1.0
    assert set(plan.resolved) == set(NETWORK_KINDS)


def test_a_different_version_is_reported(tmp_path):
    (tmp_path / "plan.toml").write_text(api.plan(arch="unet").to_toml().replace('version = "', 'version = "0.0.'))
    (line,) = api.plan(tmp_path / "plan.toml").differences
    assert line.startswith("The plan was made with marsseg 0.0.")
    assert api.plan(arch="unet").differences == ()


@pytest.mark.slow
def test_loading_a_run_warns_of_another_version(tmp_path):
    run = marsseg.run(arch="unet:width=0.125:depth=1:convolutions=1", out=tmp_path / "run", **WORDS)
    with no_warning():
        marsseg.load(run.path)
    plan = run.path / "plan.toml"
    plan.write_text(plan.read_text().replace('version = "', 'version = "0.0.'))
    with warned_of(r"made with marsseg 0\.0\."):
        marsseg.load(run.path)
