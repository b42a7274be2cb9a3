"""The hooks: places where every installed plugin is called, in the order of a run.

An observer is a module named in the entry-point group `marsseg.hooks`, with functions marked `hookimpl` that take
any of the arguments below by name. One that fails is named and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

import pluggy

from .errors import MarssegError, PluginError

if TYPE_CHECKING:
    import keras

    from .training.run import Run

GROUP: Final = "marsseg.hooks"

hookspec = pluggy.HookspecMarker("marsseg")
hookimpl = pluggy.HookimplMarker("marsseg")


class Hooks:
    """The specification: one method for each hook."""

    @hookspec
    def marsseg_network_built(self, run: Run) -> None:
        """The plan is resolved, the data read and parted, the network built; nothing is trained yet."""

    @hookspec
    def marsseg_callbacks(self, run: Run) -> list[keras.callbacks.Callback]:
        """Keras callbacks to train with."""
        return []

    @hookspec
    def marsseg_epoch_finished(self, run: Run, record: Mapping[str, float | None]) -> None:
        """An epoch is over and scored; `record` is its line of the history."""

    @hookspec
    def marsseg_run_finished(self, run: Run) -> None:
        """The run ended, finished or interrupted (`run.metrics["status"]`); its folder is whole."""


class HookCaller:
    """Calls every plugin's implementation of a hook, each on its own."""

    def __init__(self, manager: pluggy.PluginManager, warn: Callable[[str], None]) -> None:
        self._manager = manager
        self._warn = warn

    def __call__(self, name: str, **arguments: Any) -> list[Any]:
        """The results of all plugins, in pluggy's order; a plugin that raises is named and passed over.

        What marsseg raises itself, such as a full disk, ends the run.
        """
        results = []
        plugins = [implementation.plugin for implementation in getattr(self._manager.hook, name).get_hookimpls()]
        for plugin in reversed(plugins):
            only_this = self._manager.subset_hook_caller(name, [other for other in plugins if other is not plugin])
            try:
                results += only_this(**arguments)
            except MarssegError:
                raise
            except Exception as cause:
                self._warn(f"The observer {self._manager.get_name(plugin)} failed in {name}: {cause!r}")
        return results


def load_hooks(warn: Callable[[str], None], points: Iterable[EntryPoint] | None = None) -> HookCaller:
    """The observers of all installed distributions. One that cannot be loaded is named through `warn`."""
    manager = pluggy.PluginManager("marsseg")
    manager.add_hookspecs(Hooks)
    points = entry_points(group=GROUP) if points is None else points
    for point in sorted(points, key=lambda p: (p.dist.name if p.dist else "", p.name)):
        provider = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        try:
            _register(manager, point, f"{point.name} of {provider}")
        except PluginError as error:
            warn(str(error))
    return HookCaller(manager, warn)


def _register(manager: pluggy.PluginManager, point: EntryPoint, label: str) -> None:
    plugin = None
    try:
        plugin = point.load()
        manager.register(plugin, name=label)
        manager.check_pending()
    except KeyboardInterrupt:
        raise
    except BaseException as cause:
        if plugin is not None and manager.is_registered(plugin):
            manager.unregister(plugin)
        raise PluginError(
            f"The observer {label} cannot be loaded: {type(cause).__name__}: {cause}", where=point.value
        ) from cause
