"""The command line: standard output and error, exit codes, and one clear error for each wrong request."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import FROZEN
from helpers.printed import plain, table
from helpers.processes import run_process
from rich.console import Console

from marsseg_core import version
from marsseg_core.cli.output import print_table
from marsseg_core.registry.catalog import installed, rescan
from marsseg_core.registry.kinds import COMPONENT_KINDS, EXPORTER, PLAN_KINDS, RECIPE

HEADERS = ["kind", "name", "aliases", "summary", "provider", "status"]


def terminal(columns: int) -> dict[str, str]:
    """Return environment variables that make Rich print as on a terminal of this width."""
    return {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": str(columns)}


# --- list


def test_list_shows_every_component_recipe_and_observer_in_tabs(cli):
    answer = cli("list")
    assert (answer.code, answer.err) == (0, "")
    headers, *rows = table(answer.out)
    assert headers == HEADERS
    assert [(row[0], row[1]) for row in rows] == [(entry.kind.name, entry.name) for entry in installed().everything]
    assert ["recipe", "report"] in [row[:2] for row in rows]
    assert all(len(row) == len(HEADERS) and row[3] and row[5] == "ok" for row in rows)


def test_piped_rows_are_never_cut(cli):
    assert cli("list", COLUMNS="20").out == cli("list", COLUMNS="400").out


def test_piped_tables_have_tabs_whatever_asks_for_colours(cli):
    assert cli("list", FORCE_COLOR="1").out == cli("list").out


@pytest.mark.parametrize("word", [word for kind in (*COMPONENT_KINDS, RECIPE) for word in (kind.name, kind.option)])
def test_list_takes_a_kind_by_name_or_option(cli, word):
    (kind,) = [kind for kind in (*COMPONENT_KINDS, RECIPE) if word in (kind.name, kind.option)]
    rows = table(cli("list", word).out)[1:]
    assert [row[1] for row in rows] == [entry.name for entry in installed().of_kind(kind)]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["dense"], {"dense"}),
        (["loss", "wss"], {"wssce"}),
        (["losses", "*ce"], {"ssce", "wssce"}),
        (["architecture", "u*t"], {"unet"}),
    ],
)
def test_list_takes_a_pattern(cli, words, names):
    assert names <= {row[1] for row in table(cli("list", *words).out)[1:]}
    assert {"synthetic", "transformer"}.isdisjoint(row[1] for row in table(cli("list", *words).out)[1:])


def test_list_as_json_has_a_schema_number(cli):
    answer = json.loads(cli("list", "loss", "--json").out)
    assert answer["schema"] == 2
    (wssce,) = [component for component in answer["components"] if component["name"] == "wssce"]
    assert wssce["summary"] == "Weighted sparse softmax cross-entropy: gives more weight to rare classes."
    assert (wssce["kind"], wssce["distribution"], wssce["version"]) == ("loss", "marsseg", version())
    assert (wssce["status"], wssce["reason"], wssce["aliases"]) == ("ok", "", [])


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (["dnse"], "No component is called 'dnse'.", "Did you mean 'dense'?"),
        (["zzzz"], "No component is called 'zzzz'.", "`marsseg list` lists all names."),
        (["[red]"], "No component is called '[red]'.", "`marsseg list` lists all names."),
        (["loss", "dense"], "No loss is called 'dense'.", "'dense' is an architecture."),
        (["loss", "wsce"], "No loss is called 'wsce'.", "Did you mean 'wssce'?"),
        (["los", "dense"], "There is no kind 'los'.", "Did you mean 'loss'?"),
    ],
)
def test_list_without_a_match_is_a_wrong_request(cli, words, what, hint):
    answer = cli("list", *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"Error: {what}\n       In: list\n       {hint}\n"


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_narrow_terminal_cuts_no_name(cli, columns):
    lines = plain(cli("list", **terminal(columns)).out).splitlines()
    assert max(map(len, lines)) <= columns
    for entry in installed().entries:
        assert any(re.match(rf"{entry.kind.name}\s+{re.escape(entry.name)}(\s|$)", line) for line in lines)


def test_a_terminal_shows_no_empty_column(cli):
    first, *_ = plain(cli("list", "loss", **terminal(150)).out).splitlines()
    assert first.split() == ["kind", "name", "summary", "provider", "status"]
    assert cli("list", "loss").out.splitlines()[0].split("\t")[2] == "aliases"


@pytest.mark.parametrize("columns", [60, 90, 120, 200])
def test_a_terminal_breaks_no_path(capsys, monkeypatch, columns):
    path = "leftImg8bit/train/gale/gale_000001_leftImg8bit.jpg"
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", str(columns))
    details = "groups of nearly identical images, whose difference hashes differ in a few bits"
    print_table(["finding", "count", "details", "items"], [["copies", "2", details, f"{path}, {path}"]])
    lines = plain(capsys.readouterr().out).splitlines()
    assert sum(line.count(path) for line in lines) == 2
    assert max(map(len, lines)) <= columns


def test_in_a_narrow_terminal_the_value_of_a_plan_and_its_origin_share_a_line(cli):
    lines = plain(cli("run", "--arch", "unet:width=0.5", "--dry-run", **terminal(60)).out).splitlines()
    assert lines[lines.index("arch.unet.width") + 1].strip() == "0.5 · command line"
    assert lines[lines.index("arch.unet.depth") + 1].strip() == "none · default"


@pytest.mark.parametrize("columns", [60, 150])
def test_a_plan_shows_on_a_terminal_what_is_not_a_default(cli, columns):
    lines = cli("run", "--epochs", "3", "--dry-run", **terminal(columns)).out.splitlines()
    dim = {line: "\x1b[2m" in line for line in lines if plain(line).startswith("training.")}
    assert len(dim) > 20
    assert [plain(line).split()[0] for line, faint in dim.items() if not faint] == ["training.epochs"]


def test_a_terminal_shows_a_table_where_it_fits(cli):
    first, *_ = plain(cli("list", **terminal(150)).out).splitlines()
    assert first.split() == HEADERS


# --- show


@pytest.mark.parametrize("entry", installed().everything, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_show_describes_each_component_completely(cli, entry):
    name = f"{entry.distribution}/{entry.name}"
    answer = cli("show", name)
    assert (answer.code, answer.err) == (0, "")
    records = json.loads(cli("show", name, "--json").out)["components"]
    (record,) = [record for record in records if record["kind"] == entry.kind.name]
    assert record["text"]
    assert Path(record["file"]).is_file()
    assert f"From {entry.provider}, {record['file']}:{record['line']}" in answer.out
    assert f"Try:  {record['example']}" in answer.out
    for parameter in record["parameters"]:
        assert parameter["type"]
        assert parameter["help"], f"{parameter['name']} says nothing"
        assert f"\n{parameter['name']}\t{parameter['type']}\t" in answer.out


@pytest.mark.parametrize("entry", installed().entries, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_example_of_show_is_a_command_that_works(cli, entry, tiny_file):
    records = json.loads(cli("show", f"{entry.distribution}/{entry.name}", "--json").out)["components"]
    (record,) = [record for record in records if record["kind"] == entry.kind.name]
    _, *words = record["example"].replace("FILE", str(tiny_file)).replace("RUN", str(FROZEN / "finished")).split()
    if entry.kind == EXPORTER:  # its contract exports; here the options are checked
        assert words[words.index("--format") + 1] == entry.name
        assert cli(*words, "--help").code == 0
        return
    answer = cli(*words, *([] if "--dry-run" in words else ["--dry-run"]))
    assert (answer.code, answer.err) == (0, "")
    assert entry.kind == RECIPE or entry.name in {row[1] for row in table(answer.out) if row[1:]}


def test_show_includes_the_parameters_that_the_core_adds(cli):
    (record,) = json.loads(cli("show", "wssce", "--json").out)["components"]
    names = [parameter["name"] for parameter in record["parameters"]]
    assert names[-1] == "weight"
    assert names[0] == "weights"


def test_show_of_an_unknown_name(cli):
    answer = cli("show", "dnse")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "Error: Nothing is called 'dnse'.\n       In: show\n       Did you mean 'dense'?\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("show UNET", "Did you mean 'unet'?"),
        ("show resnet", "Did you mean 'resnet50'?"),
        ("show semi", "'semi' is a kind: `marsseg list method` lists its names."),
        ("list losses loss", "'loss' is a kind: `marsseg list loss` lists its names."),
        ("show mit_b0:width=2", "`marsseg show unet --encoder mit_b0:width=2` builds a network with it."),
        ("show sce:alpha=2", "`marsseg show sce` describes it."),
        ("sweep --vary loss=wssce,dice", "'wssce,dice' is one choice. For several: --vary loss=wssce --vary loss=dice"),
        ("sweep --vary training.epochs=3", "Give a setting more values"),
        ("sweep --loss wssce --loss dice", "Remove one of the two. To try both: --vary loss=A --vary loss=B."),
        ("ablate --vary loss=wssce,dice", "For several: --vary loss=wssce --vary loss=dice"),
        ("board", "There are no runs here yet: marsseg run makes them in runs/."),
        ("compare runs", "There are no runs here yet: marsseg run makes them in runs/."),
    ],
)
def test_a_wrong_request_gets_a_hint_that_helps(cli, words, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = cli(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert hint in answer.err


def test_show_fills_its_paragraphs_on_a_terminal(monkeypatch, capsys):
    from marsseg_core.cli import output

    monkeypatch.setattr(output, "_console", lambda: Console(file=sys.stdout, force_terminal=True, width=20))
    output.print_prose("one two\nthree four five\n\n- six\n  seven\n- eight\n\n```\nx = 1\ny = 2\n```")
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == ["one two three four", "five", "", "- six seven", "- eight", "", "```", "x = 1", "y = 2", "```"]


def test_show_of_a_file_names_the_command_that_examines_it(cli, tmp_path):
    (tmp_path / "rocks.zip").write_bytes(b"PK\3\4")
    (tmp_path / "photos").mkdir()
    shutil.copytree(FROZEN / "finished", tmp_path / "first")
    assert "       It is a file: marsseg check rocks.zip\n" in cli("show", "rocks.zip").err
    assert "       It is a folder: marsseg data inspect photos\n" in cli("show", "photos").err
    assert "       It is a folder: marsseg compare first\n" in cli("show", "first").err


# --- other people's plugins

MARKUP = "[red]Warning[/red] :heart: [/] \\[bold] [link=x]"


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Install plugins: one whose docstring and help look like markup, one that fails, and two with the same name."""
    source = f"""
from dataclasses import dataclass
from marsseg_core.plugin_api import Bottleneck, param

@dataclass(frozen=True)
class Loud(Bottleneck):
    {MARKUP!r}
    size: int = param(3, help={MARKUP!r})
    def build(self, features, spec): return features
"""
    (tmp_path / "loud_plugin.py").write_text(source)
    (tmp_path / "broken_plugin.py").write_text(f"raise RuntimeError({MARKUP!r})")
    monkeypatch.syspath_prepend(tmp_path)
    for name, points in {
        "acme": [
            "[marsseg.bottlenecks]",
            "loud = loud_plugin:Loud",
            "[marsseg.losses]",
            "broken = broken_plugin:Broken",
        ],
        "a": ["[marsseg.schedules]", "twin = a_plugin:Twin"],
        "b": ["[marsseg.schedules]", "twin = b_plugin:Twin"],
    }.items():
        metadata = tmp_path / "site" / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(tmp_path / "site")
    rescan()
    yield
    rescan()


@pytest.mark.parametrize("environment", [{}, terminal(150)], ids=["piped", "terminal"])
def test_text_of_a_plugin_is_printed_as_it_is(cli, plugins, environment):
    assert MARKUP in plain(cli("list", "loud", **environment).out)
    assert plain(cli("show", "loud", **environment).out).count(MARKUP) == 2


@pytest.mark.parametrize("environment", [{}, terminal(150)], ids=["piped", "terminal"])
def test_text_of_the_user_is_printed_as_it_is(cli, environment):
    answer = cli("run", "--arch", "[red]dense:heart:x=1", **environment)
    assert (answer.code, answer.out) == (2, "")
    assert "'heart' in '[red]dense:heart:x=1' is not of the form key=value." in plain(answer.err)


def test_a_broken_plugin_is_exit_code_3_and_affects_only_its_own_name(cli, plugins):
    for words in (["show", "broken"], ["run", "--loss", "broken", "--dry-run"]):
        answer = cli(*words)
        assert (answer.code, answer.out) == (3, "")
        message = f"Error: The loss 'broken' of acme 1.0 cannot be loaded: RuntimeError: {MARKUP}\n"
        assert answer.err.startswith(message)
        assert "Traceback" not in answer.err
    assert cli("list").code == 0
    assert cli("run", "--dry-run").code == 0


def test_traceback_is_shown_on_request(cli, plugins):
    answer = cli("--traceback", "show", "broken")
    assert answer.code == 3
    assert "Traceback (most recent call last)" in answer.err
    assert "broken_plugin.py" in answer.err


def test_a_name_of_two_plugins_is_listed_twice_and_cannot_be_used_alone(cli, plugins):
    rows = table(cli("list", "twin").out)[1:]
    assert [row[4:] for row in rows] == [
        ["a 1.0", "conflict: also provided by b; use a/twin"],
        ["b 1.0", "conflict: also provided by a; use b/twin"],
    ]
    answer = cli("run", "--schedule", "twin", "--dry-run")
    assert answer.code == 2
    assert "Use a/twin or b/twin." in answer.err


# --- version, help, wrong commands


def test_version(cli):
    answer = cli("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"marsseg {version()}\n", "")


@pytest.mark.parametrize("words", [("--version",), ("run", "--help"), ("list", "loss"), ("show", "no-such-thing")])
def test_the_module_is_the_command(cli, tmp_path, words):
    answer = run_process(sys.executable, "-m", "marsseg_core", *words, cwd=tmp_path)
    assert answer == cli(*words)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"], ["list", "-h"], ["show", "--help"]])
def test_help_is_printed_to_standard_output(cli, words):
    answer = cli(*words)
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: marsseg" in answer.out
    if words[0] == "run":
        options = {kind.option for kind in PLAN_KINDS} | {"plan", "set", "epochs", "seed", "out", "dry-run"}
        assert {f"--{option}" for option in options} <= set(re.findall(r"--[\w-]+", answer.out))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["--frob"], "No such option:? '?--frob"),
        (["run", "--frob"], "No such option:? '?--frob"),
        (["run", "--arch"], "--arch"),
        (["run", "dense"], "dense"),
        (["show"], "Missing argument"),
    ],
)
def test_a_wrong_command_is_a_wrong_request(cli, words, message):
    answer = cli(*words)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(message, answer.err)


# --- run --dry-run


def test_a_dry_run_prints_the_plan_with_origins_and_leaves_nothing(cli, tmp_path):
    answer = cli(
        *("run", "--arch", "dense:width=0.5", "--bottleneck", "transformer,aspp", "--loss", "wssce", "--epochs", "3"),
        *("--set", "bottleneck.2.rates=2,4", "--seed", "9", "--dry-run"),
    )
    assert (answer.code, answer.err) == (0, "")
    headers, *rows = table(answer.out)
    assert headers == ["setting", "value", "origin"]
    for row in (
        ["arch", "dense", "command line"],
        ["arch.dense.width", "0.5", "command line"],
        ["arch.dense.momentum", "0.9", "default"],
        ["bottleneck.aspp.rates", "2,4", "--set"],
        ["loss", "wssce", "command line"],
        ["data", "synthetic", "default"],
        ["training.epochs", "3", "command line"],
        ["training.seed", "9", "command line"],
        ["training.workers", "1", "default"],
    ):
        assert row in rows
    assert [*tmp_path.iterdir()] == []


def test_a_dry_run_on_a_terminal_cuts_no_setting(cli):
    lines = plain(cli("run", "--dry-run", **terminal(50)).out).splitlines()
    settings = [row[0] for row in table(cli("run", "--dry-run").out)[1:]]
    assert set(settings) <= {line.rstrip() for line in lines}


# --- wrong requests


def course_file(path: Path, *, images=None, masks=None, **more) -> Path:
    images = np.full((6, 8, 8), 100.0) if images is None else images
    masks = np.ones((6, 8, 8)) if masks is None else masks
    np.savez(path, training_set=np.stack([images, masks], axis=1), **more)
    return path


def truncated(path: Path) -> Path:
    course_file(path)
    path.write_bytes(path.read_bytes()[:-700])
    return path


def pickled(path: Path) -> Path:
    np.savez(path, training_set=np.array([{"never": "loaded"}, None]))
    return path


def seven(path: Path) -> Path:
    return course_file(path, masks=np.full((6, 8, 8), 7.0))


def uneven(path: Path) -> Path:
    np.savez(path, images=np.zeros((4, 8, 8)), masks=np.ones((3, 8, 8)))
    return path


def few(path: Path) -> Path:
    return course_file(path, images=np.zeros((2, 8, 8)), masks=np.ones((2, 8, 8)))


def plan_file(text: str):
    def write(path: Path) -> Path:
        path.write_text(text)
        return path

    return write


# options (PATH is the file that `make` writes, if any), `make`, the message, the hint
WRONG = {
    "component": (["--arch", "dnse"], None, "There is no architecture 'dnse'.", "Did you mean 'dense'?"),
    "parameter": (["--arch", "dense:filter=3"], None, "no parameter 'filter'", "Did you mean 'filters'?"),
    "comma": (["--loss", "wssce,"], None, "'wssce,' has an empty name", "separated by single commas"),
    "value": (
        ["--arch", "dense", "--set", "arch.dense.width=x"],
        None,
        "width=x is not valid: expected a number.",
        "width: ",
    ),
    "seed": (["--seed", "x"], None, "seed=x is not valid: expected a whole number.", "seed: "),
    "epochs": (["--epochs", "0"], None, "epochs=0 is not valid: expected at least 1.", "epochs: "),
    "precision": (["--precision", "float8"], None, "one of float32, mixed_bfloat16, mixed_float16, auto", ""),
    "plan key": (
        ["--plan", "PATH"],
        plan_file("[training]\nepoch = 3"),
        "There is no 'epoch' in training.",
        "Did you mean 'epochs'?",
    ),
    "plan": (["--plan", "gone.toml"], None, "There is no plan file 'gone.toml'.", "`marsseg list recipe`"),
    "broken plan": (["--plan", "PATH"], plan_file("epochs = = 3"), "The plan is not valid TOML", ""),
    "missing file": (["--data", "gone.npz"], None, "There is no file or folder 'gone.npz'.", ""),
    "missing file by name": (["--data", "npz:path=gone.npz"], None, "There is no such file.", "gone.npz"),
    "no file's name": (["--data", "npz"], None, "path must be given.", ""),
    "truncated npz": (["--data", "PATH"], truncated, "This is not an .npz file, or it is cut off", "PATH"),
    "no npz": (["--data", "PATH"], plan_file("hello"), "This is not an .npz file", "PATH"),
    "pickled npz": (["--data", "PATH"], pickled, "training_set holds pickled objects", "PATH"),
    "mask value": (["--data", "PATH"], seven, "Mask 0 holds the value 7; the classes are 0 to 4", "PATH"),
    "counts": (["--data", "PATH"], uneven, "There are 4 images and 3 masks.", "PATH"),
    "too few": (["--data", "PATH"], few, "With 2 images, the ", "split.validation and split.test"),
    "ignored class": (
        ["--data", "PATH", "--set", "data.npz.ignore_classes=9"],
        course_file,
        "There is no class 9 to ignore; the classes are 0 to 4.",
        "",
    ),
    "existing folder": (["--out", "."], None, "'.' exists, and nothing is ever overwritten.", "Choose a new name."),
}
# This is seen only after the network is built, so the network is small.
WRONG["existing folder"][0][:0] = [
    "--arch",
    "unet:filters=4:depth=2",
    "--data",
    "synthetic:count=12:height=16:width=16",
]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_one_error_and_leaves_nothing(cli, tmp_path, wrong):
    words, make, what, hint = wrong
    path = tmp_path / "given.npz"
    if make is not None:
        make(path)
    before = {*tmp_path.rglob("*")}
    answer = cli("run", *(word.replace("PATH", str(path)) for word in words))
    assert (answer.code, answer.out) == (2, "")
    lines = [line for line in answer.err.splitlines() if not line.startswith("Loading Keras")]
    assert lines[0].startswith("Error: ")
    assert what in lines[0]
    assert all(line.startswith("       ") for line in lines[1:])  # one error, and no traceback
    assert hint.replace("PATH", path.name) in answer.err
    assert {*tmp_path.rglob("*")} == before


def test_the_console_script_gives_the_exit_code_to_the_shell(marsseg):
    answer = marsseg("run", "--arch", "dnse")
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err == "Error: There is no architecture 'dnse'.\n       In: --arch dnse\n       Did you mean 'dense'?\n"
    )


# --- files that are not UTF-8


@pytest.fixture
def latin(tmp_path, monkeypatch):
    """Install a recipe and an observer in latin-1: Python reads it because of its first line, TOML does not."""
    package, metadata = tmp_path / "site" / "latin_plugin", tmp_path / "site" / "latin-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "big.toml").write_bytes('summary = "Größe"\n'.encode("latin-1"))
    (package / "told.py").write_bytes('# coding: latin-1\n"""Größe.\n\nUnd mehr."""\n'.encode("latin-1"))
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: latin\nVersion: 1.0\n")
    points = "[marsseg.recipes]\nbig = latin_plugin.big\n[marsseg.hooks]\ntold = latin_plugin.told\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path / "site")
    rescan()
    yield package
    rescan()


def test_show_of_a_recipe_that_cannot_be_read_names_it_and_its_file(cli, latin):
    answer = cli("show", "big")
    assert (answer.code, answer.out) == (3, "")
    first, second, *_ = answer.err.splitlines()
    assert first.startswith("Error: The recipe 'big' of latin 1.0 cannot be read: 'utf-8' codec can't decode byte")
    assert second == f"       In: {latin / 'big.toml'}"
    assert table(cli("list", "big").out)[1][3] == ""


def test_show_of_a_recipe_whose_file_is_missing_names_it(cli, latin):
    (latin / "big.toml").unlink()
    answer = cli("show", "big")
    assert answer.code == 3
    assert "The file of the recipe 'big' of latin 1.0 is missing." in answer.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("big.toml", b"summary = "),
        ("big.toml", b"a." * 30_000 + b"a = 1"),
        ("big.toml", None),
        ("told.py", b"def ("),
        ("told.py", b"\x00"),
        ("told.py", b"a = 1" + b"+1" * 100_000),
    ],
)
def test_one_broken_package_breaks_neither_list_nor_show_nor_completion_for_the_others(cli, latin, name, content):
    (latin / name).unlink()
    if content is not None:
        (latin / name).write_bytes(content)
    rows = table(cli("list").out)
    by_name = {row[1]: row for row in rows}
    assert by_name["unet"][5] == "ok"
    assert by_name[name.partition(".")[0]][5].startswith("invalid: ")
    assert cli("show", "unet").code == 0
    from marsseg_core.cli.completion import _names
    from marsseg_core.registry.kinds import ALL_KINDS

    assert {"unet", "told", "big"} <= {word for word, _ in _names(ALL_KINDS, "")}


def test_show_and_list_of_an_observer_read_its_source_as_python_does(cli, latin):
    assert "Größe.\n\nUnd mehr.\n" in cli("show", "told").out
    assert table(cli("list", "told").out)[1][3] == "Größe."


def test_show_builds_the_recipe_where_an_observer_has_the_same_name(cli):
    both = cli("show", "report")
    assert "recipe report" in both.out
    assert "observer report" in both.out
    built = cli("show", "report", "--build", "--size", "16x16x1")
    assert built.code == 0, built.err
    assert "parameters" in built.out
    assert "observer report" not in built.out
    assert "is an architecture: only an augmentation" in cli("show", "unet", "--preview", "x.png").err
