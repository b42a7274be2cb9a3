"""Examine installed plugins for `marsseg doctor`: load each of them in a separate process.

In a separate process, no plugin can depend on what another one imported, and a plugin that ends its process, or never
returns, does not affect the others.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import MarssegError, RequestError
from ..files.pack import open_pack
from ..messages import ROOT
from ..registry.catalog import installed
from ..registry.disabled import VARIABLE
from ..registry.entries import CONFLICT, INVALID, OK, Entry
from ..registry.kinds import ALL_KINDS, COMMAND, DATASET, MODEL, OBSERVER, RECIPE
from ..registry.loading import SLOW_SECONDS, load
from ..registry.plugin_files import is_plugin_file, load_plugin_files
from ..registry.session import Session, open_session
from ..registry.source_code import read_source
from .process_state import ProcessState
from .subjects import Subject

# Packages that take seconds to import. Components import them inside their methods.
HEAVY: Final = ("keras", "tensorflow", "jax", "torch")

BROKEN: Final = "broken"
EARLY: Final = "early"
SLOW: Final = "slow"
SIDE_EFFECTS: Final = "side effects"
NOT_CHECKED: Final = "not checked"

_EARLY_HINT: Final = (
    "Import it inside the functions that need it, not at the top of the module. Layers of your own belong in another "
    "module, which the component names in layer_modules."
)

_LOADING_LIMIT: Final = 120.0
_CHECKS_LIMIT: Final = 1200.0

_FAILURES_SHOWN: Final = 3

# Checking an architecture at full width takes minutes; the contract is the same for a narrow one.
_NARROW: Final = 0.125


@dataclass(frozen=True)
class Diagnosis:
    """The result of examining one entry of the catalog.

    Attributes:
        entry: the entry
        status: its status in the catalog, or broken, early (it imports a heavy package too early), slow,
            side effects, or not checked (checks were requested, and none could be run)
        seconds: the time it took to load; None if it was not loaded
        early: the heavy packages that it imports too early; a file that the user passes may import them
        effects: what loading it does to the process of its user, such as "prints text"
        problem: what is wrong with it; empty if nothing is
        where: the file and line, or the target, of the problem
        hint: what its author can do
        checks: how many checks of its contract passed, failed and were skipped; None if none were run
        failures: the message of each failed check, by the check's name
        unchecked: why no checks were run
        commands: the names of the commands that it adds to `marsseg`
    """

    entry: Entry
    status: str
    seconds: float | None = None
    early: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    problem: str = ""
    where: str | None = None
    hint: str | None = None
    checks: dict[str, int] | None = None
    failures: dict[str, str] = field(default_factory=dict)
    unchecked: str = ""
    commands: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        """Return whether the entry cannot be used."""
        return self.status in (BROKEN, INVALID)


def examine(
    subjects: Iterable[Subject],
    session: Session,
    plugins: Sequence[Path] = (),
    *,
    checks: bool = False,
    checking: Callable[[Entry], None] = lambda _: None,
) -> Iterator[Diagnosis]:
    """Load each entry, several at the same time, and yield a diagnosis of each, in their order.

    Entries that cannot be used (disabled, incompatible, …) are not loaded. With `checks`, each component that loads
    without a problem is also tested with the contract of its kind; RequestError if pytest is not installed. `checking`
    is called with each of them before its tests, which take seconds, in another thread.

    Values of parameters may fit only some of the components that a word names, such as a loss and not the metric of the
    same name: the others are left out. Raises RequestError if they fit none.
    """
    if checks and find_spec("pytest") is None:
        raise RequestError(
            "The checks need pytest, which is not installed.", where="--checks", hint="pip install pytest"
        )
    subjects = [*subjects]
    fitting: set[str] = set()
    refusals: dict[str, RequestError] = {}
    # Each process with checks starts a Keras backend, which takes a gigabyte of memory.
    with ThreadPoolExecutor(2 if checks else os.cpu_count()) as pool:
        findings = pool.map(lambda subject: _examine(subject, session, plugins, checking if checks else None), subjects)
        for subject, finding in zip(subjects, findings, strict=True):
            if isinstance(finding, RequestError):
                refusals.setdefault(subject.word, finding)
            else:
                fitting.add(subject.word)
                yield finding
    for word, refusal in refusals.items():
        if word not in fitting:
            raise refusal


def _examine(
    subject: Subject, session: Session, plugins: Sequence[Path], checking: Callable[[Entry], None] | None
) -> Diagnosis | RequestError:
    """Return the diagnosis of an entry, or the error that says what is wrong with the values of its parameters.

    With None for `checking`, it is only loaded.
    """
    entry = subject.entry
    if not entry.usable:
        return Diagnosis(entry, entry.status, problem=entry.reason)
    answer = _in_process("load", subject, session, plugins, _LOADING_LIMIT)
    if refusal := answer.get("refusal"):
        return RequestError(**refusal)
    if answer.get("problem"):
        answer.pop("heavy", None)
        return Diagnosis(entry, BROKEN, **_with_tuples(answer))
    hint = _EARLY_HINT if answer["early"] else None
    status = _status(answer)
    del answer["heavy"]
    problem = f"loading it {' and '.join(answer['effects'])}" if status == SIDE_EFFECTS else ""
    diagnosis = Diagnosis(entry, status, **_with_tuples(answer) | {"hint": hint, "problem": problem})
    if entry.status == CONFLICT:
        diagnosis = replace(diagnosis, status=CONFLICT, problem=entry.reason, hint=None)
    if checking is None or not entry.kind.contract:
        return diagnosis
    checking(entry)
    answer = _in_process("check", subject, session, plugins, _CHECKS_LIMIT)
    if refusal := answer.get("refusal"):
        return RequestError(**refusal)
    return _with_checks(diagnosis, answer)


def _with_tuples(answer: dict[str, Any]) -> dict[str, Any]:
    """Replace the lists of a JSON answer by tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in answer.items()}


def _status(answer: dict[str, Any]) -> str:
    if answer["early"]:
        return EARLY
    if answer["seconds"] > SLOW_SECONDS and not answer["heavy"]:
        return SLOW
    return SIDE_EFFECTS if answer["effects"] else OK


def _with_checks(diagnosis: Diagnosis, answer: dict[str, Any]) -> Diagnosis:
    values = vars(diagnosis) | answer
    if answer.get("problem"):
        values["status"] = BROKEN
    elif answer["unchecked"]:
        # Of another status, the table says so in the column of the checks.
        if diagnosis.status == OK:
            values |= {"status": NOT_CHECKED, "problem": f"{answer['unchecked']}."}
        else:
            values["hint"] = diagnosis.hint
    elif answer["failures"]:
        failures: dict[str, str] = {}
        for name, message in answer["failures"].items():  # only the first of a check with several parameters
            failures.setdefault(name.partition("[")[0], f"{name}: {message}")
        shown = [*failures.values()][:_FAILURES_SHOWN]
        if len(failures) > len(shown):
            shown.append(f"{len(failures) - len(shown)} more (--json lists all)")
        values |= {"status": BROKEN, "problem": f"{answer['checks']['failed']} checks failed: {'; '.join(shown)}"}
    return Diagnosis(**values)


def _in_process(task: str, subject: Subject, session: Session, plugins: Sequence[Path], limit: float) -> dict[str, Any]:
    """Run a task in a new process and return its answer.

    The answer has "problem" if something is wrong with the entry, and "refusal" if the values do not fit it.
    """
    entry = subject.entry
    words = ",".join(dict.fromkeys(switch.word for switch in session.disabled))
    first = [str(subject.folder)] if subject.folder else []
    path = os.pathsep.join([*first, *(folder or os.getcwd() for folder in sys.path)])
    with tempfile.TemporaryDirectory(prefix="marsseg-doctor-") as folder:
        answer_file, errors = Path(folder, "answer.json"), Path(folder, "errors.txt")
        command = [sys.executable, "-P", "-m", __name__, task, str(answer_file), _described(entry, subject.values)]
        try:
            # A file and no pipe: a pipe stays open as long as any child of the process runs.
            with errors.open("wb") as stream:
                done = subprocess.run(
                    [*command, *map(str, plugins)],
                    env=os.environ | {"PYTHONPATH": path, VARIABLE: words},
                    stdin=subprocess.DEVNULL,
                    stdout=stream if task == "load" else subprocess.DEVNULL,
                    stderr=stream,
                    check=False,
                    timeout=limit,
                )
        except subprocess.TimeoutExpired:
            return {"problem": f"It did not finish within {limit:.0f} s.", "where": entry.target}
        try:
            answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last_line = f": {lines[-1]}" if lines else ""
            return {"problem": f"It ended its process (exit code {done.returncode}){last_line}.", "where": entry.target}
        # Keras and TensorFlow print messages themselves.
        if task == "load" and errors.stat().st_size and not answer.get("heavy"):
            answer["effects"] = ["prints text", *answer["effects"]]
    return answer


def _described(entry: Entry, values: Mapping[str, str] | None = None) -> str:
    """Return an entry and the values of its parameters as JSON.

    So the new process need not read the metadata of all distributions to find the entry.
    """
    described = {each.name: getattr(entry, each.name) for each in fields(entry)} | {"kind": entry.kind.name}
    return json.dumps({"entry": described, "values": dict(values or {})})


# --- in the new process


def _entry(described: str) -> Entry:
    values = json.loads(described)["entry"]
    kind = next(kind for kind in ALL_KINDS if kind.name == values["kind"])
    return Entry(**values | {"kind": kind, "aliases": tuple(values["aliases"])})


def _load(entry: Entry, values: Mapping[str, str], plugins: Sequence[str]) -> dict[str, Any]:
    # Import these before the clock starts: every entry needs them.
    from .. import hooks
    from ..planning.request import Request
    from ..planning.resolver import resolve
    from ..registry.parameters import convert_values

    if entry.kind == RECIPE:
        installed()
    state = ProcessState()
    start = time.perf_counter()
    problem: dict[str, Any] = {}
    commands: list[str] = []
    try:
        if is_plugin_file(entry.module):
            load_plugin_files(plugins)
        if entry.kind == OBSERVER:
            hooks.load_observer(entry)
        elif entry.kind == COMMAND:
            commands = [*hooks.commands_of(entry)]
        elif entry.kind == MODEL:
            source = read_source(entry)
            if source is not None:
                open_pack(source.path)
        elif entry.kind == RECIPE:
            resolve(Request(base=entry.qualified_name), open_session())
        else:
            cls = load(entry)
            try:
                convert_values(cls, values, where=entry.name)
            except RequestError as error:
                return _refusal(error)
    except MarssegError as error:
        problem = {"problem": error.what, "where": error.where, "hint": error.hint}
    seconds = time.perf_counter() - start
    # The components of a recipe are examined separately.
    heavy = [] if entry.kind == RECIPE else [name for name in HEAVY if name in sys.modules]
    return {
        "seconds": round(seconds, 4),
        "early": [] if is_plugin_file(entry.module) else heavy,
        "heavy": bool(heavy),
        "effects": [] if heavy else state.changes(),  # Keras and TensorFlow set variables themselves
        "commands": commands,
    } | problem


def _refusal(error: RequestError) -> dict[str, Any]:
    return {"refusal": {"what": error.what, "where": error.where, "hint": error.hint}}


_TEST: Final = """\
from marsseg_core.doctor.diagnosis import component_to_check
from {module} import {contract} as Contract


class TestComponent(Contract):
    component = component_to_check({kind!r}, {name!r}, {plugins!r}, {values!r})
    cancelled = (".*",)  # any weight of a network may have a gradient of zero
    {left_out} = None
"""

# This check of the contracts is left out: loading the entry has already shown whether its import is light.
CHECKED_BY_LOADING: Final = "test_importing_its_module_is_light"


def component_to_check(
    kind: str, qualified_name: str, plugins: Sequence[str], values: Mapping[str, str] | None = None
) -> Any:
    """Make a component with these values of its parameters, and a small `width` if it has that parameter.

    Raises RequestError if a value is wrong.
    """
    from ..registry.parameters import configure, parameters_of

    entries = open_session(plugins=plugins).catalog.everything
    cls = load(next(entry for entry in entries if (entry.kind.name, entry.qualified_name) == (kind, qualified_name)))
    width = parameters_of(cls).get("width")
    narrow = {"width": _NARROW} if width is not None and width.type is float else {}
    return configure(cls, narrow | dict(values or {}))


def _check(entry: Entry, values: Mapping[str, str], plugins: Sequence[str]) -> dict[str, Any]:
    from ..registry.parameters import required_parameters

    load_plugin_files(plugins)
    if missing := required_parameters(load(entry), values):
        example = f"{entry.name}:{':'.join(f'{name}=…' for name in missing)}"
        hint = f"To check it: marsseg doctor --checks {example}"
        return {"checks": None, "failures": {}, "unchecked": f"requires {', '.join(missing)}", "hint": hint}
    try:
        component = component_to_check(entry.kind.name, entry.qualified_name, plugins, values)
        if entry.kind == DATASET and values:
            component.load()  # a wrong path is no fault of the data set
    except RequestError as error:
        return _refusal(error)
    import pytest

    recorder = _Recorder()
    left_out = " = ".join((CHECKED_BY_LOADING, *entry.kind.optional_checks))
    module, _, contract = entry.kind.contract.partition(":")
    filled = _TEST.format(
        module=module,
        contract=contract,
        kind=entry.kind.name,
        name=entry.qualified_name,
        plugins=[*plugins],
        values={**values},
        left_out=left_out,
    )
    with tempfile.TemporaryDirectory(prefix="marsseg-checks-") as folder:
        test = Path(folder, "test_component.py")
        test.write_text(filled, encoding="utf-8")
        settings = Path(folder, "pytest.ini")
        settings.write_text("[pytest]\nmarkers =\n    slow: takes more than a few seconds\n", encoding="utf-8")
        words = ["-q", "-c", str(settings), "-m", "not slow", "-p", "no:cacheprovider", str(test)]
        pytest.main(words, plugins=[recorder])
    counts = recorder.counts
    unchecked = "" if counts["passed"] or counts["failed"] else f"all {counts['skipped']} checks were skipped"
    return {"checks": counts, "failures": recorder.failures, "unchecked": unchecked}


class _Recorder:
    """A pytest plugin that counts the outcomes of tests and stores the messages of failures."""

    def __init__(self) -> None:
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a test, or its setup or teardown if that did not pass."""
        if report.when == "call" or report.outcome != "passed":
            self._record(report, report.nodeid.rpartition("::")[2])

    def pytest_collectreport(self, report: Any) -> None:
        """Record a test file that cannot be imported."""
        if report.outcome == "failed":
            self._record(report, "collection")

    def _record(self, report: Any, name: str) -> None:
        self.counts[report.outcome] += 1
        if report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            text = crash.message if crash else str(report.longrepr)
            self.failures[name] = text.strip().splitlines()[0].removeprefix("AssertionError: ")


def main(task: str, answer: str, described: str, *plugins: str) -> None:
    """Do the task "load" or "check" and write its answer as JSON into the file `answer`."""
    warnings.simplefilter("ignore")
    logging.getLogger(ROOT).addHandler(logging.NullHandler())  # what is printed is the plugin's
    tasks = {"load": _load, "check": _check}
    result = tasks[task](_entry(described), json.loads(described)["values"], plugins)
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
