"""`list`, `show`, `doctor` and a resolved plan, by the number of installed distributions with a plugin."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from growing.case import Case, doubled

MODULE = '''\
"""A plugin for a measurement."""

from dataclasses import dataclass

from marsseg_core.plugin_api import Loss
'''

CLASS = '''

@dataclass(frozen=True)
class Loss{number}(Loss):
    """Measure nothing, as number {number}."""

    weight: float = 1.0

    def build(self, spec):
        return None
'''


def install(site: Path, count: int, classes: int = 1) -> None:
    """Write distributions into a folder, as an installer does, and put the folder on the path of Python."""
    for number in range(count):
        package = site / f"growth_{number}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        names = [f"loss{number}_{each}" for each in range(classes)]
        text = MODULE + "".join(CLASS.format(number=f"{number}_{each}") for each in range(classes))
        (package / "losses.py").write_text(text)
        facts = site / f"growth_{number}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: growth-{number}\nVersion: 1.0\nRequires-Dist: marsseg>=0.1\n"
        )
        points = [f"{name} = growth_{number}.losses:Loss{name.removeprefix('loss')}" for name in names]
        (facts / "entry_points.txt").write_text("[marsseg.losses]\n" + "\n".join(points) + "\n")
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()


def command(*words: str) -> Callable[[int, Path], Callable[[], object]]:
    """Return what prepares distributions, and then runs a command in this process."""

    def prepare(size: int, folder: Path) -> Callable[[], object]:
        install(folder, size)
        return lambda: run(*words)

    return prepare


def run(*words: str) -> None:
    """Run a command as in a new process: what is installed is found again."""
    from marsseg_core.cli.main import app
    from marsseg_core.registry.catalog import rescan

    rescan()
    app(list(words), standalone_mode=False)


def one_module(size: int, folder: Path) -> Callable[[], object]:
    install(folder, 1, size)
    return lambda: run("list", "--json")


DISTRIBUTIONS = "distributions"

CASES = (
    Case("`list`", DISTRIBUTIONS, doubled(500, 4), command("list")),
    Case("`list`", "components in one module", doubled(400, 4), one_module),
    Case("`show unet`", DISTRIBUTIONS, doubled(500, 4), command("show", "unet")),
    Case("`run --dry-run`", DISTRIBUTIONS, doubled(500, 4), command("run", "--dry-run")),
    Case("`doctor unet`", DISTRIBUTIONS, doubled(500, 4), command("doctor", "unet")),
    # It starts a process for each of them, so that this row takes six minutes of a processor.
    Case(
        "`doctor`, without the built-ins", DISTRIBUTIONS, (8, 125, 250, 500), command("doctor", "--disable", "marsseg")
    ),
)
