"""Make the plan of a trial from the request of its sweep and the values of the settings that vary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import RequestError
from ..planning.request import Request
from ..registry.parameters import Value, to_text
from .paths import KindPath, Path, SectionPath


def request_of(request: Request, choices: Mapping[str, Value], overrides: Iterable[str]) -> Request:
    """Return the request of one trial: chosen compositions by the option of their kind, and texts as of `--set`."""
    compositions = {**request.compositions, **{option: str(choice) for option, choice in choices.items()}}
    return replace(request, compositions=compositions, overrides=[*request.overrides, *overrides])


def override(path: str, value: Value) -> str:
    """Return the text of `--set` for a value."""
    return f"{path}={to_text(value)}"


def refuse_fixed(paths: Iterable[Path], request: Request) -> None:
    """Raise RequestError for a setting that the request sets and that varies."""
    fixed = {text.partition("=")[0].strip(): f"--set {text}" for text in request.overrides}
    for section, values in request.sections.items():
        fixed |= {f"{section}.{key}": f"--{key.replace('_', '-')}" for key in values}
    fixed |= {option: f"--{option}" for option in request.compositions}
    for path in paths:
        if isinstance(path, KindPath | SectionPath) and str(path) in fixed:
            raise RequestError(
                f"{path} is set and varies.",
                where=f"{fixed[str(path)]}, --vary {path}",
                hint="Leave one of the two out.",
            )
