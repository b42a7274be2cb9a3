"""Completion by the Tab key: names, parameters and values, as each shell requests them."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest
from helpers.imports import BACKENDS, PROBE
from hypothesis import given, strategies as st

from marsseg_core.cli.bash import join_pieces
from marsseg_core.cli.main import main
from marsseg_core.cli.shells import with_apostrophes
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import ARCHITECTURE, PLAN_KINDS

CUT_SIGNS = re.compile(r"[:=]+|[^:=]+")


def cut(line: str) -> list[str]:
    """Split a line into pieces as bash does with its default COMP_WORDBREAKS."""
    return [piece for word in line.split(" ") for piece in CUT_SIGNS.findall(word) or [""]]


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    """Give a function that returns the answer to a shell, one suggestion per line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["marsseg"])

    def answer(**environment: str) -> list[str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        answered = capsys.readouterr()
        assert answered.err == ""
        return answered.out.splitlines()

    return answer


@pytest.fixture
def whole(ask):
    """Give `whole("run --arch den")`: the answer to a shell that sends whole words, as zsh and fish do."""

    def answer(line: str) -> list[str]:
        asked = {"_TYPER_COMPLETE_ARGS": f"marsseg {line}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        return [word.partition("\t")[0] for word in ask(_MARSSEG_COMPLETE="complete_fish", **asked) if word]

    return answer


@pytest.fixture
def bash(ask):
    """Give `bash("run --arch den")`: the text by which bash replaces the last piece."""

    def answer(line: str, pieces: list[str] | None = None) -> list[str]:
        pieces = cut(f"marsseg {line}") if pieces is None else pieces
        asked = {"COMP_WORDS": "\n".join(pieces), "COMP_CWORD": str(len(pieces) - 1)}
        return [word for word in ask(_MARSSEG_COMPLETE="complete_bash", **asked) if word]

    return answer


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run --arch den", ["dense"]),
        ("run --arch unet3", ["unet3plus", "unet3+"]),
        ("run --arch marsseg/den", ["marsseg/dense"]),
        ("run --arch unet,de", []),  # a run has only one
        ("run --arch transf", []),  # it is a bottleneck
        ("run --bottleneck transformer,as", ["transformer,aspp"]),
        ("run --bottleneck no", ["none"]),
        ("run --loss wssce:cap=5,dice:wei", ["wssce:cap=5,dice:weights=", "wssce:cap=5,dice:weight="]),
        ("run --loss wssce:norm", ["wssce:normalise=weights", "wssce:normalise=pixels"]),
        ("run --loss wssce:normalise=p", ["wssce:normalise=pixels"]),
        ("run --loss wssce:cap=5:ca", []),  # set already
        ("run --loss wssce:c=", []),
        ("run --loss nothing:w", []),
        ("run --augment hflip,rotate:p", ["hflip,rotate:p=", "hflip,rotate:p=0.5"]),
        ("run --plan repo", ["report"]),
        ("run --data synth", ["synthetic"]),
        ("run --optimizer adamw", ["adamw"]),
        ("run --precision mixed_b", ["mixed_bfloat16"]),
        ("run --precision a", ["auto"]),
        ("run --set training.precision=a", ["training.precision=auto"]),
        ("run --disable report,hfl", ["report,hflip"]),
        ("run --disable marss", ["marsseg"]),
        ("run --set arch.dense.wi", ["arch.dense.width=", "arch.dense.width=1.0"]),
        ("run --set tra", ["training."]),  # not complete, so further suggestions are added
        ("run --set training.precision=mixed_f", ["training.precision=mixed_float16"]),
        ("run --set training.learn_ignored=t", ["training.learn_ignored=true"]),
        ("run --bottleneck aspp,transformer --set bottleneck.as", ["bottleneck.aspp."]),
        ("run --bottleneck aspp,transformer --set bottleneck.2.hea", ["bottleneck.2.heads="]),
        ("run --set nothing.at.all", []),
        ("show dens", ["dense"]),
        ("show dense:wi", ["dense:width=", "dense:width=1.0"]),
        ("show dense --bottleneck transformer,ps", ["transformer,psp"]),
        ("list bott", ["bottleneck"]),
        ("list loss dic", ["dice"]),
        ("doctor dice ws", ["wssce"]),
        ("data inspect sy", ["synthetic"]),
        ("data clean x.npz y.npz --set cleaning.fill", ["cleaning.fill_margin=", "cleaning.fill_margin=0"]),
        ("evaluate run --subset val", ["validation"]),
        ("compare a b --by miou_p", ["miou_per_image"]),
        ("new-plugin steep --kind arch", ["architecture"]),
    ],
)
def test_words_are_completed_from_what_is_installed(whole, line, words):
    answered = whole(line)
    if len(words) == 1 and words[0][-1] in ".=":
        # A word that is not complete is never the only suggestion: a shell would add a space after it.
        assert len(answered) > 1
        assert all(word.startswith(words[0]) for word in answered)
    else:
        assert answered == words


def test_every_component_and_every_parameter_is_suggested(whole):
    for kind in PLAN_KINDS:
        entries = installed().of_kind(kind)
        assert set(whole(f"run --{kind.option} ")) >= {name for e in entries for name in (e.name, *e.aliases)}
    assert {"arch.", "data.", "training.", "split.", "cleaning."} <= set(whole("run --set "))
    assert {f"arch.{name}." for name in installed().names(ARCHITECTURE)} <= set(whole("run --set arch."))


def test_files_are_suggested_beside_names_with_the_same_beginning(whole, tmp_path):
    for name in ("report-again.toml", "report.txt", "synth.npz"):
        (tmp_path / name).touch()
    (tmp_path / "reported").mkdir()
    assert whole("run --plan repo") == ["report", "report-again.toml", "reported/"]
    assert whole("run --data synt") == ["synthetic", "synth.npz"]
    assert whole("run --plan ./repo") == []  # then the shell suggests files itself


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ("run --arch den", ["dense"]),
        ("run --bottleneck transformer,as", ["transformer,aspp"]),
        ("run --loss dice:wei", ["weights=", "weight="]),
        ("run --loss dice:weight=", ["1.0"]),
        ("run --loss wssce:", ["weights=", "cap=", "count=", "beta=", "normalise=", "smoothing=", "weight="]),
        ("run --loss wssce:normalise=p", ["pixels"]),
        ("run --loss dice:weight=0.5,wssce:cap=3:norm", ["normalise=weights", "normalise=pixels"]),
        ("run --arch=den", ["dense"]),
        ("run --loss=wssce:ca", ["cap=10.0", "cap=none"]),
        ("run --arch dense:width=0.5 --loss wss", ["wssce"]),
        ("run --set training.precision=mixed_b", ["mixed_bfloat16"]),
        ("run --set arch.dense.wi", ["arch.dense.width=", "arch.dense.width=1.0"]),
        ("show dense:wi", ["width=", "width=1.0"]),
    ],
)
def test_bash_receives_what_replaces_its_last_piece(bash, line, pieces):
    assert bash(line) == pieces


def test_a_bash_that_sends_whole_words_receives_whole_words(bash):
    words = ["marsseg", "run", "--loss", "wssce:normalise=p"]
    assert bash("", words) == ["wssce:normalise=pixels"]


NAMES = st.from_regex(r"[a-z][a-z0-9+_./-]{0,5}", fullmatch=True)
PAIRS = st.builds("{}={}".format, NAMES, st.from_regex(r"-?[0-9.]{1,4}|[a-z]{1,4}", fullmatch=True))
COMPONENTS = st.builds(lambda name, pairs: ":".join([name, *pairs]), NAMES, st.lists(PAIRS, max_size=3))
LINES = st.lists(st.one_of(COMPONENTS, NAMES.map("--{}".format), PAIRS, st.just("")), min_size=1, max_size=6)


@given(LINES)
def test_the_pieces_of_bash_are_joined_to_the_words_that_were_typed(words):
    pieces = cut(" ".join(words))
    joined, position, typed = join_pieces(pieces, len(pieces) - 1)
    assert joined == words
    assert position == len(words) - 1
    assert words[-1].startswith(typed)
    assert words[-1] in (typed, typed + pieces[-1])


def test_zsh_receives_a_description_of_each_word(ask):
    asked = {"_TYPER_COMPLETE_ARGS": "marsseg run --arch dens"}
    (answered,) = ask(_MARSSEG_COMPLETE="complete_zsh", **asked)
    assert '"dense":"Dense' in answered


def test_the_description_of_a_word_is_one_line(ask):
    """A shell would take each further line for another suggestion."""
    asked = {"_TYPER_COMPLETE_ARGS": "marsseg show ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    answered = ask(_MARSSEG_COMPLETE="complete_fish", COLUMNS="30", **asked)
    names = {word for entry in installed().everything for word in (entry.name, *entry.aliases)}
    assert {line.partition("\t")[0] for line in answered} == names


def test_the_descriptions_of_options_are_one_line_too(ask):
    asked = {"_TYPER_COMPLETE_ARGS": "marsseg run --", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    answered = ask(_MARSSEG_COMPLETE="complete_fish", COLUMNS="30", **asked)
    assert all(re.match(r"--[\w-]+\t", line) for line in answered)
    assert len(answered) > 30


def test_zsh_receives_an_apostrophe_as_it_reads_one(ask):
    answered = "\n".join(ask(_MARSSEG_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="marsseg run --enc"))
    assert "\"--encoder\":\"The network'\\''s encoder" in answered
    assert with_apostrophes(answered) == answered


@pytest.mark.parametrize(
    ("line", "word", "completed"),
    [
        ("run --bottleneck transformer,as", "as", "aspp"),  # of a list, PowerShell gives and replaces the last item
        ("run --bottleneck transformer,as", "transformer,as", "transformer,aspp"),
        ("run --loss dice:weight=", "dice:weight=", "dice:weight=1.0"),
        ("run --bottleneck", "", "aspp"),
    ],
)
def test_powershell_receives_the_word_and_its_meaning(ask, line, word, completed):
    asked = {"_TYPER_COMPLETE_ARGS": f"marsseg {line}", "_TYPER_COMPLETE_WORD_TO_COMPLETE": word}
    answered = ask(_MARSSEG_COMPLETE="complete_powershell", **asked)
    # The script splits at ":::"; PowerShell refuses a word without a meaning.
    meanings = dict(line.split(":::") for line in answered if line)
    assert meanings[completed]


def test_a_repeated_option_is_no_error_while_typing(whole):
    assert whole("run --arch unet --arch den") == ["dense"]


def test_a_broken_plugin_or_configuration_gives_no_suggestion_and_no_message(whole, tmp_path):
    (tmp_path / "marsseg.toml").write_text("disable = 3")
    assert whole("run --arch den") == []


# Each of these answers needs the module of a component.
LINES_THAT_LOAD = [
    ("run --arch dense:wi", "width="),
    ("run --bottleneck transformer,aspp:ra", "rates="),
    ("run --loss wssce:normalise=p", "pixels"),
    ("run --set weighting.uncertainty.", "weighting.uncertainty."),
]


@pytest.mark.parametrize(("line", "expected"), LINES_THAT_LOAD)
def test_completion_in_a_new_process_imports_no_heavy_package(python, tmp_path, line, expected):
    pieces = cut(f"marsseg {line}")
    answer = python(
        PROBE, _MARSSEG_COMPLETE="complete_bash", COMP_WORDS="\n".join(pieces), COMP_CWORD=str(len(pieces) - 1)
    )
    assert (answer.code, answer.err) == (0, "")
    assert expected in answer.out
    modules = (tmp_path / "modules.json").read_text()
    assert not {name for name in (*BACKENDS, "keras", "numpy", "scipy") if f'"{name}"' in modules}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash_completes_what_is_typed(tmp_path):
    """Send keys to an interactive bash with Typer's script on a pseudo-terminal, and read the completed line."""
    pty = pytest.importorskip("pty", reason="this system has no such terminals")
    script = tmp_path / "marsseg"
    script.write_text(f"#!{sys.executable}\nfrom marsseg_core.cli.main import main\nmain()\n")
    script.chmod(0o755)
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover
        os.chdir(tmp_path)
        os.environ |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ ", "INPUTRC": "/dev/null"}
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        os.write(terminal, b'eval "$(_MARSSEG_COMPLETE=source_bash marsseg)"; echo re""ady\n')
        wait_for(terminal, b"ready\r")
        for typed, completed in (
            (b"marsseg run --bottleneck transformer,as\t", b"transformer,aspp "),
            (b"--loss wssce:ca\t", b"wssce:cap="),
            (b"3:normalise=p\t", b"3:normalise=pixels "),
        ):
            os.write(terminal, typed)
            wait_for(terminal, completed)
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.fixture
def installed_for(tmp_path, monkeypatch):
    """`installed_for("zsh")`: completion is installed in an empty home folder, as a user of this shell does it."""

    def install(shell: str) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"there is no {shell} here")
        script = tmp_path / "bin" / "marsseg"
        script.parent.mkdir()
        script.write_text(f"#!{sys.executable}\nfrom marsseg_core.cli.main import main\nmain()\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("TERM", "dumb")
        subprocess.run([shell, "-c", "marsseg --install-completion; true"], cwd=tmp_path, check=True)

    return install


@pytest.mark.slow
def test_the_first_tab_of_a_real_zsh_completes(installed_for, tmp_path):
    pty = pytest.importorskip("pty", reason="this system has no such terminals")
    installed_for("zsh")
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover
        os.chdir(tmp_path)
        os.environ["ZDOTDIR"] = str(tmp_path)
        os.execvp("zsh", ["zsh", "-i"])
    try:
        os.write(terminal, b'PS1="\x24 "; echo re""ady\n')
        wait_for(terminal, b"ready\r")
        os.write(terminal, b"marsseg run --arch dens\t")
        wait_for(terminal, b"dense ")
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.mark.slow
def test_a_real_fish_completes(installed_for, tmp_path):
    installed_for("fish")
    words = ["fish", "-c", "complete -C'marsseg run --bottleneck transformer,as'"]
    answer = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert answer.startswith("transformer,aspp\tASPP")


def wait_for(terminal: int, expected: bytes) -> None:
    """Read until a text appears, for at most a minute (on a busy machine)."""
    seen, end = b"", time.monotonic() + 60
    while expected not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096).replace(b"\a", b"")  # the bell that rings for several suggestions
