"""What a user asks for: components, values and overrides, before names and values are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..registry.kinds import METRIC
from ..registry.plugin_files import COMMAND_LINE
from .python_components import Given


@dataclass(frozen=True)
class Request:
    """A run as the user requests it, before names and values are checked.

    Attributes:
        base: a recipe, a plan file, a run folder or a pack; None for the recipe `default`
        compositions: for each kind's option ("arch", "loss", …) that was passed, its composition text, or the objects
            passed in Python
        sections: the values passed for the sections "training", "split" and "cleaning"
        overrides: the texts of `--set`
        plugins: Python files that define components and hooks
        origins: the files that values of the command line come from: by option, by "section.key", or by "set"
        metrics: the metrics passed in Python for `training.metrics`, if not all of them are texts
        caller: who requests it: "command line" or "Python"
    """

    base: str | None = None
    compositions: Mapping[str, Given] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    plugins: Sequence[str | Path] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Any, ...] = ()
    caller: str = COMMAND_LINE

    @property
    def passed(self) -> Mapping[str, Given]:
        """Return the components of each option, the metrics under the option of their kind."""
        return {**self.compositions, **({METRIC.option: self.metrics} if self.metrics else {})}
