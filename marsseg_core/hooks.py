"""The hooks: points of a run at which marsseg calls functions of all installed plugins.

An observer is a module with functions marked `hookimpl`. It is named in the entry-point group `marsseg.hooks`, or it is
a file passed by `--plugin`. Each function takes any of the arguments below, by name. If an observer fails, a warning
names it and the run goes on. Modules that add commands are named in another group, `marsseg.commands`. See
docs/hooks.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pluggy

from .errors import MarssegError, PluginError, nearest
from .failures import describe
from .messages import get_logger
from .networks.processes import processes
from .registry.catalog import installed
from .registry.entries import OK, Entry
from .registry.kinds import COMMAND, OBSERVER
from .registry.loading import failure_location, import_target, plugin_errors_named, plugin_stdout_to_stderr
from .registry.process_state import keep_process_state

if TYPE_CHECKING:
    import keras
    import typer

    from .planning.plan import Plan
    from .runs.run import Run

_logger = get_logger(__name__)


_PREFIX: Final = "marsseg_"
_FAILED: Final = "marsseg_run_failed"
_COMMANDS: Final = "marsseg_register_commands"

hookspec = pluggy.HookspecMarker("marsseg")
hookimpl = pluggy.HookimplMarker("marsseg")
"""Mark a function as a hook, as a decorator (pluggy's). The name and arguments must be those of a method of `Hooks`."""


class Hooks:
    """Specify the hooks, one method for each, in the order of a run."""

    @hookspec
    def marsseg_plan_resolved(self, plan: Plan) -> None:
        """Receive the plan before a run: nothing is read, built or written, and Keras may not be imported yet."""

    @hookspec
    def marsseg_network_built(self, run: Run) -> None:
        """Receive the run before training: data read and split, network built, run folder created."""

    @hookspec
    def marsseg_callbacks(self, run: Run) -> list[keras.callbacks.Callback]:
        """Return Keras callbacks to train with."""
        return []

    @hookspec
    def marsseg_epoch_finished(self, run: Run, record: Mapping[str, float | None]) -> None:
        """Receive an epoch that has been trained and scored; `record` is its line of the history."""

    @hookspec
    def marsseg_run_finished(self, run: Run) -> None:
        """Receive a run that finished or was interrupted (see `run.metrics["status"]`); its folder is complete."""

    @hookspec
    def marsseg_run_failed(self, run: Run, error: BaseException) -> None:
        """Receive a run that failed after its folder was created, and the `error`, before it is shown to the user.

        `run.history` has the finished epochs and `run.network` the weights after the last step. `run.metrics` and
        `run.scores` are empty if it was not scored yet. `marsseg_network_built` may not have been called. Ctrl-C is no
        failure.
        """

    @hookspec
    def marsseg_register_commands(self, app: typer.Typer) -> None:
        """Add commands to `app`, an empty Typer; they become commands of `marsseg` (group `marsseg.commands`)."""


_SPECIFIED: Final = {
    name: tuple(inspect.signature(function).parameters)[1:]
    for name, function in vars(Hooks).items()
    if name.startswith(_PREFIX)
}


class HookCaller:
    """Call the implementations of a hook, one plugin after the other."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self.warnings: list[str] = []

    def __call__(self, name: str, **arguments: Any) -> list[Any]:
        """Call a hook and return the results of all plugins, in pluggy's order.

        If a plugin raises, a warning names it and the others are still called. An error of marsseg itself
        (MarssegError, for example a full disk) is raised, unless the hook is `marsseg_run_failed`.
        """
        results = []
        plugins = [implementation.plugin for implementation in getattr(self._manager.hook, name).get_hookimpls()]
        for plugin in reversed(plugins):
            only_this = self._manager.subset_hook_caller(name, [other for other in plugins if other is not plugin])
            try:
                with keep_process_state():
                    results += only_this(**arguments)
            except KeyboardInterrupt:
                raise
            except BaseException as cause:
                if isinstance(cause, MarssegError) and name != _FAILED:
                    raise
                label = self._manager.get_name(plugin)
                self.warn(f"The observer {label} failed in {name}: {describe(cause)}{_failing_place(plugin, cause)}")
        return results

    def add(self, observer: Any, name: str) -> None:
        """Add an observer, which is called before the ones added earlier."""
        self._manager.register(observer, name=name)

    def warn(self, line: str) -> None:
        """Log a warning, and record it in `warnings` for the log of the run."""
        self.warnings.append(line)
        _logger.warning(line)


class CallbackObserver:
    """An observer that returns the Keras callbacks passed to `marsseg.run`."""

    def __init__(self, callbacks: list[keras.callbacks.Callback]) -> None:
        self._callbacks = callbacks

    def add_to(self, hooks: HookCaller) -> HookCaller:
        """Add this observer to `hooks` if there are any callbacks, and return `hooks`."""
        if self._callbacks:
            hooks.add(self, "callbacks")
        return hooks

    @hookimpl
    def marsseg_callbacks(self, run: Run) -> list[keras.callbacks.Callback]:
        """Return the callbacks, and log their names."""
        names = ", ".join(type(callback).__name__ for callback in self._callbacks)
        run.folder.log(f"callbacks passed in Python: {names}")
        return self._callbacks


def load_hooks(observers: Iterable[Entry] | None = None) -> HookCaller:
    """Load the observers of all installed distributions, or the observers passed.

    An observer that cannot be loaded is left out, with a warning. An observer that two entry points name is called only
    once, with a warning: a project that was renamed is often still installed under its old name.
    """
    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    hooks = HookCaller(manager)
    entries = installed().observers if observers is None else observers
    loaded: dict[Entry, Any] = {}
    for entry in sorted(entries, key=lambda entry: (entry.distribution, entry.name)):
        if entry.status != OK:
            continue
        try:
            observer = load_observer(entry)
        except PluginError as error:
            hooks.warn(str(error))
            continue
        if duplicates := [other for other, module in loaded.items() if module == observer]:
            hooks.warn(
                f"The {entry.label} is the same as the {duplicates[0].label}, so it is called only once "
                f"[{entry.target}]. Uninstall the distribution, or remove the entry point, that is no longer needed."
            )
            continue
        loaded[entry] = observer
    # pluggy calls the plugin that was registered last first.
    for entry, observer in reversed(loaded.items()):
        manager.register(observer, name=f"{entry.name} of {entry.provider}")
    return hooks


def announce(plan: Plan) -> HookCaller:
    """Load the observers, installed and in the plan's files, and call their hook `marsseg_plan_resolved`.

    Keras need not be loaded. Where several processes train together, only process 0 has observers. Raises PluginError
    for a file that cannot be used, because the user requested it.
    """
    if not processes().leads:
        return load_hooks([])
    from_files = [entry for plugin in plan.plugins for entry in plugin.entries if entry.kind == OBSERVER]
    hooks = load_hooks([entry for entry in plan.catalog.observers if entry not in from_files])
    for entry in reversed(from_files):
        hooks.add(load_observer(entry), f"{entry.name} of {entry.provider}")
    hooks("marsseg_plan_resolved", plan=plan)
    return hooks


def commands_of(entry: Entry) -> dict[str, Any]:
    """Return the Click commands that a plugin adds, by name; PluginError for any failure of the plugin."""
    import typer
    from typer.main import get_group

    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    manager.register(load_observer(entry))
    app = typer.Typer()
    with plugin_errors_named(entry, f"failed in {_COMMANDS}"), plugin_stdout_to_stderr():
        manager.hook.marsseg_register_commands(app=app)
    with plugin_errors_named(entry, "adds a command that cannot be used"):
        return dict(get_group(app).commands)


def load_observer(entry: Entry) -> Any:
    """Import an observer, or a module with commands.

    Raises PluginError if it cannot be imported, if one of its functions does not match the specification of a hook, or
    if a hook does not belong in the module's entry-point group.
    """
    observer = import_target(entry)
    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    hooks = 0
    for name in dir(observer):
        options = manager.parse_hookimpl_opts(observer, name)
        if options is None:
            if name.startswith(_PREFIX) and callable(getattr(observer, name)):
                hint = "Without the mark, the function is never called."
                raise _wrong(entry, observer, name, "is not marked with @hookimpl", hint)
            continue
        hooks += 1
        hook = options.get("specname") or name
        if hook not in _SPECIFIED:
            raise _wrong(entry, observer, name, "is not a hook", nearest(hook, _SPECIFIED, listing="The hooks"))
        if (hook == _COMMANDS) != (entry.kind == COMMAND):
            raise _wrong(entry, observer, name, *_MISPLACED[entry.kind])
        known = _SPECIFIED[hook]
        if unknown := [argument for argument in _arguments(getattr(observer, name)) if argument not in known]:
            hint = nearest(unknown[0], known, listing="The hook's arguments")
            raise _wrong(entry, observer, name, f"has an unknown argument '{unknown[0]}'", hint)
    if not hooks:
        allowed = [name for name in _SPECIFIED if (name == _COMMANDS) == (entry.kind == COMMAND)]
        raise PluginError(
            f"The {entry.label} has no hook.",
            where=entry.target,
            hint=f"Hooks are functions marked with @hookimpl: {', '.join(allowed)}.",
        )
    with plugin_errors_named(entry):  # pluggy checks the rest
        manager.register(observer)
    return observer


# `marsseg --help` imports the modules that add commands, but not the observers. So no module may be both.
_MISPLACED: Final = {
    OBSERVER: ("adds commands", f"Move it to another installed module, and name that in the group {COMMAND.group}."),
    COMMAND: ("observes runs", f"Move it to another module, and name that in the group {OBSERVER.group}."),
}


def _arguments(function: Any) -> list[str]:
    """Return the arguments that pluggy passes to a hook: those without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]


def _wrong(entry: Entry, observer: Any, name: str, problem: str, hint: str) -> PluginError:
    function = inspect.unwrap(getattr(observer, name))
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return PluginError(
        f"The {entry.label} cannot be used: {name} {problem}.", where=f"{entry.target}{place}", hint=hint
    )


def _failing_place(plugin: Any, cause: BaseException) -> str:
    file = getattr(plugin, "__file__", None) or getattr(inspect.getmodule(type(plugin)), "__file__", None)
    return f" [{failure_location(Path(file), cause) or file}]" if file else ""
