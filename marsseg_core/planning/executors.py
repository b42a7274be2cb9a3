"""Find the executor that the user names."""

from __future__ import annotations

from typing import Any

from ..components.interfaces import Executor
from ..errors import RequestError
from ..registry.kinds import EXECUTOR
from ..registry.session import Session
from .grammar import components


def executor_of(given: Any, session: Session, where: str = "--on") -> Executor:
    """Return the executor of a text such as "local:threads=2"; an executor is returned as it is.

    Raises RequestError for anything else.
    """
    if isinstance(given, Executor):
        return given
    if not isinstance(given, str):
        raise RequestError(f"on must be a string or an executor, not {type(given).__name__}.", where=where)
    executors = components(EXECUTOR, given, session.catalog, where=f"{where} {given}")
    if len(executors) != 1:
        raise RequestError("Exactly one executor is needed.", where=f"{where} {given}")
    executor: Executor = executors[0]
    return executor
