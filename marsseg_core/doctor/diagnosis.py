"""What `marsseg doctor` finds: each component, recipe, observer and module of commands loaded in a fresh process.

So none sees what another has imported, and one that ends its process, or never ends, harms no other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import MarssegError, RequestError, nearest
from ..registry.catalog import Catalog, installed
from ..registry.disabled import VARIABLE
from ..registry.distribution import normal
from ..registry.entries import CONFLICT, INVALID, OK, Entry
from ..registry.kinds import ALL_KINDS, COMMAND, OBSERVER, RECIPE
from ..registry.loading import SLOW_SECONDS, load
from ..registry.session import Session, open_session

# What takes seconds to import, and belongs inside the methods that build.
HEAVY: Final = ("keras", "tensorflow", "jax", "torch")

BROKEN: Final = "broken"
EARLY: Final = "early"
SLOW: Final = "slow"

_EARLY_HINT: Final = "Import it inside the methods that build, not at the top of a module."

_LOADING_LIMIT: Final = 120.0
_CHECKS_LIMIT: Final = 1200.0

_FAILURES_TOLD: Final = 3

# An architecture at its full width takes minutes to check, and a narrow one keeps to the same contract.
_NARROW: Final = 0.125


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one entry.

    `status` is that of the catalog, or broken, early (it imports what `early` names too soon) or slow. `seconds` is how
    long it took to load. `checks` counts the checks of its contract that passed and failed, where they were asked for;
    `failures` says what failed, `unchecked` why none was made. `commands` names those that it adds to `marsseg`.
    """

    entry: Entry
    status: str
    seconds: float | None = None
    early: tuple[str, ...] = ()
    problem: str = ""
    where: str | None = None
    hint: str | None = None
    checks: dict[str, int] | None = None
    failures: dict[str, str] = field(default_factory=dict)
    unchecked: str = ""
    commands: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        return self.status in (BROKEN, INVALID)


def select(catalog: Catalog, words: Sequence[str]) -> list[Entry]:
    """The entries that words mean: names, distribution/name, or distributions. None means all."""
    entries = catalog.everything
    for word in words:
        if not any(_means(word, entry) for entry in entries):
            known = {name for entry in entries for name in (entry.name, *entry.aliases, entry.distribution)}
            hint = " ".join([*catalog.problems, nearest(word, known)])
            raise RequestError(f"Nothing is called '{word}'.", where="doctor", hint=hint)
    return [entry for entry in entries if not words or any(_means(word, entry) for word in words)]


def _means(word: str, entry: Entry) -> bool:
    return entry.is_called(word) or normal(word) == normal(entry.distribution)


def examine(
    entries: Iterable[Entry], session: Session, plugins: Sequence[Path] = (), *, checks: bool = False
) -> Iterator[Diagnosis]:
    """Load each entry, several at once, and give what was found in their order.

    What cannot be used is not loaded. With `checks` the contract of its kind is run on each component that is sound;
    RequestError where pytest, which runs it, is not installed.
    """
    if checks and find_spec("pytest") is None:
        raise RequestError("The checks are run by pytest.", where="--checks", hint="pip install pytest")
    # Checks start a backend each, which takes a gigabyte.
    with ThreadPoolExecutor(2 if checks else os.cpu_count()) as pool:
        yield from pool.map(lambda entry: _examine(entry, session, plugins, checks), entries)


def _examine(entry: Entry, session: Session, plugins: Sequence[Path], checks: bool) -> Diagnosis:
    if not entry.usable:
        return Diagnosis(entry, entry.status, problem=entry.reason)
    found = _in_process("load", entry, session, plugins, _LOADING_LIMIT)
    if found.get("problem"):
        return Diagnosis(entry, BROKEN, **_tuples(found))
    hint = _EARLY_HINT if found["early"] else None
    finding = Diagnosis(entry, _status(entry, found), **_tuples(found) | {"hint": hint})
    if entry.status == CONFLICT:
        finding = Diagnosis(entry, CONFLICT, finding.seconds, finding.early, entry.reason)
    if not checks or not entry.kind.contract:
        return finding
    return _checked(finding, _in_process("check", entry, session, plugins, _CHECKS_LIMIT))


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    """With tuples for the lists of JSON."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


def _status(entry: Entry, found: dict[str, Any]) -> str:
    if found["early"]:
        return EARLY
    return SLOW if found["seconds"] > SLOW_SECONDS else OK


def _checked(finding: Diagnosis, found: dict[str, Any]) -> Diagnosis:
    values = vars(finding) | found
    if found.get("problem"):
        values["status"] = BROKEN
    elif found["failures"]:
        failures: dict[str, str] = {}
        for name, why in found["failures"].items():  # of a check that fails in several ways, the first
            failures.setdefault(name.partition("[")[0], f"{name}: {why}")
        told = [*failures.values()][:_FAILURES_TOLD]
        if len(failures) > len(told):
            told.append(f"{len(failures) - len(told)} more (--json has all)")
        values |= {"status": BROKEN, "problem": f"{found['checks']['failed']} checks fail: {'; '.join(told)}"}
    return Diagnosis(**values)


def _in_process(task: str, entry: Entry, session: Session, plugins: Sequence[Path], limit: float) -> dict[str, Any]:
    """What a fresh process found; "problem" says what is wrong where something is."""
    words = ",".join(dict.fromkeys(switch.word for switch in session.disabled))
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    with tempfile.TemporaryDirectory(prefix="marsseg-doctor-") as folder:
        answer, errors = Path(folder, "answer.json"), Path(folder, "errors.txt")
        command = [sys.executable, "-P", "-m", __name__, task, str(answer), entry.kind.name, entry.qualified_name]
        try:
            # Not pipes: they end only when all have ended that the process has started and left behind.
            with errors.open("wb") as stream:
                done = subprocess.run(
                    [*command, *map(str, plugins)],
                    env=os.environ | {"PYTHONPATH": path, VARIABLE: words, "TF_CPP_MIN_LOG_LEVEL": "3"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    check=False,
                    timeout=limit,
                )
        except subprocess.TimeoutExpired:
            return {"problem": f"It was not done after {limit:.0f} s.", "where": entry.target}
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            said = f": {last[0]}" if last else ""
            return {"problem": f"It ended its process (exit code {done.returncode}){said}.", "where": entry.target}
    return found


# --- in the fresh process


def _entry(kind: str, qualified_name: str, plugins: Sequence[str]) -> Entry:
    entries = open_session(plugins=plugins).catalog.everything
    return next(entry for entry in entries if (entry.kind.name, entry.qualified_name) == (kind, qualified_name))


def _load(kind: str, qualified_name: str, plugins: Sequence[str]) -> dict[str, Any]:
    # What the core imports for any of them is not counted.
    from .. import hooks
    from ..planning import resolver

    installed()
    start = time.perf_counter()
    problem: dict[str, Any] = {}
    commands: list[str] = []
    try:
        entry = _entry(kind, qualified_name, plugins)
        if entry.kind == OBSERVER:
            hooks.load_observer(entry)
        elif entry.kind == COMMAND:
            commands = [*hooks.commands_of(entry)]
        elif entry.kind == RECIPE:
            resolver.resolve(resolver.Request(base=entry.qualified_name), open_session())
        else:
            load(entry)
    except MarssegError as error:
        problem = {"problem": error.what, "where": error.where, "hint": error.hint}
    seconds = time.perf_counter() - start
    # A recipe is not to blame for what its components import.
    early = [] if kind == RECIPE.name else [name for name in HEAVY if name in sys.modules]
    return {"seconds": round(seconds, 4), "early": early, "commands": commands} | problem


_TEST: Final = """\
from marsseg_core.doctor.diagnosis import component_to_check
from {module} import {contract} as Contract


class TestComponent(Contract):
    component = component_to_check({kind!r}, {name!r}, {plugins!r})
    cancelled = (".*",)  # the weights of a network that may have a gradient of zero
    {left_out} = None
"""

# How an import is, has been found already.
FOUND_ALREADY: Final = "test_importing_its_module_is_light"


def component_to_check(kind: str, qualified_name: str, plugins: Sequence[str]) -> Any:
    """A component with its defaults, but narrow where it has a width."""
    from ..registry.parameters import configure, parameters_of

    cls = load(_entry(kind, qualified_name, plugins))
    width = parameters_of(cls).get("width")
    return configure(cls, {"width": _NARROW} if width is not None and width.type is float else {})


def _check(kind: str, qualified_name: str, plugins: Sequence[str]) -> dict[str, Any]:
    from ..registry.parameters import parameters_of

    none: dict[str, Any] = {"checks": None, "failures": {}}
    required = [p.name for p in parameters_of(load(_entry(kind, qualified_name, plugins))).values() if p.required]
    if required:
        return none | {"unchecked": f"{', '.join(required)} must be given"}
    import pytest

    recorder = _Recorder()
    registered = next(each for each in ALL_KINDS if each.name == kind)
    left_out = " = ".join((FOUND_ALREADY, *registered.unpromised))
    module, _, contract = registered.contract.partition(":")
    values = {"module": module, "contract": contract, "kind": kind, "name": qualified_name, "plugins": [*plugins]}
    with tempfile.TemporaryDirectory(prefix="marsseg-checks-") as folder:
        test = Path(folder, "test_component.py")
        test.write_text(_TEST.format(**values, left_out=left_out), encoding="utf-8")
        settings = Path(folder, "pytest.ini")
        settings.write_text("[pytest]\nmarkers =\n    slow: takes more than a few seconds\n", encoding="utf-8")
        words = ["-q", "-c", str(settings), "-m", "not slow", "-p", "no:cacheprovider", str(test)]
        pytest.main(words, plugins=[recorder])
    return {"checks": recorder.counts, "failures": recorder.failures}


class _Recorder:
    """A plugin of pytest that keeps what the tests gave."""

    def __init__(self) -> None:
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._take(report, report.nodeid.rpartition("::")[2])

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "failed":
            self._take(report, "collection")

    def _take(self, report: Any, name: str) -> None:
        self.counts[report.outcome] += 1
        if report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            text = crash.message if crash else str(report.longrepr)
            self.failures[name] = text.strip().splitlines()[0].removeprefix("AssertionError: ")


def main(task: str, answer: str, kind: str, qualified_name: str, *plugins: str) -> None:
    """Do one task and write what was found as JSON."""
    warnings.simplefilter("ignore")
    tasks = {"load": _load, "check": _check}
    found = tasks[task](kind, qualified_name, plugins)
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
