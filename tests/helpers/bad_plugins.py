"""Twelve distributions with one fault each, to be installed together: what each says, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Each module leaves a trace where it is imported.
TRACE = """\
import os, pathlib
pathlib.Path(os.environ["BAD_PLUGINS"], "imported", __name__).touch()
"""

LOSS = """\
from dataclasses import dataclass
from marsseg_core.plugin_api import Loss

@dataclass(frozen=True)
class Bad(Loss):
    "A loss."

    def build(self, spec): return lambda labels, logits: 0.0
"""

HOOK = """\
from marsseg_core.plugin_api import hookimpl

@hookimpl
def marsseg_epoch_finished(run, record): pass
"""


@dataclass(frozen=True)
class Bad:
    """One distribution, `bad-NAME`, with a loss (or an observer) called `NAME` in the module `bad_NAME`.

    `said` stands in what is said of it, `listed` is its status in `marsseg list`, `found` that in `marsseg doctor`,
    `asked` the exit code where it is asked for by name, which some cannot be.
    """

    name: str
    source: str
    said: str
    listed: str = "ok"
    found: str = "broken"
    asked: int | None = 3
    group: str = "marsseg.losses"
    target: str = ":Bad"
    called: str = ""
    requires: str = "marsseg"

    @property
    def entry_name(self) -> str:
        return self.called or self.name

    @property
    def module(self) -> str:
        return f"bad_{self.name}"

    @property
    def distribution(self) -> str:
        return f"bad-{self.name}"

    @property
    def is_observer(self) -> bool:
        return self.group == "marsseg.hooks"


def observer(name: str, source: str, said: str) -> Bad:
    return Bad(name, source, said, group="marsseg.hooks", target="", asked=None)


BAD = (
    Bad("raises", "raise RuntimeError('no driver')", "cannot be loaded: RuntimeError: no driver"),
    Bad("exits", "import sys\nsys.exit('bye')", "cannot be loaded: SystemExit: bye"),
    Bad("lacks", LOSS, "has no attribute 'Nowhere'", target=":Nowhere"),
    Bad("mistyped", "Bad = 3", "it is not a class, but of type int"),
    Bad("undecorated", LOSS.replace("@dataclass(frozen=True)", ""), "it is not a dataclass"),
    observer("misspelt", HOOK.replace("finished", "finishd"), "marsseg_epoch_finishd is not a hook"),
    observer("misargued", HOOK.replace("record", "recrd"), "marsseg_epoch_finished has an unknown argument 'recrd'"),
    Bad("slow", f"import time\ntime.sleep(2.2)\n{LOSS}", "s to import", found="slow", asked=0),
    Bad("rival", LOSS, "Two distributions provide the loss 'ssce'", "conflict", "conflict", 2, called="ssce"),
    Bad("old", LOSS, "it requires marsseg>=99", "incompatible", "incompatible", 2, requires="marsseg>=99"),
    Bad("off", LOSS, "by MARSSEG_DISABLE", "disabled", "disabled", 2),
    Bad("ill", LOSS, "not a valid name", "invalid", "invalid", None, called="Ill Named"),
)

ENVIRONMENT = {"MARSSEG_DISABLE": "bad-off"}


def write(folder: Path) -> None:
    """Install all of them into a folder, as a wheel would be."""
    (folder / "imported").mkdir(parents=True)
    for bad in BAD:
        (folder / f"{bad.module}.py").write_text(TRACE + bad.source)
        write_metadata(
            folder, bad.distribution, f"{bad.entry_name} = {bad.module}{bad.target}", bad.group, bad.requires
        )


def write_metadata(
    folder: Path, name: str, point: str, group: str = "marsseg.losses", requires: str = "marsseg"
) -> None:
    """The .dist-info of a distribution with one entry point."""
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", f"Requires-Dist: {requires}"]
    (metadata / "METADATA").write_text("\n".join(lines) + "\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{point}\n")


def imported(folder: Path) -> set[str]:
    """The modules that were imported since they were written."""
    return {path.name for path in (folder / "imported").iterdir()}
