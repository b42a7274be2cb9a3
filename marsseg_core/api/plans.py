"""Resolve the plan of a run from the arguments of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..errors import RequestError
from ..planning.arguments import flag_of, request_of, texts_of
from ..planning.plan import Plan
from ..planning.resolver import resolve
from ..planning.run_arguments import AS_PLANNED, RunArguments, document_arguments
from ..registry.session import open_session
from .callers import told_in_python

if TYPE_CHECKING:
    from ..planning.run_arguments import AnyPath


@told_in_python()
@document_arguments(RunArguments)
def plan(
    base: AnyPath | None = None,
    *,
    overrides: Sequence[str] = (),
    plugins: Sequence[AnyPath] = (),
    disable: Sequence[str] = (),
    trust: bool = False,
    **arguments: Unpack[RunArguments],
) -> Plan:
    """Resolve the plan of a run with these arguments, without running it.

    No data are read, no network is built, and Keras is not imported.

    Args:
        base: What to start from: the name of a recipe, a plan file, or a run. None is the recipe "default".
        overrides: Single values, as for `--set`: ["arch.dense.depth=3", "training.epochs=20"].
        plugins: Python files that define further components and hooks. They are executed.
        disable: Names of components, observers or plugins to disable: ["report"] draws no figures of a run.
        trust: Execute the plugin files that are stored with `base` (a plan or a run).
        **arguments: Components, and options of training, split and cleaning, as for `run`. An argument that is left out
            keeps its value in `base`.

    Returns:
        The plan: the resolved components and all options, each with its origin.

    Raises:
        RequestError: A name or value is wrong, the components do not fit together, or `base` needs `trust`.
        PluginError: A component or a file of `plugins` cannot be loaded.

    Example:
        ```python
        plan = marsseg.plan("report", arch="dense:width=0.5", epochs=3)
        print(plan.to_toml())
        ```
    """
    session = open_session(disable=texts_of(disable, "disable"), trust=flag_of(trust, "trust"))
    return resolve(request_of(base, arguments, overrides, plugins), session)


def planned(base: Any, overrides: Any, plugins: Any, disable: Any, trust: Any, arguments: Any) -> Plan:
    """Return `base` if it is a Plan, else resolve the arguments; RequestError for a Plan with arguments."""
    if not isinstance(base, Plan):
        return plan(base, overrides=overrides, plugins=plugins, disable=disable, trust=trust, **arguments)
    others = {"overrides": overrides, "plugins": plugins, "disable": disable, "trust": trust}.items()
    passed = [name for name, value in arguments.items() if value is not AS_PLANNED]
    if passed := [*passed, *(name for name, value in others if value not in ((), [], False))]:
        raise RequestError(
            f"A Plan is complete: '{passed[0]}' cannot be passed with it.",
            where="base",
            hint=f"Pass '{passed[0]}' to marsseg.plan(…).",
        )
    return base
