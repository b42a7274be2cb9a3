"""Hooks: what is a valid observer, the order of the calls, and how failures are handled."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
from helpers.messages import no_warning, warnings_told
from helpers.packages import Package
from helpers.paths import REPOSITORY

from marsseg_core.errors import PluginError, RunError
from marsseg_core.hooks import Hooks, load_hooks, load_observer
from marsseg_core.registry.catalog import Catalog, installed
from marsseg_core.registry.discovery import entries_from
from marsseg_core.registry.entries import INCOMPATIBLE
from marsseg_core.registry.kinds import OBSERVER

HOOKS = [name for name in vars(Hooks) if name.startswith("marsseg_")]

HOOK = """
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_run_finished(run):
    run.append(__name__)
"""


@pytest.fixture
def observer(tmp_path, monkeypatch):
    """Give `observer("name", source)`, which returns the entry of an observer of acme 1.0 with this source."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(name: str, source: str, package: Package | None = None):
        module = f"observer_{name}_{tmp_path.name.rpartition('_')[2]}"
        (tmp_path / f"{module}.py").write_text(source)
        sys.modules.pop(module, None)
        made.append(module)
        point = EntryPoint(name, module, OBSERVER.group)._for(package or Package("acme"))
        return Catalog(entries_from([point])).observers[0]

    yield make
    for module in made:
        sys.modules.pop(module, None)


def test_every_hook_is_used_by_a_built_in_observer():
    used = set()
    for entry in installed().observers:
        if entry.distribution == "marsseg":
            module = load_observer(entry)
            used |= {name for name in HOOKS if hasattr(module, name)}
    # Except this one: marsseg's own commands are built in.
    assert used == set(HOOKS) - {"marsseg_register_commands"}


def test_the_page_on_hooks_has_all_hooks_with_their_arguments():
    page = (REPOSITORY / "docs" / "hooks.md").read_text(encoding="utf-8")
    for name in HOOKS:
        arguments = ", ".join(list(vars(Hooks)[name].__annotations__)[:-1])
        assert f"`{name}({arguments})`" in page


def test_the_specification_fits_on_one_screen():
    tree = ast.parse((REPOSITORY / "marsseg_core" / "hooks.py").read_text(encoding="utf-8"))
    (hooks,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Hooks"]
    assert hooks.end_lineno - hooks.lineno < 40


def test_observers_are_called_in_the_order_of_distribution_and_name(observer):
    entries = [observer(name, HOOK) for name in ("b", "c", "a")]
    entries.append(observer("z", HOOK, Package("aaa")))
    called = []
    for order in (entries, entries[::-1]):
        called.append([])
        with no_warning():
            load_hooks(order)("marsseg_run_finished", run=called[-1])
    assert called[0] == called[1]
    assert [name.split("_")[1] for name in called[0]] == ["z", "a", "b", "c"]


ITSELF = f"{HOOK}\nimport sys\nitself = sys.modules[__name__]\n"


@pytest.mark.parametrize(("distribution", "target"), [("zeta", ""), ("acme", ":itself")], ids=["of two", "of one"])
def test_an_observer_named_twice_is_called_once_with_a_warning_that_names_both(observer, distribution, target):
    """A project that was renamed and installed again by `pip install -e .` often stays installed under its old name."""
    first = observer("told", ITSELF)
    again = replace(first, name="twice", distribution=distribution, version="2.0", target=first.target + target)
    for entries in ([first, again], [again, first]):
        called = []
        with warnings_told() as warned:
            load_hooks([*entries, observer("b", HOOK)])("marsseg_run_finished", run=called)
        assert [name.split("_")[1] for name in called] == ["b", "told"]
        (line,) = warned
        assert line.startswith(f"The observer 'twice' of {distribution} 2.0 is the same as the observer 'told' of acme")
        assert first.module in line


def test_a_failing_observer_is_named_with_its_file_and_line_and_the_others_are_called(observer):
    called = []
    failing = observer("fails", HOOK.replace("run.append(__name__)", "run.nowhere()"))
    with warnings_told() as warned:
        hooks = load_hooks([failing, observer("b", HOOK)])
        hooks("marsseg_run_finished", run=called)
    assert len(called) == 1
    (line,) = warned
    assert "The observer fails of acme 1.0 failed in marsseg_run_finished: AttributeError" in line
    assert "observer_fails_" in line
    assert ".py:6]" in line
    assert hooks.warnings == warned


def test_an_observer_cannot_end_the_process(observer):
    leaving = observer("leaves", HOOK.replace("run.append(__name__)", "raise SystemExit(5)"))
    with warnings_told() as warned:
        load_hooks([leaving])("marsseg_run_finished", run=[])
    assert "SystemExit: 5" in warned[0]


def test_an_error_of_marsseg_itself_ends_the_run(observer):
    source = HOOK.replace("run.append(__name__)", "from marsseg_core.errors import RunError; raise RunError('full')")
    with pytest.raises(RunError, match="full"):
        load_hooks([observer("full", source)])("marsseg_run_finished", run=[])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (HOOK.replace("run_finished", "run_finnished"), "is not a hook.*Did you mean 'marsseg_run_finished'"),
        (HOOK.replace("(run)", "(runn)"), "has an unknown argument 'runn'.*Did you mean 'run'"),
        (HOOK.replace("@hookimpl", ""), "marsseg_run_finished is not marked with @hookimpl"),
        ("x = 1", "has no hook"),
        ("raise RuntimeError('no driver')", "cannot be loaded: RuntimeError: no driver"),
        ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
        ("import nowhere_at_all", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_broken_observer_is_named_and_the_others_are_called(observer, source, message):
    broken, sound = observer("broken", source), observer("sound", HOOK)
    with pytest.raises(PluginError, match=message) as caught:
        load_observer(broken)
    assert "observer 'broken' of acme 1.0" in caught.value.what
    assert broken.module in caught.value.where
    called = []
    with warnings_told() as warned:
        load_hooks([broken, sound])("marsseg_run_finished", run=called)
    assert len(warned) == len(called) == 1
    assert "observer 'broken' of acme 1.0" in warned[0]


def test_arguments_with_a_default_and_specname_are_allowed_as_in_pluggy(observer):
    source = HOOK.replace("(run)", "(run, verbose=True)") + (
        "\n@hookimpl(specname='marsseg_epoch_finished')\ndef count(record): pass\n"
    )
    load_observer(observer("fine", source))


def test_an_incompatible_observer_is_never_imported(observer):
    entry = observer("old", "raise AssertionError", Package("acme", requires=("marsseg>=99",)))
    assert entry.status == INCOMPATIBLE
    with no_warning():
        load_hooks([entry])
    assert entry.module not in sys.modules


def test_a_disabled_observer_is_not_called(monkeypatch):
    monkeypatch.setenv("MARSSEG_DISABLE", "report,progress")
    with no_warning():
        hooks = load_hooks()
    assert hooks("marsseg_callbacks", run=None) == []


def test_observers_receive_a_plan_before_keras_is_loaded(python):
    code = (
        "import sys\nfrom marsseg_core import api\nfrom marsseg_core.hooks import announce\n"
        "announce(api.plan(arch='unet'))\nassert 'keras' not in sys.modules\nprint('heard')"
    )
    assert python(code).out == "heard\n"


def test_the_progress_observer_says_what_a_plan_was_made_with(cli, tmp_path, capsys):
    from marsseg_core import api
    from marsseg_core.hooks import announce

    made = api.plan(arch="unet").to_toml().replace('version = "', 'version = "0.0.')
    (tmp_path / "old.toml").write_text(made)
    with no_warning():
        announce(api.plan(tmp_path / "old.toml"))
    assert "The plan was made with marsseg 0.0." in capsys.readouterr().err
    with no_warning():
        announce(api.plan(arch="unet"))
    assert capsys.readouterr().err == ""


# --- the hook of a failed run


FAILURE = """
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_run_failed(run, error):
    run.append((__name__, error))
"""


@pytest.mark.parametrize("cause", ["ValueError('again')", "SystemExit(3)", "RunError('no space')"])
def test_an_observer_that_fails_after_a_failed_run_is_named_and_the_others_are_called(observer, cause):
    source = FAILURE.replace("run.append", f"from marsseg_core.plugin_api import RunError; raise {cause}; run.append")
    called, error = [], RunError("full")
    with warnings_told() as warned:
        hooks = load_hooks([observer("a", source), observer("b", FAILURE)])
        hooks("marsseg_run_failed", run=called, error=error)
    ((name, received),) = called
    assert name.startswith("observer_b_")
    assert received is error
    (line,) = warned
    assert "The observer a of acme 1.0 failed in marsseg_run_failed" in line
