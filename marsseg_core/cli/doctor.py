"""`marsseg doctor`: check that all installed plugins work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import PluginError, counted
from ..networks.startup import check_backend
from ..registry.session import open_session
from .added import BUILT_IN, claim_names
from .common_options import Disable, Plugins
from .completion import names_or_distributions
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..doctor.diagnosis import Diagnosis
    from ..registry.entries import Entry


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Check only these names or distributions, or wheels that are not installed. Parameters may follow a "
            "name, for --checks: NAME:KEY=VALUE.",
            metavar="[NAME|WHEEL]…",
            autocompletion=names_or_distributions,
        ),
    ] = None,
    checks: Annotated[
        bool, typer.Option("--checks", help="Also run the tests of their contracts, except slow ones.")
    ] = False,
    plugin: Plugins = None,
    disable: Disable = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load each installed component, recipe, observer and command plugin in a separate process, and report problems.

    Loading should take hundredths of a second. A component that imports Keras or TensorFlow at the top of its module
    has the status "early", because it slows down all commands that only name it. One that prints text or changes the
    process while it is loaded has the status "side effects". With `--checks`, a component that needs parameters has
    the status "not checked" without them: name them, as in `marsseg doctor --checks npz:path=tiles.npz`. A wheel is
    unpacked into a temporary folder, and its metadata is checked too. The exit code is 3 if something is broken.
    """
    from ..doctor.diagnosis import NOT_CHECKED, examine
    from ..doctor.subjects import WHEEL, select
    from ..doctor.wheels import opened_wheels
    from ..files.progress import ProgressBar

    check_backend()
    session = open_session(plugins=plugin, disable=disable)
    catalog = session.catalog
    words = names or []
    wheels = [Path(word) for word in words if word.endswith(WHEEL)]
    others = [word for word in words if not word.endswith(WHEEL)]
    findings = []
    with opened_wheels(wheels, catalog) as (unpacked, problems), ProgressBar("Examining", "plugins") as progress:
        subjects = [*unpacked, *(select(catalog, others) if others or not wheels else ())]

        def checking(entry: Entry) -> None:
            progress.doing(f"Checking the {entry.kind} '{entry.name}'")

        for finding in examine(subjects, session, plugin or (), checks=checks, checking=checking):
            findings.append(finding)
            progress(len(findings), len(subjects))
    problems = [*problems, *catalog.problems]
    findings = _with_clashes(findings)
    if json:
        print_json(findings=[_record(finding) for finding in findings], problems=problems)
    else:
        _print_diagnoses(findings, checks)
    _raise_for_faults(sum(finding.broken for finding in findings), problems)
    unchecked = sum(finding.status == NOT_CHECKED for finding in findings)
    say(f"Nothing is broken, but {counted(unchecked, 'is', 'are')} not checked." if unchecked else "Nothing is broken.")


def _raise_for_faults(broken: int, problems: list[str]) -> None:
    """Raise PluginError if plugins are broken, which the table shows, or metadata are wrong, which it cannot show."""
    counts = {"Broken plugins": broken, "Faults in metadata": len(problems)}
    if what := ". ".join(f"{name}: {count:,}" for name, count in counts.items() if count):
        lines = [*(["The table above says which plugins are broken, and why."] if broken else []), *problems]
        raise PluginError(f"{what}.", hint="\n".join(lines))


def _with_clashes(findings: list[Diagnosis]) -> list[Diagnosis]:
    """Mark plugins as broken that add a command whose name is taken, by marsseg or by another plugin."""
    from ..doctor.diagnosis import BROKEN
    from .main import COMMAND_GROUPS, COMMANDS

    taken = dict.fromkeys((*COMMANDS, *COMMAND_GROUPS), BUILT_IN)
    updated = []
    for finding in findings:
        if lines := [*claim_names(finding.entry, finding.commands, taken)]:
            finding = replace(finding, status=BROKEN, problem=" ".join(lines))
        updated.append(finding)
    return updated


def _print_diagnoses(findings: list[Diagnosis], checks: bool) -> None:
    headers = ["kind", "name", "provider", "seconds", "imports early", *(["checks"] if checks else []), "status"]
    rows = [
        [
            finding.entry.kind.name,
            finding.entry.name,
            finding.entry.provider,
            "" if finding.seconds is None else f"{finding.seconds:.2f}",
            " ".join(finding.early),
            *([_checks(finding)] if checks else []),
            _status(finding),
        ]
        for finding in findings
    ]
    print_table(headers, rows, right=("seconds",), names=2)
    counts = Counter(finding.status for finding in findings)
    say(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


def _checks(finding: Diagnosis) -> str:
    if not finding.checks:
        return finding.unchecked
    return ", ".join(f"{count} {outcome}" for outcome, count in finding.checks.items() if count)


def _status(finding: Diagnosis) -> str:
    where = f" [{finding.where}]" if finding.where else ""
    problem = f": {finding.problem}{where}" if finding.problem else ""
    hint = f" {finding.hint}" if finding.hint else ""
    return f"{finding.status}{problem}{hint}"


def _record(finding: Diagnosis) -> dict[str, Any]:
    entry = finding.entry
    values = {key: value for key, value in vars(finding).items() if key != "entry"}
    names = {"kind": entry.kind.name, "name": entry.name, "distribution": entry.distribution, "version": entry.version}
    return names | values
