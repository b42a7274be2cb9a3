"""Draw the trials of a sweep, let an executor's workers do them, and record what becomes of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

from ..components.interfaces import Executor
from ..components.tasks import ExecutorSpec, Task, TaskResult, Workers
from ..errors import MarssegError
from ..messages import get_logger
from ..planning.tasks import MOST_TRIES, PULSE, run_tasks
from .optional import import_optuna
from .study import make_sampler, suggest, texts_of
from .summary import Summary
from .sweep import Sweep, test_attribute
from .trial import execute_trial, score_trial

_logger = get_logger(__name__)

# After so many draws without a trial that can be executed, the space counts as searched.
_MOST_SKIPPED: Final = 200

Listener = Callable[[Summary], None]


@dataclass
class _Running:
    """A trial that a worker executes, or that waits for one."""

    number: int
    trial: Any
    tries: int = 0


class Coordinator:
    """Execute the trials of a sweep until their number, the space or a budget is exhausted.

    Several coordinators may work on one sweep, in different processes or on different machines: each draws its trials
    while the sweep's folder is locked, and takes over the trials of those that were killed.

    Args:
        sweep: the sweep
        executor: where the trials are executed
        jobs: the number of trials at the same time
        listener: receives a summary when something may have changed
        trust: whether workers may execute the plugin files of the sweep
    """

    def __init__(self, sweep: Sweep, executor: Executor, jobs: int, listener: Listener, *, trust: bool) -> None:
        self._sweep = sweep
        self._options = sweep.request.options
        self._executor = executor
        self._jobs = jobs
        self._listener = listener
        self._trust = trust
        self._name = ""
        self._running: dict[str, _Running] = {}
        self._waiting: list[_Running] = []
        self._exhausted = False
        self._deadline = None if self._options.wall is None else time.monotonic() + self._options.wall

    def run(self, *, alone: bool) -> Summary:
        """Execute trials, score those that are reported, and return the summary.

        Of several coordinators, the last one scores. If it wants to be `alone`, RequestError is raised where another
        process works on the sweep. Ctrl-C stops the workers, writes the summary, and is raised again.
        """
        folder = self._sweep.folder
        with folder.coordinated(alone=alone, command=self._options.command) as self._name:
            try:
                with self._executor.start(ExecutorSpec(folder.workers, self._jobs)) as workers:
                    self._execute(workers)
                    last = folder.is_last(self._name)
                    if last:
                        self._score(workers)
            except BaseException:
                self._write("interrupted")
                raise
            return self._write("finished" if last else "running")

    def _execute(self, workers: Workers) -> None:
        while True:
            while len(self._running) < workers.places and (running := self._next()):
                self._submit(running, workers)
            if not self._running:
                return
            results = workers.wait(PULSE)
            for result in results:
                self._record(self._running.pop(result.task.name), result)
            if results:
                self._write("running")
            self._listener(self._sweep.summary("running"))

    def _next(self) -> _Running | None:
        """Return the next trial to execute: one that lost its worker, or a new one; None if there is none."""
        with self._sweep.folder.locked():
            if not self._waiting:
                self._adopt()
            if self._waiting:
                return self._waiting.pop(0)
            return self._draw()

    def _adopt(self) -> None:
        """Take over the running trials of coordinators that were killed or interrupted."""
        for frozen in self._trials():
            owner = frozen.user_attrs.get("coordinator", "")
            if frozen.state.name != "RUNNING" or owner == self._name or self._sweep.folder.alive(owner):
                continue
            study = self._sweep.study
            study.sampler = make_sampler(self._options, self._sweep.space, frozen.number)
            trial = import_optuna().trial.Trial(study, frozen._trial_id)
            trial.set_user_attr("coordinator", self._name)
            # Without settings, its coordinator was killed while it drew it: it is drawn again, with the same values.
            if "settings" in frozen.user_attrs or self._prepare(trial):
                self._waiting.append(_Running(frozen.number, trial))

    def _draw(self) -> _Running | None:
        """Draw the next trial that can be executed; None if the sweep has enough of them."""
        study = self._sweep.study
        # A grid ends by itself.
        for _ in count() if self._options.sampler == "grid" else range(_MOST_SKIPPED):
            if self._exhausted or self._spent():
                return None
            number = len(self._trials())
            sampler = make_sampler(self._options, self._sweep.space, number)
            if sampler is None:
                break
            study.sampler = sampler
            trial = study.ask()
            trial.set_user_attr("coordinator", self._name)
            if self._prepare(trial):
                return _Running(trial.number, trial)
        self._exhausted = True
        return None

    def _prepare(self, trial: Any) -> bool:
        """Give a trial its values and its plan; return False if it is skipped."""
        earlier = {
            each.number: each.user_attrs.get("settings")
            for each in self._trials()
            if each.number < trial.number and "skipped" not in each.user_attrs
        }
        assignment = suggest(trial, self._sweep.space)
        settings = texts_of(trial.params)
        if assignment is None:
            self._skip(trial, "its components do not fit each other", settings)
            return False
        if (same := next((number for number, other in earlier.items() if other == settings), None)) is not None:
            self._skip(trial, f"it equals trial {same}", settings)
            return False
        try:
            plan = self._sweep.plan(assignment)
        except MarssegError as error:
            self._skip(trial, error.what, settings)
            return False
        self._sweep.folder.write_text(self._sweep.folder.plan(trial.number), plan.to_toml())
        trial.set_user_attr("epochs_planned", plan.training.epochs)
        trial.set_user_attr("settings", settings)  # last: with them, the trial can be executed
        return True

    def _skip(self, trial: Any, reason: str, settings: dict[str, str] | None = None) -> None:
        trial.set_user_attr("skipped", reason)
        trial.set_user_attr("settings", settings or {})
        self._sweep.study.tell(trial, state=import_optuna().trial.TrialState.FAIL)

    def _spent(self) -> bool:
        """Return whether the number of trials or a budget is used up."""
        trials = [each for each in self._trials() if "skipped" not in each.user_attrs]
        options, used = self._options, sum(each.user_attrs.get("processor_seconds", 0.0) for each in trials)
        return (
            (options.trials is not None and len(trials) >= options.trials)
            or (self._deadline is not None and time.monotonic() >= self._deadline)
            or (options.cpu is not None and used >= options.cpu)
        )

    def _submit(self, running: _Running, workers: Workers) -> None:
        running.tries += 1
        trial, folder, pruner = running.trial, self._sweep.folder, self._options.pruner
        tries = trial.user_attrs.get("tries", 0) + 1
        trial.set_user_attr("tries", tries)
        pruning = None
        if pruner != "none":
            epochs = trial.user_attrs["epochs_planned"]
            pruning = {"journal": str(folder.journal), "trial_id": trial._trial_id, "pruner": pruner, "epochs": epochs}
        run = folder.trial(running.number)
        plan = str(folder.plan(running.number))
        name = f"{run.path.name}, try {tries}"
        self._running[name] = running
        arguments = {"plan": plan, "pruning": pruning, "scores_test": self._options.scores_test}
        workers.submit(replace(self._task(name, execute_trial, run.path, **arguments), together=True))

    def _task(self, name: str, function: Callable[..., Any], folder: Path, **arguments: Any) -> Task:
        arguments |= {"disabled": list(self._sweep.request.disabled), "trust": self._trust, "folder": str(folder)}
        return Task(name, f"{function.__module__}:{function.__name__}", arguments)

    def _record(self, running: _Running, result: TaskResult) -> None:
        """Record how a trial has ended; let it wait again if its worker was killed."""
        states, trial, study = import_optuna().trial.TrialState, running.trial, self._sweep.study
        name = self._sweep.folder.trial(running.number).path.name
        if result.lost and running.tries < MOST_TRIES:
            _logger.warning(f"{name} lost its worker, and is resumed. {result.error}")
            self._waiting.append(running)
            return
        if result.lost or result.error:
            reason = f"{result.error} It was started {running.tries} times." if result.lost else result.error
            _logger.warning(f"{name} failed: {reason}")
            trial.set_user_attr("error", reason)
            study.tell(trial, state=states.FAIL)
            return
        outcome = result.value
        trial.set_user_attr("epochs", outcome["epochs"])
        trial.set_user_attr("processor_seconds", outcome["processor_seconds"])
        if outcome.get("transductive"):
            trial.set_user_attr("transductive", True)
        if outcome["test"]:
            study.set_user_attr(test_attribute(running.number), outcome["test"])
        if outcome["state"] == "pruned":
            study.tell(trial, state=states.PRUNED)
        else:
            study.tell(trial, outcome["value"])

    def _score(self, workers: Workers) -> None:
        """Score the test subset of the best trials."""
        ranked = self._sweep.summary("").ranked[: self._options.report]
        trials = {f"{trial.name}, test": trial for trial in ranked if not trial.test}
        tasks = (
            self._task(name, score_trial, self._sweep.folder.trial(trial.number).path) for name, trial in trials.items()
        )
        for result in run_tasks(workers, tasks):
            trial = trials[result.task.name]
            if result.error:
                _logger.warning(f"The test subset of {trial.name} was not scored: {result.error}")
            else:
                self._sweep.study.set_user_attr(test_attribute(trial.number), result.value)

    def _trials(self) -> list[Any]:
        trials: list[Any] = self._sweep.study.get_trials(deepcopy=False)
        return trials

    def _write(self, status: str) -> Summary:
        """Write the summary, the table and the plan of the best trial."""
        folder, summary = self._sweep.folder, self._sweep.summary(status)
        folder.write_json(folder.summary, summary.to_json())
        folder.write_text(folder.table, summary.to_csv())
        if summary.ranked:
            plan = folder.trial(summary.ranked[0].number).plan
            folder.write_text(folder.best, plan.read_text(encoding="utf-8"))
        return summary
