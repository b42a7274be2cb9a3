"""Twelve bad plugins installed together: each is named with its cause, and everything else goes on."""

from __future__ import annotations

import builtins
import json
import os
import sys

import pytest
from helpers import bad_plugins
from helpers.bad_plugins import BAD, ENVIRONMENT
from helpers.processes import run_process

from marsseg_core import version
from marsseg_core.registry.catalog import rescan

TINY = ("--arch", "unet:width=0.125:depth=1:convolutions=1", "--data", "synthetic:count=24:height=16:width=32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    bad_plugins.write(folder)
    return folder


@pytest.fixture
def anew(folder):
    """The folder, with no trace of an import."""
    for trace in (folder / "imported").iterdir():
        trace.unlink()
    return folder


@pytest.fixture
def bad_cli(cli, folder, monkeypatch):
    """`cli`, with the twelve installed."""
    monkeypatch.syspath_prepend(folder)
    for name, value in (ENVIRONMENT | {"BAD_PLUGINS": str(folder)}).items():
        monkeypatch.setenv(name, value)
    rescan()
    yield cli
    rescan()
    for bad in BAD:
        sys.modules.pop(bad.module, None)


def run_with(folder, words, cwd):
    """`marsseg` in a fresh process, with the twelve installed."""
    start = "from marsseg_core.cli.main import main; main()"
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = ENVIRONMENT | {"BAD_PLUGINS": str(folder), "PYTHONPATH": path}
    return run_process(sys.executable, "-c", start, *words, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def findings(folder, tmp_path_factory):
    """What one `marsseg doctor` finds of the twelve, by name, its exit code, and what it imported."""
    for trace in (folder / "imported").iterdir():
        trace.unlink()
    words = ["doctor", "--json", "hflip", "progress", *(bad.distribution for bad in BAD)]
    answer = run_with(folder, words, tmp_path_factory.mktemp("doctor"))
    found = {(one["distribution"], one["name"]): one for one in json.loads(answer.out)["findings"]}
    return found, answer.code, bad_plugins.imported(folder)


BY_NAME = pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)


@BY_NAME
def test_list_tells_the_status_of_each(bad_cli, bad):
    answer = bad_cli("list")
    assert answer.code == 0
    rows = [line.split("\t") for line in answer.out.splitlines()]
    (status,) = [row[-1] for row in rows if row[-2] == f"{bad.distribution} 1.0"]
    assert status.partition(":")[0] == bad.listed
    if bad.listed not in ("ok", "conflict"):
        assert bad.said in status


def test_list_imports_none_of_them(anew, tmp_path):
    assert run_with(anew, ["list"], tmp_path).code == 0
    assert bad_plugins.imported(anew) == set()


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.asked is not None], ids=lambda bad: bad.name)
def test_asking_for_one_names_it_with_its_distribution_version_file_and_cause(bad_cli, bad, folder):
    answer = bad_cli("run", "--loss", bad.entry_name, "--dry-run")
    assert answer.code == bad.asked
    assert bad.said in answer.err
    assert f"{bad.distribution} 1.0" in answer.err
    if bad.asked == 3:
        assert f"The loss '{bad.name}' of {bad.distribution} 1.0" in answer.err
        assert str(folder / f"{bad.module}.py") in answer.err


def test_two_providers_are_both_named_and_the_distribution_picks(bad_cli):
    answer = bad_cli("run", "--loss", "ssce", "--dry-run")
    assert f"bad-rival 1.0, marsseg {version()}" in answer.err
    assert "Use bad-rival/ssce or marsseg/ssce." in answer.err
    assert bad_cli("run", "--loss", "marsseg/ssce", "--dry-run").code == 0
    assert bad_cli("run", "--loss", "bad-rival/ssce", "--dry-run").code == 0


def test_a_recipe_means_its_own_distributions_components(bad_cli, folder, monkeypatch):
    """That somebody else provides the same name too is no reason to refuse it."""
    bad_plugins.write_metadata(folder / "more", "bad-wssce", "wssce = bad_rival:Bad")
    monkeypatch.syspath_prepend(folder / "more")
    rescan()
    assert bad_cli("list", "wssce").out.count("conflict") == 2
    assert bad_cli("run", "--dry-run").code == 0


def test_the_parts_of_a_component_are_its_own_distributions(bad_cli, folder, monkeypatch):
    bad_plugins.write_metadata(folder / "parts", "bad-aspp", "aspp = bad_rival:Bad", "marsseg.bottlenecks")
    monkeypatch.syspath_prepend(folder / "parts")
    rescan()
    words = ("run", "--arch", "dual:first_bottleneck=aspp", "--dry-run")
    assert bad_cli(*words).code == 0
    assert "Two distributions provide the bottleneck 'aspp'" in bad_cli(*words, "--bottleneck", "aspp").err


def test_what_plans_start_from_is_marssegs(bad_cli, folder, monkeypatch):
    bad_plugins.write_metadata(folder / "recipes", "bad-recipes", "default = bad_recipes.default", "marsseg.recipes")
    monkeypatch.syspath_prepend(folder / "recipes")
    rescan()
    assert bad_cli("run", "--dry-run").code == 0
    assert "Use bad-recipes/default or marsseg/default" in bad_cli("run", "--plan", "default", "--dry-run").err


@pytest.mark.slow
def test_a_run_with_good_components_names_the_observers_and_goes_on(anew, tmp_path):
    answer = run_with(anew, ["run", *TINY, "--epochs", "1", "--disable", "report", "--out", "run"], tmp_path)
    assert answer.code == 0, answer.err
    assert "miou" in answer.out
    warnings = [line for line in answer.err.splitlines() if line.startswith("Warning:")]
    assert len(warnings) == 2
    assert (tmp_path / "run" / "log.txt").read_text().count("warning: The observer 'mis") == 2
    for bad in BAD:
        said = [line for line in warnings if bad.said in line]
        assert len(said) == bad.is_observer
        if bad.is_observer:
            assert f"'{bad.name}' of {bad.distribution} 1.0" in said[0]
            assert str(anew / f"{bad.module}.py") in said[0]
    assert bad_plugins.imported(anew) == {bad.module for bad in BAD if bad.is_observer}


@BY_NAME
def test_doctor_finds_each(findings, bad):
    found, code, _ = findings
    assert code == 3
    finding = found[bad.distribution, bad.entry_name]
    assert finding["status"] == bad.found
    if bad.found == "broken":
        assert bad.said in finding["problem"]
        assert f"'{bad.name}' of {bad.distribution} 1.0" in finding["problem"]
        assert f"{bad.module}.py" in finding["where"]


def test_doctor_says_that_what_is_sound_is_sound(findings):
    found, *_ = findings
    assert found["marsseg", "hflip"]["status"] == "ok"
    assert found["marsseg", "progress"]["status"] == "ok"


def test_doctor_times_the_slow_one(findings):
    assert findings[0]["bad-slow", "slow"]["seconds"] > 2
    assert findings[0]["bad-slow", "slow"]["effects"] == []


def test_doctor_imports_nothing_that_cannot_be_used(findings):
    assert findings[2] == {bad.module for bad in BAD if bad.listed in ("ok", "conflict")}


RUDE = """\
import builtins, logging, os
from dataclasses import dataclass
from marsseg_core.plugin_api import Augmentation, Loss, Schedule, hookimpl

epochs = 0

def disturb():
    os.chdir("/")
    logging.disable(logging.CRITICAL)

disturb()

@dataclass(frozen=True)
class RudeLoss(Loss):
    "A loss."

    def build(self, spec):
        import keras

        disturb()

        def loss(labels, logits):
            builtins.rude_floatx = keras.config.floatx()
            return keras.ops.mean(keras.ops.square(logits))

        return loss

@dataclass(frozen=True)
class RudeFlip(Augmentation):
    "An augmentation."

    def prepare(self, data, items):
        import keras

        keras.config.set_floatx("float16")
        return self.apply

    def apply(self, images, masks, generators):
        disturb()
        if epochs:
            raise KeyboardInterrupt
        return images, masks

@dataclass(frozen=True)
class RudeSchedule(Schedule):
    "A schedule."

    def build(self, spec):
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: disturb())

class Mute(BaseException):
    def __str__(self):
        raise ValueError

@hookimpl
def marsseg_epoch_finished(run, record):
    global epochs
    epochs += 1
    disturb()

@hookimpl
def marsseg_run_finished(run):
    disturb()
    raise Mute
"""


def test_a_rude_plugin_moves_silences_and_stops_nothing(tmp_path, monkeypatch):
    """It goes elsewhere and switches messages off wherever it is called, and interrupts a thread of the pipeline."""
    import keras

    import marsseg_core as marsseg

    (tmp_path / "rude.py").write_text(RUDE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARSSEG_DISABLE", "report,progress")
    monkeypatch.setattr(builtins, "rude_floatx", None, raising=False)
    run = marsseg.run(
        arch="unet:width=0.125:depth=1:convolutions=1",
        data="synthetic:count=16:height=16:width=16",
        loss="rude_loss",
        augment="rude_flip:p=1",
        schedule="rude_schedule",
        plugins=["rude.py"],
        out="run",
        batch=4,
        epochs=3,
        workers=2,
    )
    assert os.getcwd() == str(tmp_path)
    assert (run.metrics["status"], len(run.history)) == ("interrupted", 1)
    assert {"metrics.json", "history.csv", "network.keras", "log.txt"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "The observer rude of rude.py" in log
    assert "failed in marsseg_run_finished: Mute: (its text raises ValueError)" in log
    assert builtins.rude_floatx == keras.config.floatx() == "float32"
