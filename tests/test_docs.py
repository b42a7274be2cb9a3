"""README and docs are true: their commands are understood, their Python runs, what they name exists."""

import difflib
import importlib
import json
import re
import shlex
import sys
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import pytest
from helpers.commands import commands
from helpers.paths import REPOSITORY

from marsseg_core import api, hooks
from marsseg_core.planning.grammar import parse
from marsseg_core.planning.options import SECTIONS, options_of
from marsseg_core.registry.kinds import ALL_KINDS, COMPONENT_KINDS, DATASET, EXPORTER, METRIC, PLAN_KINDS, WEIGHTING
from marsseg_core.registry.loading import load
from marsseg_core.registry.parameters import parameters_of

# The example projects have tests of their own.
PAGES = [
    REPOSITORY / "README.md",
    *(page for page in sorted((REPOSITORY / "docs").rglob("*.md")) if "examples" not in page.parts),
]
FENCED = re.compile(r"(?:^<!-- (.*?) -->\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEXTS = {page.relative_to(REPOSITORY).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
# (page, what marks it, language, text): `quick` commands are executed, Python marked `not run: REASON` is not.
BLOCKS = [(page, *found) for page, whole in TEXTS.items() for found in FENCED.findall(whole)]
# A command, after the variables that it is given.
COMMAND = r"(?:[A-Z_]+=\S+ )*marsseg (.*)"
COMMANDS = [
    (page, shlex.split(found[1], comments=True))
    for page, mark, language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if (found := re.fullmatch(COMMAND, line))
]
# Indented ones name files and plugins that are not there.
INDENTED = [
    (page, shlex.split(words, comments=True))
    for page, whole in TEXTS.items()
    for words in re.findall(rf"^    {COMMAND}$", FENCED.sub("", whole), re.MULTILINE)
]


def slow_where(condition, *values):
    return pytest.param(*values, marks=[pytest.mark.slow] if condition else [])


def runs_read_by(words):
    """The run folders that a command takes for given."""
    if words[0] == "compare":
        return list(takewhile(lambda word: not word.startswith("-"), words[1:]))
    named = [run for word in words for run in re.findall(r":runs?=([^:,]+)", word)]
    named += [words[words.index("--init") + 1]] if "--init" in words else []
    return [run for joined in named for run in joined.split("+")]


def pretend_run(folder):
    """A finished run, as far as a comparison and a dry run read it."""
    folder.mkdir(parents=True)
    (folder / "plan.toml").write_text(api.plan().to_toml())
    scores = {"miou": 0.5, "accuracy": 0.5, "iou": {"bedrock": 0.5}, "confusion": [[3, 1], [1, 1]]}
    metrics = {"status": "finished", "subsets": {"validation": scores, "test": scores}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    split = {"fingerprint": "", "source": "", "classes": ["bedrock", "big_rock"], "ignored": []}
    split |= {"train": [0], "validation": [1], "test": [2]}
    (folder / "split.json").write_text(json.dumps(split))
    (folder / "network.keras").touch()


def titled(value):
    return " ".join(value) if isinstance(value, list) else value


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=titled)
def test_every_command_is_understood(cli, tiny_file, page, words):
    words = [str(tiny_file) if word == "$MARSSEG_TILES" else word for word in words]
    for run in runs_read_by(words):
        pretend_run(Path(run))
    if words[0] in ("run", "sweep", "ablate") and "--dry-run" not in words:
        words.append("--help" if "--resume" in words else "--dry-run")
    if words[:2] == ["data", "make"]:
        words = [re.sub(r"\d{2,}", "9", word) for word in words]  # a small set
    if words[0] in ("predict", "evaluate", "board", "--install-completion"):
        words.append("--help")  # they need runs; an option that does not exist is refused nonetheless
        words = [word for word in words if word != "--install-completion"]
    answer = cli(*words)
    assert answer.code == 0, answer.err
    assert answer.out


@pytest.mark.parametrize(("page", "words"), INDENTED, ids=titled)
def test_every_command_about_files_that_are_not_there_has_the_options_that_are_there(cli, page, words):
    answer = cli(*words, "--help")
    assert answer.code == 0, answer.err


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({page for page, mark, language, text in BLOCKS if mark == "quick"}))
def test_commands_that_are_marked_quick_are_executed(cli, page):
    """In the page's order, in one folder: later ones use what earlier ones made."""
    for where, mark, language, text in BLOCKS:
        if (where, mark) != (page, "quick"):
            continue
        assert language == "sh"
        for line in text.splitlines():
            program, *words = shlex.split(line, comments=True)
            assert program == "marsseg"
            answer = cli(*words)
            assert answer.code == 0, (line, answer.err)
            assert answer.out


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 10
    assert any(mark == "quick" for page, mark, language, text in BLOCKS)


# Page → its Python that is run.
PYTHON = {
    page: [text for where, mark, language, text in BLOCKS if where == page and (language, mark) == ("python", "")]
    for page in TEXTS
}
PYTHON = {page: texts for page, texts in PYTHON.items() if texts}


def test_python_that_is_not_run_is_python_and_says_why():
    for page, mark, language, text in BLOCKS:
        if language == "python" and mark:
            assert re.match("not run: .{10,}", mark), page
            compile(text, page, "exec")


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """The names that are there when the Python of a page has run, one block after the other, as one module."""
    monkeypatch.chdir(tmp_path)

    def run(page):
        module = ModuleType("my_losses.root")  # the file that docs/plugins.md writes
        monkeypatch.setitem(sys.modules, "my_losses", ModuleType("my_losses"))
        monkeypatch.setitem(sys.modules, "my_losses.root", module)
        for text in PYTHON[page]:
            exec(compile(text, page, "exec"), vars(module))
        return vars(module)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_every_page_runs(run_page, page):
    names = run_page(page)
    if page == "README.md":
        assert names["best"].output_shape == (None, 64, 128, 5)
        assert "miou" in names["run"].metrics["subsets"]["test"]


@pytest.mark.slow
def test_the_component_of_each_kind_that_docs_show_goes_into_a_run(cli, tmp_path, tiny):
    """One block after the other is the file `kinds.py`."""
    import numpy as np

    shown = [text for text in PYTHON["docs/plugins.md"] if "my_losses" not in text and "Contract" not in text]
    (tmp_path / "kinds.py").write_text("\n".join(shown), encoding="utf-8")
    (tmp_path / "scenes").mkdir()
    np.save(tmp_path / "scenes" / "images.npy", tiny.images)
    np.save(tmp_path / "scenes" / "masks.npy", tiny.masks)
    words = "--arch tiny:width=0.5 --bottleneck gate,gate --loss root_error:power=0.7,edge_error --weighting balanced"
    words += (
        " --augment dim,exposure:p=1 --schedule staircase:every=1 --monitor missed --data scenes --epochs 2 --out done"
    )
    answer = cli("run", "--plugin", "kinds.py", *words.split())
    assert answer.code == 0, answer.err
    assert "miou" in answer.out
    assert json.loads((tmp_path / "done" / "metrics.json").read_text())["status"] == "finished"


def test_the_loss_that_docs_show_is_a_loss():
    import numpy as np

    from marsseg_core.components.specs import LossSpec

    code = PYTHON["docs/plugins.md"][0]
    names = {"__name__": "docs_example"}
    exec(compile(code, "plugins.md", "exec"), names)
    loss = names["RootError"](power=0.5).build(LossSpec(3, (0,), (1, 1, 1)))
    labels = np.array([[[1, 2, 0, 255]]])
    right = np.eye(3, dtype=np.float32)[[1, 2, 1, 1]][None, None] * 50
    assert float(loss(labels, right)) == pytest.approx(0, abs=2e-3)
    assert float(loss(labels, -right)) > 0.9


# What stands between single backticks, outside of blocks.
SPANS = [
    (page, span) for page, text in TEXTS.items() for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCED.sub("", text))
]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def test_every_option_that_docs_name_is_one_of_a_command(catalog):
    known = commands()
    for page, span in SPANS:
        if not span.startswith(("--", "marsseg ")):
            continue  # pip's, pytest's, a benchmark's
        words = span.split()[1:] if span.startswith("marsseg ") else []
        command = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known), ())
        options = known[command] if command else set.union(*known.values())
        for option in OPTION.findall(span):
            assert option in options | {"--help"}, (page, span)


def test_every_hook_that_docs_name_is_one():
    specified = {name for name in vars(hooks.Hooks) if name.startswith("marsseg_")}
    mentioned = {name for text in TEXTS.values() for name in re.findall(r"\bmarsseg_[a-z_]+", text)}
    assert mentioned - {"marsseg_core", "marsseg_plugins"} == specified  # and all are told of


@pytest.fixture(scope="module")
def catalog():
    from marsseg_core.registry.catalog import installed

    return installed()


@pytest.fixture(scope="module")
def taken(catalog):
    """Name → the parameters that what is called that takes; components that docs write among them."""
    found: dict[str, set[str]] = {}
    for entry in catalog.entries:
        if entry.kind in COMPONENT_KINDS:
            keys = {*parameters_of(load(entry)), *parameters_of(options_of(entry.kind))}
            for name in (entry.name, *entry.aliases):
                found[name] = found.get(name, set()) | keys
    engines = {load(entry).engine: {"precision"} for entry in catalog.of_kind(EXPORTER)}
    return found | engines | {"root": {"power", "weight"}, "root_error": {"power", "weight"}}


def test_every_component_and_parameter_in_a_composition_exists(taken):
    name, pair = r"[a-z][a-z0-9+_.-]*", r":[a-z_]+=[^:,=\s…]+"
    composition = re.compile(rf"{name}(?:{pair})*(?:,{name}(?:{pair})*)*")
    kinds = "|".join(kind.option for kind in PLAN_KINDS if kind != DATASET)
    checked = 0
    for page, span in SPANS:
        texts = re.findall(rf"--(?:{kinds}) ([a-z]\S*)", span)
        if composition.fullmatch(span) and ":" in span:
            texts.append(span)
        for text in texts if page != "docs/completion.md" else []:  # whose words are unfinished
            for one in parse(text):
                assert one.name in taken, (page, span)
                assert set(one.parameters) <= taken[one.name], (page, span)
                checked += 1
    assert checked > 10


def test_every_setting_exists(taken, catalog):
    kinds = {kind.option: kind for kind in PLAN_KINDS}
    files = ("json", "toml", "npz", "csv", "py", "md", "html")
    checked = 0
    for page, span in SPANS:
        setting = re.match(r"(?:--set )?([a-z]+)\.([a-z0-9+_.-]*[a-z_])(?:=|$)", span)
        if setting is None or setting[2] in files or page == "docs/completion.md":
            continue
        option, rest = setting.groups()
        name, _, key = rest.rpartition(".")
        if option in SECTIONS:
            assert rest in parameters_of(SECTIONS[option]), (page, span)
        elif option in kinds and not name:  # a sweep's, of whichever component is chosen
            assert any(key in taken[entry.name] for entry in catalog.of_kind(kinds[option])), (page, span)
        elif option in kinds and not name.isdecimal():
            assert catalog.named(name, [kinds[option]]), (page, span)
            assert key in taken[name], (page, span)
        else:
            continue
        checked += 1
    assert checked > 5


@pytest.mark.parametrize(
    ("page", "kind"), [("docs/objectives.md", WEIGHTING), ("docs/datasets.md", DATASET), ("docs/metrics.md", METRIC)]
)
def test_a_table_of_components_has_them_all(catalog, page, kind):
    (table,) = re.findall(r"^\| name \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXTS[page], re.MULTILINE)
    own = {entry.name for entry in catalog.of_kind(kind) if entry.distribution == "marsseg"}
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == own


def test_no_word_is_nearly_the_name_of_a_component(catalog, taken):
    """`wscce` is a mistake; what looks like one and is none is named here."""
    names = {name for e in catalog.everything for name in (e.name, *e.aliases)}
    known = names.union({kind.name for kind in ALL_KINDS}, WORDS_OF_OTHER_THINGS, *taken.values())
    for page, span in SPANS:
        if re.fullmatch(r"[a-z][a-z0-9+]{3,}", span) and span not in known:
            close = difflib.get_close_matches(span, names, n=1, cutoff=0.8)
            assert not close, (page, span, close)


WORDS_OF_OTHER_THINGS = {"fold", "mars", "masks", "weights"}


def test_every_python_name_exists():
    checked = 0
    for page, span in SPANS:
        if found := re.match(r"marsseg_core(?:\.\w+)+", span):
            module, _, name = found[0].rpartition(".")
            try:
                importlib.import_module(found[0])
            except ImportError:
                assert hasattr(importlib.import_module(module), name), (page, span)
            checked += 1
    assert checked > 5


def test_every_file_of_the_repository_exists():
    others = ("CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md")
    texts = {page: (REPOSITORY / page).read_text(encoding="utf-8") for page in others if (REPOSITORY / page).is_file()}
    for page, text in (TEXTS | texts).items():
        for path in re.findall(r"\b(?:benchmarks|marsseg_core|plugins/marsseg_plugins|tests)/[\w/]*[a-z_]\.\w+", text):
            assert (REPOSITORY / path).is_file(), (page, path)
