"""Commands that plugins add to `marsseg`: how they are loaded, and that a broken plugin affects no other command."""

from __future__ import annotations

import json
import re
import sys

import pytest
from helpers.bad_plugins import write_metadata

from marsseg_core.cli.main import main
from marsseg_core.errors import PluginError
from marsseg_core.hooks import commands_of, load_observer
from marsseg_core.registry.catalog import installed, rescan

GROUP = "marsseg.commands"

START = '''"""Adds a command."""
import typer
from marsseg_core.plugin_api import RequestError, hookimpl

def thing(name: str = "world", loud: bool = False) -> None:
    """Do a thing."""
    BODY

'''

SOUND = (
    START
    + """
@hookimpl
def marsseg_register_commands(app):
    app.command("thing")(thing)
"""
)


def doing(body: str) -> str:
    return SOUND.replace("BODY", body)


GREETING = doing("print(f'hello {name}')")

TWO = """
    more = typer.Typer(name="more", help="Do more things.")
    more.command("deep")(thing)
    app.add_typer(more)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give `install("acme", source)`, which installs a distribution whose module adds commands."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    made = []

    def call(name: str, source: str, group: str = GROUP, requires: str = "marsseg") -> None:
        module = f"{name}_commands"
        (folder / f"{module}.py").write_text(source)
        write_metadata(folder, name, f"{name} = {module}", group, requires)
        made.append(module)
        rescan()

    yield call
    for module in made:
        sys.modules.pop(module, None)
    rescan()


def entry(name):
    (match,) = [each for each in installed().commands if each.name == name]
    return match


def test_a_command_works_and_the_help_names_its_plugin(cli, install):
    install("acme", GREETING + TWO)
    assert cli("thing", "--name", "Mars").out == "hello Mars\n"
    assert cli("more", "deep").out == "hello world\n"
    shown = cli("--help")
    assert "Commands of acme 1.0" in shown.out
    assert "Do a thing." in shown.out
    assert "Do more things." in shown.out
    assert shown.err == ""
    assert "--name" in cli("thing", "--help").out


def test_a_command_and_its_options_are_completed(install, monkeypatch, capsys):
    install("acme", GREETING)
    monkeypatch.setattr(sys, "argv", ["marsseg"])
    monkeypatch.setenv("_MARSSEG_COMPLETE", "complete_zsh")
    for line, word in (("th", "thing"), ("thing --n", "--name"), ("thing --l", "--loud")):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"marsseg {line}")
        with pytest.raises(SystemExit):
            main()
        answer = capsys.readouterr()
        assert f'"{word}"' in answer.out
        assert answer.err == ""


def test_the_module_is_imported_only_if_its_commands_are_requested(python, install):
    """Observers are not imported for help, and a built-in command imports no plugin at all."""
    install("acme", GREETING)
    install("watcher", "raise AssertionError", "marsseg.hooks")
    code = "import sys, atexit\natexit.register(lambda: print(*sys.modules, sep='\\n', file=open('modules', 'w')))\n"
    code += "from marsseg_core.cli.main import main\nsys.argv[0] = 'marsseg'\nmain()"
    for words, is_imported in (
        (["list", "loss"], False),
        (["run", "--help"], False),
        (["--help"], True),
        (["thing"], True),
    ):
        answer = python(code + "\n", *words)
        assert answer.code == 0, answer.err
        modules = set(python("print(open('modules').read())").out.split())
        assert ("acme_commands" in modules) == is_imported, words
        assert not modules & {"watcher_commands", "keras", "tensorflow", "numpy", "scipy", "matplotlib"}


BROKEN = {
    "raises": ("raise RuntimeError('no driver')", "cannot be loaded: RuntimeError: no driver"),
    "lacks": ("import nowhere_at_all", "cannot be loaded: ModuleNotFoundError"),
    "leaves": ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
    "unmarked": (SOUND.replace("@hookimpl", ""), "is not marked with @hookimpl"),
    "misspelt": (SOUND.replace("register", "registr"), "is not a hook. .*Did you mean 'marsseg_register_commands'"),
    "misargued": (SOUND.replace("(app)", "(apq)"), "has an unknown argument 'apq'"),
    "fails": (
        SOUND.replace('app.command("thing")(thing)', "app.nowhere()"),
        "failed in marsseg_register_commands: Attr",
    ),
    "untyped": (SOUND.replace("loud: bool", "loud: 'Nowhere'"), "adds a command that cannot be used"),
    "empty": ("x = 1", "has no hook.*marsseg_register_commands"),
    "taken": (
        SOUND.replace('"thing"', '"run"'),
        "adds a command 'run', but marsseg itself has one already. It is left out",
    ),
    "grouped": (
        SOUND.replace('"thing"', '"data"'),
        "adds a command 'data', but marsseg itself has one already. It is left out",
    ),
    "watching": (
        SOUND + "\n@hookimpl\ndef marsseg_run_finished(run): pass\n",
        "marsseg_run_finished observes runs.*another module, and name that in the group marsseg.hooks",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_named_and_the_other_commands_work(cli, install, name):
    source, message = BROKEN[name]
    install(name, source)
    install("sound", GREETING.replace('"thing"', '"other"'))
    for words in (["--help"], ["other"]):
        answer = cli(*words)
        assert answer.code == 0
        (line,) = answer.err.splitlines()
        assert line.startswith("Warning: ")
        assert f"command '{name}' of {name} 1.0" in line
        assert re.search(message, line)
    assert "other" in cli("--help").out
    assert cli("list", "loss").err == ""
    assert "Train a network" in cli("run", "--help").out
    assert cli("nowhere").code == 2


def test_the_first_distribution_keeps_a_name_that_two_add(cli, install):
    install("zeta", doing("print('zeta')"))
    install("acme", doing("print('acme')"))
    answer = cli("thing")
    assert (answer.code, answer.out) == (0, "acme\n")
    assert "command 'zeta' of zeta 1.0 adds a command 'thing', but command 'acme' of acme 1.0 has one" in answer.err


def test_nothing_is_printed_while_a_word_is_completed(install, monkeypatch, capsys):
    install("chatty", "import sys\nprint('loading')\nprint('loading', file=sys.stderr)\nraise RuntimeError")
    monkeypatch.setattr(sys, "argv", ["marsseg"])
    monkeypatch.setenv("_MARSSEG_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "marsseg ev")
    with pytest.raises(SystemExit):
        main()
    answer = capsys.readouterr()
    assert "evaluate" in answer.out
    assert "loading" not in answer.out
    assert answer.err == ""


@pytest.mark.parametrize("text", ["disable = 3", "disable = ['nothing_of_this_name']"])
def test_a_wrong_configuration_leaves_the_built_in_commands(cli, install, tmp_path, text):
    install("acme", GREETING)
    (tmp_path / "marsseg.toml").write_text(text)
    answer = cli("--help")
    assert answer.code == 0
    assert "marsseg.toml" in answer.err
    assert "thing" not in answer.out


def test_an_error_in_a_command_names_its_plugin_without_a_traceback(cli, install):
    install("acme", doing("raise ValueError('three')"))
    answer = cli("thing")
    assert answer.code == 3
    assert "The command 'acme' of acme 1.0 failed: ValueError: three" in answer.err
    assert "acme_commands.py:7" in answer.err
    assert "Traceback" not in answer.err
    assert "Traceback" in cli("--traceback", "thing").err


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("raise RequestError('No such thing.')", 2, "Error: No such thing."),
        ("raise typer.Exit(7)", 7, ""),
        ("raise SystemExit(8)", 8, ""),
        ("raise typer.BadParameter('too quiet')", 2, "too quiet"),
        ("raise KeyboardInterrupt", 130, "Interrupted."),
        ("raise MemoryError('all')", 1, "not enough memory"),
    ],
)
def test_errors_of_marsseg_and_typer_have_their_usual_exit_codes(cli, install, body, code, message):
    install("acme", doing(body))
    answer = cli("thing")
    assert answer.code == code
    assert message in answer.err
    assert "acme" not in answer.err


def test_list_and_show_do_not_import_the_module(cli, install):
    install("acme", SOUND + "raise AssertionError")
    (record,) = json.loads(cli("list", "command", "--json").out)["components"]
    assert (record["kind"], record["name"], record["summary"]) == ("command", "acme", "Adds a command.")
    assert "command acme" in cli("show", "acme").out


def test_a_disabled_module_is_not_imported(cli, install, monkeypatch):
    install("acme", "raise AssertionError")
    monkeypatch.setenv("MARSSEG_DISABLE", "acme")
    answer = cli("--help")
    assert (answer.code, answer.err) == (0, "")
    assert "disabled: by MARSSEG_DISABLE" in cli("list", "command").out
    assert "disabled: by --disable" in cli("list", "command", "--disable", "acme").out


def test_an_incompatible_module_is_not_imported(cli, install):
    install("acme", "raise AssertionError", requires="marsseg>=99")
    assert cli("--help").err == ""
    assert cli("thing").code == 2


def test_doctor_loads_each_plugin_in_a_separate_process(cli, install):
    install("acme", GREETING)
    install("taken", SOUND.replace('"thing"', '"run"'))
    install("zeta", SOUND)
    install("fails", BROKEN["fails"][0])
    answer = cli("doctor", "acme", "taken", "zeta", "fails", "--json")
    assert answer.code == 3
    records = {each["name"]: each for each in json.loads(answer.out)["findings"]}
    assert (records["acme"]["status"], records["acme"]["commands"]) == ("ok", ["thing"])
    assert {records[name]["status"] for name in ("taken", "zeta", "fails")} == {"broken"}
    assert "marsseg itself has one already" in records["taken"]["problem"]
    assert "command 'acme' of acme 1.0 has one already" in records["zeta"]["problem"]
    assert "failed in marsseg_register_commands" in records["fails"]["problem"]


def test_the_error_for_an_observer_that_adds_commands_names_the_right_group(install):
    install("acme", SOUND, "marsseg.hooks")
    (observer,) = [each for each in installed().observers if each.name == "acme"]
    with pytest.raises(PluginError, match=r"adds commands.*name that in the group marsseg\.comm"):
        load_observer(observer)


def test_each_plugin_has_a_separate_app(install):
    install("acme", GREETING)
    assert list(commands_of(entry("acme"))) == list(commands_of(entry("acme"))) == ["thing"]


def test_an_exception_that_is_no_exception_names_its_plugin(cli, install):
    install("acme", doing("raise type('Stop', (BaseException,), {'__str__': lambda self: 1 / 0})"))
    answer = cli("thing")
    assert answer.code == 3
    assert "The command 'acme' of acme 1.0 failed: Stop: (its text raises ZeroDivisionError)" in answer.err


def test_a_backend_without_memory_is_no_broken_plugin(cli, install):
    install("acme", doing("raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes')"))
    answer = cli("thing")
    assert answer.code == 1
    assert "Error: There is not enough memory: RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes." in answer.err
