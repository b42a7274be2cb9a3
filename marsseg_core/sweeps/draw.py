"""Draw the trials of a grid or of random search: each depends on the seed and on its number alone.

So a sweep does not depend on the order in which its trials end, and its first trials are known before it begins.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Final

from ..errors import RequestError
from ..planning.plan import Plan
from ..planning.request import Request
from ..planning.resolver import resolve
from ..registry.session import Session
from .options import SweepOptions
from .paths import ComponentPath
from .plans import override, request_of
from .space import Assignment, Space

SAMPLERS: Final = ("grid", "random", "tpe")

# Up to so many combinations, random search draws none of them twice.
_MOST_SHUFFLED: Final = 1_000_000


def check_sampler(sampler: str, space: Space) -> None:
    """Raise RequestError for an unknown sampler, or for a grid over a range of numbers that are not whole."""
    if sampler not in SAMPLERS:
        raise RequestError(
            f"There is no sampler '{sampler}'.", where="--sampler", hint=f"One of {', '.join(SAMPLERS)}."
        )
    if sampler == "grid" and (names := space.continuous()):
        raise RequestError(
            f"A grid needs single values of {', '.join(names)}, not a range.",
            where="--sampler grid",
            hint=f"List them: --vary {names[0]}=A,B,C.",
        )


def warnings_of(options: SweepOptions, space: Space) -> list[str]:
    """Return what the user should know before the first trial of a sweep."""
    lines, trials, count = list(space.warnings), options.trials, space.count
    if options.sampler == "grid" and trials is not None and count is not None and trials < count:
        last = space.settings[-1].name
        lines.append(
            f"The grid has {count:,} combinations, and only the first {trials:,} are trained. {last} changes first, so "
            "other settings may keep their first values. The sampler 'random' picks among all combinations."
        )
    return lines


def drawn(space: Space, sampler: str, seed: int, number: int) -> Assignment | None:
    """Return the values of the trial with a number; None if all combinations were drawn before it.

    For a sampler that learns, the result is an example: its first trials are random, too.
    """
    count = space.count
    if count is not None and number >= count:
        return None
    if sampler == "grid":
        return space.grid(number)
    if count is not None and count <= _MOST_SHUFFLED:
        return space.grid(_shuffled(seed, count)[number])
    combination = random.Random(f"{seed}/{number}").choice(space.combinations)
    values = {
        setting.name: setting.values.draw(random.Random(f"{seed}/{number}/{setting.name}"))
        for setting in space.active(combination)
    }
    return {**combination.choices, **values}


@lru_cache(maxsize=1)
def _shuffled(seed: int, count: int) -> list[int]:
    """Return the numbers below `count` in an order that depends on the seed alone."""
    return random.Random(f"{seed}").sample(range(count), count)


def plan_of(space: Space, assignment: Assignment, request: Request, session: Session) -> Plan:
    """Return the plan of a trial. Raises RequestError for a combination that cannot be trained."""
    combination = space.combination_of(assignment)
    if combination is None:
        texts = ", ".join(f"{each.name}={assignment[each.name]}" for each in space.settings if each.name in assignment)
        raise RequestError(f"The components do not fit each other: {texts}.")
    overrides = []
    for setting in space.active(combination):
        value, path = assignment[setting.name], setting.path
        if isinstance(path, ComponentPath):
            positions = path.positions(combination.components[path.kind])
            if len(positions) > 1:
                raise RequestError(
                    f"'{path.name}' occurs {len(positions)} times in a plan.",
                    where=f"--vary {path}",
                    hint=f"Use its position, as in {path.kind.option}.{positions[-1]}.{path.key}=…",
                )
            overrides.append(override(f"{path.kind.option}.{positions[0]}.{path.key}", value))
        else:
            overrides.append(override(setting.name, value))
    return resolve(request_of(request, combination.choices, overrides), session)
