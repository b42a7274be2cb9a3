"""What `marsseg ablate --dry-run` prints: the options, the settings with their choices, and all plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry.parameters import to_text
from .output import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..sweeps.design import Design


def print_planned(design: Design, on: str, jobs: int, *, json: bool) -> None:
    """Print what an ablation would train, as tables or as JSON, without training it.

    Args:
        design: the combinations and seeds
        on: the executor of the runs
        jobs: how many runs are executed at the same time
        json: whether it is printed for programs
    """
    ablation = design.options.ablation
    assert ablation is not None
    options = {
        "design": "one at a time" if ablation.one_at_a_time else "full grid",
        "seeds": ", ".join(map(to_text, design.seeds)),
        "score": f"{ablation.subset} {ablation.by}",
        "on": on,
        "jobs": str(jobs),
    }
    plans = [{name: to_text(value) for name, value in each.items()} for each in design.combinations]
    runs = len(plans) * len(design.seeds)
    if json:
        print_json(
            options=options | {"seeds": list(design.seeds), "jobs": jobs},
            settings={each.name: list(each.choices) for each in design.factors},
            plans=plans,
            runs=runs,
            skipped=list(design.impossible),
        )
        return
    print_table(("option", "value"), [*options.items()])
    print_text()
    factors = [(each.name, each.baseline, " | ".join(each.choices[1:])) for each in design.factors]
    print_table(("setting", "baseline", "other choices"), factors)
    print_text()
    names = [*dict.fromkeys(name for plan in plans for name in plan)]
    rows = [(str(number), *(plan.get(name, "") for name in names)) for number, plan in enumerate(plans, start=1)]
    print_table(("plan", *names), rows)
    print_text()
    print_text(f"Runs: {len(plans)} plans × {len(design.seeds)} seeds = {runs:,}")
    for reason in design.impossible:
        print_text(f"Skipped: {reason}")
