"""`marsseg run --resume` and `--extend`: go on with a run or a series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import RequestError
from ..networks.processes import processes
from ..networks.startup import check_backend
from ..planning.fitting import check_has_method
from ..registry.session import Session
from .loading import load_keras
from .output import say
from .series import print_result as print_series, refuse_alone

if TYPE_CHECKING:
    from ..experiments.members import MemberWorkers
    from ..planning.plan import Plan
    from ..runs.run import Run


def resume_run(
    path: str,
    session: Session,
    data: str | None,
    unlabelled: str | None,
    workers: str | None,
    other_options: list[str],
    spread: MemberWorkers | None,
    context: typer.Context,
) -> Run | None:
    """Resume a run and return it; or go on with a series, print its scores, and return None.

    The runs of a series are executed by `spread`, or one after the other if it is None. Raises RequestError if other
    options than --data, --unlabelled and --workers were passed, or `spread` for a single run.
    """
    _refuse(
        other_options,
        f"--resume {path}",
        "--resume uses the plan of the run: {option} cannot be used with it.",
        "To train a finished run for more epochs, use --extend. To start a new run from the weights of this one, use "
        "--init.",
    )
    check_backend()
    from ..experiments.resumption import follow, is_series, plans_of_series, resume_series
    from ..figures.series_page import write_series_page
    from ..files.run_folder import RunFolder
    from ..hooks import announce
    from ..planning.request import Request
    from ..planning.resolver import resolve

    compositions = {} if data is None else {"data": data}
    training = {name: text for name, text in (("unlabelled", unlabelled), ("workers", workers)) if text is not None}
    moved = data is not None or unlabelled is not None
    if is_series(Path(path)):
        plans = plans_of_series(Path(path), session, data, training)
        plan = next(iter(plans.values()))
        _check_used(unlabelled, plan)
        load_keras()
        series = resume_series(Path(path), plans, moved=moved, workers=spread)
        print_series(series, plan.metrics, trust=bool(plan.plugins))
        return None
    refuse_alone(spread, context)
    folder = RunFolder.open(path)
    if not moved:
        folder.check_unfinished()
    plan = resolve(Request(path, compositions, {"training": training}), session)
    _check_used(unlabelled, plan)
    from ..training.distribution import check_devices, join_processes

    check_devices(plan)
    hooks = announce(plan)
    join_processes()
    load_keras()
    from ..training.loop import resume

    run = resume(folder, plan, moved=moved, hooks=hooks)
    if processes().leads and (its := follow(folder.path)) is not None:
        write_series_page(its, plan.metrics)
    return run


def extend_run(
    path: str,
    session: Session,
    epochs: str | None,
    data: str | None,
    unlabelled: str | None,
    out: Path | None,
    other_options: list[str],
) -> Run:
    """Train a finished run for more epochs in a new run folder, and return the new run.

    Raises RequestError without --epochs, or if other options than --epochs, --data, --unlabelled and --out were passed.
    """
    where = f"--extend {path}"
    _refuse(other_options, where, "--extend uses the plan of the run: {option} cannot be used with it.", None)
    if epochs is None:
        raise RequestError("The new number of epochs is missing.", where=where, hint="Add --epochs N, the new total.")
    from ..files.atomic import refuse_existing
    from ..files.run_folder import RunFolder
    from ..hooks import announce
    from ..planning.request import Request
    from ..planning.resolver import resolve
    from ..runs.extensible import check_extensible

    check_backend()
    folder = RunFolder.open(path)
    compositions = {} if data is None else {"data": data}
    training = {"epochs": epochs} | ({} if unlabelled is None else {"unlabelled": unlabelled})
    plan = resolve(Request(path, compositions, {"training": training}), session)
    _check_used(unlabelled, plan)
    if out is not None:
        refuse_existing(out)
    check_extensible(folder, plan.training.epochs)
    hooks = announce(plan)
    load_keras()
    from ..training.extension import extend

    say(f"{path} stays as it is; the training continues in a new run folder.")
    return extend(folder, plan, out=out, moved=data is not None or unlabelled is not None, hooks=hooks)


def _check_used(unlabelled: str | None, plan: Plan) -> None:
    if unlabelled is not None:
        check_has_method(plan.resolved, f"--unlabelled {unlabelled}")


def _refuse(options: list[str], where: str, what: str, hint: str | None) -> None:
    if options:
        option = f"--{options[0].replace('_', '-')}"
        if option == "--plugin":
            hint = "The run stores a copy of its plugins, which --trust executes."
        raise RequestError(what.format(option=option), where=where, hint=hint)
