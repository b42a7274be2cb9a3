"""README and docs are true: their commands are understood, their Python runs."""

import json
import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from conftest import REPOSITORY

from marsseg_core import api

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCKS = [
    (page.name, language, text)
    for page in PAGES
    for language, text in re.findall(
        r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]
COMMANDS = [
    (page, shlex.split(line, comments=True)[1:])
    for page, language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line.startswith("marsseg ")
]


def runs_read_by(words):
    """The run folders that a command takes for given."""
    if words[0] == "compare":
        return list(takewhile(lambda word: not word.startswith("-"), words[1:]))
    return [words[words.index("--init") + 1]] if "--init" in words else []


def pretend_run(folder):
    """A finished run, as far as a comparison and a dry run read it."""
    folder.mkdir(parents=True)
    (folder / "plan.toml").write_text(api.plan().to_toml())
    scores = {"miou": 0.5, "iou": {"bedrock": 0.5}}
    metrics = {"status": "finished", "parts": {"validation": scores, "test": scores}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "split.json").write_text(json.dumps({"fingerprint": "", "train": [0], "validation": [1], "test": [2]}))
    (folder / "network.keras").touch()


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_every_command_is_understood(cli, tiny_file, page, words):
    words = [str(tiny_file) if word == "$MARSSEG_TILES" else word for word in words]
    for run in runs_read_by(words):
        pretend_run(Path(run))
    if words[0] == "run" and "--dry-run" not in words:
        words.append("--dry-run")
    if words[:2] == ["data", "make"]:
        words = [re.sub(r"\d{2,}", "9", word) for word in words]  # a small set
    if words[0] in ("predict", "evaluate"):
        words.append("--help")  # they need a run; an option that does not exist is refused nonetheless
    answer = cli(*words)
    assert answer.code == 0, answer.err
    assert answer.out


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 10


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = [text for page, language, text in BLOCKS if page == "README.md" and language == "python"]
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["best"].output_shape == (None, 64, 128, 5)
    assert "miou" in names["run"].metrics["parts"]["test"]


def test_the_loss_that_docs_show_is_a_loss():
    import numpy as np

    from marsseg_core.components import LossSpec

    code, *_ = [text for page, language, text in BLOCKS if page == "plugins.md" and language == "python"]
    names = {"__name__": "docs_example"}
    exec(compile(code, "plugins.md", "exec"), names)
    loss = names["RootError"](power=0.5).build(LossSpec(3, (0,), (1, 1, 1)))
    labels = np.array([[[1, 2, 0, 255]]])
    right = np.eye(3, dtype=np.float32)[[1, 2, 1, 1]][None, None] * 50
    assert float(loss(labels, right)) == pytest.approx(0, abs=2e-3)
    assert float(loss(labels, -right)) > 0.9
