"""Train the network of a run: the order of the callbacks, and what becomes of an error."""

from __future__ import annotations

from ..errors import TRACEBACK_HINT, MarssegError, PluginError, RunError
from ..failures import describe, memory_error, safe_repr
from ..files.run_folder import FINISHED, INTERRUPTED
from ..hooks import HookCaller
from ..networks.keras_backend.feeding import steady
from ..networks.keras_backend.functions import temporary_gradients
from ..networks.keras_backend.settings import fixed_settings
from ..planning.plan import Plan
from ..registry import kinds
from ..registry.distribution import DISTRIBUTION
from ..registry.loading import failure_location
from ..registry.process_state import keep_process_state
from ..registry.source_code import module_file, source_root
from ..runs.run import Run
from .averaging import UpdateAverage
from .callbacks import (
    EncoderEpochs,
    EpochClock,
    FiniteLoss,
    GuardedCallback,
    IdleLoss,
    Interruption,
    ProcessState,
    Scoring,
    WeightingUpdates,
)
from .checkpoint import RestoreStates, TrainingProgress
from .checkpointer import Checkpointer
from .distribution import Devices
from .leading import SharedLogs, led
from .recorder import RunRecorder
from .rounds import Rounds, number_of_rounds
from .semi import SemiRamp
from .setup import TrainingSetup


def fit(
    run: Run,
    setup: TrainingSetup,
    hooks: HookCaller,
    devices: Devices,
    checkpointer: Checkpointer,
    progress: TrainingProgress | None,
) -> str:
    """Train the network; return the status of the run, FINISHED or INTERRUPTED."""
    training, task = run.plan.training, setup.task
    recorder = RunRecorder(run, setup.stateful, hooks, checkpointer)
    if progress is not None:
        recorder.restore(progress)
        if progress.epoch >= training.epochs or progress.stopped:
            return FINISHED
    scored_training = run.split["train"] if training.score_training else None
    plugin_callbacks = [
        GuardedCallback(callback)
        for result in hooks("marsseg_callbacks", run=run)
        for callback in (result if isinstance(result, list | tuple) else [result])
    ]
    scoring = Scoring(
        run.data,
        run.split["validation"],
        training.batch,
        scored_training,
        setup.objective.targets,
        table=run.plan.metrics,
        watched={run.best_by, *setup.watched},
    )
    interruption = Interruption()
    callbacks = [
        interruption,
        *([Rounds(run, setup.batches, devices)] if number_of_rounds(run.plan) > 1 else []),
        EpochClock(setup.batches),
        *([EncoderEpochs()] if task.encoder is not None else []),
        FiniteLoss(training.precision),
        IdleLoss(),
        *([UpdateAverage(training.swa_start, training.epochs)] if training.averaging == "swa" else []),
        *led(devices, [scoring]),
        *([SharedLogs(devices)] if devices.processes.count > 1 else []),
        WeightingUpdates(training.epochs),
        *[SemiRamp(method.options) for method in run.plan.resolved[kinds.METHOD]],
        *setup.stateful,
        *([RestoreStates(setup.stateful, progress)] if progress is not None else []),
        ProcessState(),
        *led(devices, [recorder, *plugin_callbacks]),
    ]
    begin = progress.epoch if progress is not None else 0
    if task.encoder is not None:
        task.encoder.resume(begin)  # a round that begins with this epoch labels before the encoder is set for it
    try:
        # A component may have changed Keras' settings while it was built.
        with (
            interruption.listening(),
            fixed_settings(),
            keep_process_state(),
            temporary_gradients(),
            setup.batches.working(training.epochs - begin),
            devices.together(),
        ):
            task.fit(
                steady(setup.batches),
                epochs=training.epochs,
                initial_epoch=begin,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except BaseException as error:
        # `fit` does not end its callbacks when an exception stops it: a progress bar would keep the terminal.
        for callback in plugin_callbacks:
            callback.on_train_end()
        # Instead of an exception of a pipeline thread, the backend has raised another one.
        cause = error if isinstance(error, MarssegError) else setup.batches.failure or error
        if isinstance(error, KeyboardInterrupt) or isinstance(cause, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(cause, MarssegError):
            raise cause from cause.__cause__
        if named := memory_error(cause) or _plugin_error(run.plan, cause):
            raise named from cause
        if not isinstance(error, Exception):  # an application ends the training, by SystemExit for example
            raise
        what = describe(cause).partition("\n")[0]
        hint = TRACEBACK_HINT
        if devices.processes.count > 1:
            hint = f"Perhaps another process has ended: its messages say why. Then resume in all processes. {hint}"
        raise RunError(f"The training failed: {what}", hint=hint) from cause
    finally:
        if task.encoder is not None:
            task.encoder.end_epoch()  # an epoch may have been interrupted
    return FINISHED


def _plugin_error(plan: Plan, cause: BaseException) -> PluginError | None:
    """Return the error that names the component of a third party in whose code the exception was raised, or None."""
    foreign = [
        resolved
        for components in plan.resolved.values()
        for resolved in components
        if resolved.entry.distribution != DISTRIBUTION
    ]
    # First the module of each component, then the rest of its package: a package may have several components.
    for code_of in (module_file, source_root):
        for resolved in foreign:
            if place := failure_location(code_of(resolved.entry.module), cause):
                what = f"The {resolved.entry.label} failed: {describe(cause)}"
                return PluginError(what, where=f"{place}, {safe_repr(resolved.component)}")
    return None
