"""What `marsseg sweep --dry-run` prints: the options, the space, and three of its plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ..planning.grammar import parse
from ..registry.parameters import to_text
from ..sweeps.draw import drawn, plan_of
from ..sweeps.values import Choices
from .output import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..planning.request import Request
    from ..registry.session import Session
    from ..sweeps.options import SweepOptions
    from ..sweeps.space import Assignment, Space
    from ..sweeps.values import Values

# So many plans are shown.
_EXAMPLES: Final = 3


def print_planned(
    space: Space, options: SweepOptions, request: Request, session: Session, on: str, jobs: int, *, json: bool
) -> None:
    """Print what a sweep would train, as tables or as JSON, without training it.

    Args:
        space: what varies
        options: the options of the sweep
        request: what all trials have in common
        session: the components to choose from
        on: the executor of the trials
        jobs: how many trials are executed at the same time
        json: whether it is printed for programs
    """
    examples = list(_examples(space, options, request, session))
    if json:
        print_json(
            options=_options(options, on, jobs, space),
            settings={setting.name: _for_programs(setting.values) for setting in space.settings},
            combinations=space.count,
            examples=[{"plan": plan.summary, "settings": _texts(assignment)} for assignment, plan in examples],
        )
        return
    print_table(
        ("option", "value"),
        [
            (name, "as many as there are" if value is None else to_text(value))
            for name, value in _options(options, on, jobs, space).items()
        ],
    )
    print_text()
    print_table(("setting", "values"), [(setting.name, str(setting.values)) for setting in space.settings])
    print_text()
    print_text(f"Combinations: {'uncountable' if space.count is None else f'{space.count:,}'}")
    if options.sampler == "tpe":
        print_text("The sampler learns from trials that have ended: these are examples.")
    for number, (assignment, plan) in enumerate(examples):
        print_text()
        print_text(f"Trial {number}: {plan.summary}")
        print_table(("setting", "value"), [*_texts(assignment).items()])


def _options(options: SweepOptions, on: str, jobs: int, space: Space) -> dict[str, Any]:
    """Return the options by name; `trials` is None for the whole grid."""
    (executor,) = parse(on)
    return {
        "trials": options.trials,
        "sampler": options.sampler,
        "pruner": options.pruner,
        "seed": options.seed,
        "objective": space.plan.metrics.best_by,
        "on": executor.name,
        **{f"on.{key}": value for key, value in executor.parameters.items()},
        "jobs": jobs,
    }


def _examples(
    space: Space, options: SweepOptions, request: Request, session: Session
) -> Iterator[tuple[Assignment, Plan]]:
    for number in range(_EXAMPLES):
        assignment = drawn(space, options.sampler, options.seed, number)
        if assignment is None:
            return
        yield assignment, plan_of(space, assignment, request, session)


def _for_programs(values: Values) -> Any:
    """Return choices as a list of texts, and a range as an object with its ends."""
    return [to_text(value) for value in values.values] if isinstance(values, Choices) else asdict(values)


def _texts(assignment: Assignment) -> dict[str, str]:
    return {name: to_text(value) for name, value in assignment.items()}
