"""Add the options of commands that train: what their plans start from, and how they are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from ..registry.session import Session, open_session
from .common_options import (
    Base,
    Batch,
    BatchWorkers,
    Disable,
    Epochs,
    Init,
    LearningRate,
    Metrics,
    Monitor,
    Patience,
    Plugins,
    Precision,
    Set,
    SplitSource,
    Trust,
    Unlabelled,
)
from .configured import origins_of_plan
from .signatures import extended

if TYPE_CHECKING:
    from ..planning.request import Request

_PLAN: Final = {
    "plan": Base,
    "plugin": Plugins,
    "trust": Trust,
    "disable": Disable,
    "set": Set,
    "split": SplitSource,
}

# Each is a value of the section "training" of a plan.
_TRAINING: Final = {
    "epochs": Epochs,
    "batch": Batch,
    "learning_rate": LearningRate,
    "patience": Patience,
    "monitor": Monitor,
    "metrics": Metrics,
    "precision": Precision,
    "workers": BatchWorkers,
    "init": Init,
    "unlabelled": Unlabelled,
}


@dataclass(frozen=True)
class PlanOptions:
    """The values of the options.

    `training` has those that were used, by their names. `origins` are the files of those from configuration files.
    """

    plan: str | None
    plugin: list[Path] | None
    trust: bool
    disable: list[str] | None
    set: list[str] | None
    split: str | None
    training: Mapping[str, str]
    origins: Mapping[str, str]

    def with_training(self, **training: str | None) -> PlanOptions:
        """Return the options with further values of the training; None is one that was not used."""
        used = {name: value for name, value in training.items() if value is not None}
        return replace(self, training={**self.training, **used})

    def session(self) -> Session:
        """Open the session that --disable and --trust describe."""
        return open_session(disable=self.disable, trust=self.trust)

    def request(self, compositions: Mapping[str, str]) -> Request:
        """Return the request for a plan with these options and compositions."""
        from ..planning.request import Request

        sections = {"training": self.training, "split": {} if self.split is None else {"subsets": self.split}}
        return Request(self.plan, compositions, sections, self.set or [], self.plugin or [], self.origins)

    def described(self) -> dict[str, Any]:
        """Return the options that describe a plan, by their names; what was not used is None."""
        others = {"plan": self.plan, "set": self.set or None, "plugin": self.plugin or None, "split": self.split}
        return {**self.training, **others}


def takes_plan(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command with a `context`, before its own. It receives them in its argument `given`."""

    def call(context: typer.Context, **values: Any) -> None:
        training = {name: value for name in _TRAINING if (value := values.pop(name)) is not None}
        plan = {name: values.pop(name) for name in _PLAN}
        given = PlanOptions(**plan, training=training, origins=origins_of_plan(context))
        command(context=context, given=given, **values)

    return extended(command, call, before=_TRAINING | _PLAN, without=["given"])
