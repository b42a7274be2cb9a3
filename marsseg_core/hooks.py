"""The hooks: places where every installed plugin is called, in the order of a run.

An observer is a module named in the entry-point group `marsseg.hooks`, or a file given by `--plugin`, with functions
marked `hookimpl` that take any of the arguments below by name. One that fails is named and the run goes on. A module
that adds commands is named in a group of its own, `marsseg.commands`. docs/hooks.md has it all.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pluggy

from .errors import MarssegError, PluginError, nearest
from .messages import get_logger
from .registry.catalog import installed
from .registry.entries import OK, Entry
from .registry.kinds import COMMAND, OBSERVER
from .registry.loading import failing_place, import_target, plugin_errors_named, plugin_stdout_to_stderr

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
"""Mark a function as a hook: a decorator, of pluggy. Its name and arguments are those of one of the hooks."""


class Hooks:
    """Specify the hooks: one method for each."""

    @hookspec
    def marsseg_plan_resolved(self, plan: Plan) -> None:
        """Take note of what is to run: nothing is read, built or written yet, and Keras need not be loaded."""

    @hookspec
    def marsseg_network_built(self, run: Run) -> None:
        """Take note of a run: data read and split, network built, folder begun; nothing is trained yet."""

    @hookspec
    def marsseg_callbacks(self, run: Run) -> list[keras.callbacks.Callback]:
        """Give Keras callbacks to train with."""
        return []

    @hookspec
    def marsseg_epoch_finished(self, run: Run, record: Mapping[str, float | None]) -> None:
        """Take note of an epoch that is over and scored; `record` is its line of the history."""

    @hookspec
    def marsseg_run_finished(self, run: Run) -> None:
        """Take note of a run's end, finished or interrupted (`run.metrics["status"]`); its folder is whole."""

    @hookspec
    def marsseg_run_failed(self, run: Run, error: BaseException) -> None:
        """Take note of the `error` that ends a run, and that the user is shown next; its folder was begun.

        `run` is as far as it came: `history` has the epochs that ended, `network` is as the training left it, and
        `metrics` and `scores` are empty where it was not scored yet. It may not have come to `marsseg_network_built`.
        Ctrl-C is no failure.
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
    """Calls every plugin's implementation of a hook, each on its own."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self.warnings: list[str] = []

    def __call__(self, name: str, **arguments: Any) -> list[Any]:
        """The results of all plugins, in pluggy's order; a plugin that raises is named and passed over.

        What marsseg raises itself, such as a full disk, ends the run, unless it has failed already.
        """
        results = []
        plugins = [implementation.plugin for implementation in getattr(self._manager.hook, name).get_hookimpls()]
        for plugin in reversed(plugins):
            only_this = self._manager.subset_hook_caller(name, [other for other in plugins if other is not plugin])
            try:
                results += only_this(**arguments)
            except (Exception, SystemExit) as cause:
                if isinstance(cause, MarssegError) and name != _FAILED:
                    raise
                label = self._manager.get_name(plugin)
                self.complain(f"The observer {label} failed in {name}: {cause!r}{_failing_place(plugin, cause)}")
        return results

    def add(self, observer: Any, name: str) -> None:
        """Call an observer besides the installed ones, before them."""
        self._manager.register(observer, name=name)

    def complain(self, line: str) -> None:
        self.warnings.append(line)
        _logger.warning(line)


class GivenCallbacks:
    """Keras callbacks that were given in Python, as an observer."""

    def __init__(self, callbacks: list[keras.callbacks.Callback]) -> None:
        self._callbacks = callbacks

    def joined_to(self, hooks: HookCaller) -> HookCaller:
        """The hooks, with these callbacks if there are any."""
        if self._callbacks:
            hooks.add(self, "callbacks")
        return hooks

    @hookimpl
    def marsseg_callbacks(self, run: Run) -> list[keras.callbacks.Callback]:
        names = ", ".join(type(callback).__name__ for callback in self._callbacks)
        run.folder.log(f"callbacks given in Python: {names}")
        return self._callbacks


def load_hooks(observers: Iterable[Entry] | None = None) -> HookCaller:
    """The observers of all installed distributions.

    One that cannot be loaded is named, and left out. So is one that two entry points name, and is called once: a
    project that was renamed is often still installed under its old name.
    """
    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    hooks = HookCaller(manager)
    found = installed().observers if observers is None else observers
    loaded: dict[Entry, Any] = {}
    for entry in sorted(found, key=lambda entry: (entry.distribution, entry.name)):
        if entry.status != OK:
            continue
        try:
            observer = load_observer(entry)
        except PluginError as error:
            hooks.complain(str(error))
            continue
        if twins := [other for other, known in loaded.items() if known == observer]:
            hooks.complain(
                f"The {entry.label} is the {twins[0].label} again, and is called once [{entry.target}]. "
                "Uninstall the distribution, or remove the entry point, that is left over."
            )
            continue
        loaded[entry] = observer
    # pluggy calls the last that was registered first.
    for entry, observer in reversed(loaded.items()):
        manager.register(observer, name=f"{entry.name} of {entry.provider}")
    return hooks


def announce(plan: Plan) -> HookCaller:
    """The observers, once they know of a plan that is going to run: those installed and those of its files.

    Keras need not be loaded. PluginError for a file, which is asked for, that cannot be used.
    """
    given = [entry for plugin in plan.plugins for entry in plugin.entries if entry.kind == OBSERVER]
    hooks = load_hooks([entry for entry in plan.catalog.observers if entry not in given])
    for entry in reversed(given):
        hooks.add(load_observer(entry), f"{entry.name} of {entry.provider}")
    hooks("marsseg_plan_resolved", plan=plan)
    return hooks


def commands_of(entry: Entry) -> dict[str, Any]:
    """Click's commands that a plugin adds, by name. PluginError where it cannot add them, whatever it does."""
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

    PluginError where it cannot be, or where a function of it is no hook as specified, or one that its group has not.
    """
    observer = import_target(entry)
    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    hooks = 0
    for name in dir(observer):
        options = manager.parse_hookimpl_opts(observer, name)
        if options is None:
            if name.startswith(_PREFIX) and callable(getattr(observer, name)):
                raise _wrong(entry, observer, name, "is not marked with @hookimpl", "Without it, it is never called.")
            continue
        hooks += 1
        hook = options.get("specname") or name
        if hook not in _SPECIFIED:
            raise _wrong(entry, observer, name, "is no hook", nearest(hook, _SPECIFIED, listing="The hooks"))
        if (hook == _COMMANDS) != (entry.kind == COMMAND):
            raise _wrong(entry, observer, name, *_MISPLACED[entry.kind])
        known = _SPECIFIED[hook]
        if unknown := [argument for argument in _arguments(getattr(observer, name)) if argument not in known]:
            hint = nearest(unknown[0], known, listing="Its arguments")
            raise _wrong(entry, observer, name, f"takes no argument '{unknown[0]}'", hint)
    if not hooks:
        wanted = [name for name in _SPECIFIED if (name == _COMMANDS) == (entry.kind == COMMAND)]
        raise PluginError(
            f"The {entry.label} has no hook.",
            where=entry.target,
            hint=f"Hooks are functions marked with @hookimpl: {', '.join(wanted)}.",
        )
    with plugin_errors_named(entry):  # what is left for pluggy to find
        manager.register(observer)
    return observer


# What adds commands is imported for `marsseg --help`, what watches runs is not: a module does one or the other.
_MISPLACED: Final = {
    OBSERVER: ("adds commands", f"It goes into an installed module of its own, named in the group {COMMAND.group}."),
    COMMAND: ("watches runs", f"It goes into a module of its own, named in the group {OBSERVER.group}."),
}


def _arguments(function: Any) -> list[str]:
    """What a hook must be given: pluggy leaves alone what has a default."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]


def _wrong(entry: Entry, observer: Any, name: str, what: str, hint: str) -> PluginError:
    function = inspect.unwrap(getattr(observer, name))
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return PluginError(f"The {entry.label} cannot be used: {name} {what}.", where=f"{entry.target}{place}", hint=hint)


def _failing_place(plugin: Any, cause: BaseException) -> str:
    file = getattr(plugin, "__file__", None) or getattr(inspect.getmodule(type(plugin)), "__file__", None)
    return f" [{failing_place(Path(file), cause) or file}]" if file else ""
