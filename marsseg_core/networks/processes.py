"""Read which processes train one network together, from three environment variables. This imports no backend."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ..errors import RequestError

COORDINATOR: Final = "MARSSEG_COORDINATOR"
"""Name the variable with the address of process 0, as host:port."""

PROCESSES: Final = "MARSSEG_PROCESSES"
"""Name the variable with the number of processes."""

PROCESS: Final = "MARSSEG_PROCESS"
"""Name the variable with the number of this process, counted from 0."""


@dataclass(frozen=True)
class Processes:
    """Describe the processes that train one network together.

    Attributes:
        count: how many there are
        index: the number of this one, counted from 0
        coordinator: the address of process 0, as host:port; "" for a single process
    """

    count: int = 1
    index: int = 0
    coordinator: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that describe them to this process."""
        return {COORDINATOR: self.coordinator, PROCESSES: str(self.count), PROCESS: str(self.index)}

    @property
    def leads(self) -> bool:
        """Return whether this process is the one that writes, scores and announces."""
        return self.index == 0


def processes() -> Processes:
    """Return the processes that the environment describes: this one alone where no variable is set.

    Raises RequestError where some variables are missing or have no meaning.
    """
    texts = {name: os.environ.get(name, "").strip() for name in (COORDINATOR, PROCESSES, PROCESS)}
    if not any(texts.values()):
        return Processes()
    if missing := [name for name, text in texts.items() if not text]:
        raise RequestError(
            f"{missing[0]} is not set, but {next(name for name, text in texts.items() if text)} is.",
            where=missing[0],
            hint=f"Several processes need all of {', '.join(texts)}; one process needs none of them.",
        )
    count, index = _number(PROCESSES, texts[PROCESSES], 1), _number(PROCESS, texts[PROCESS], 0)
    if index >= count:
        raise RequestError(
            f"There is no process {index} of {count}: the numbers are 0 to {count - 1}.", where=f"{PROCESS}={index}"
        )
    host, _, port = texts[COORDINATOR].rpartition(":")
    if not host or not port.isdecimal():
        raise RequestError(
            f"'{texts[COORDINATOR]}' is not an address.",
            where=COORDINATOR,
            hint="The form is host:port, the same in all processes: the host of process 0, and a free port there.",
        )
    return Processes() if count == 1 else Processes(count, index, texts[COORDINATOR])


def refuse_processes(what: str) -> None:
    """Raise RequestError if the environment describes several processes, which `what` cannot use."""
    if processes().count > 1:
        raise RequestError(
            f"Several processes train one run together: they cannot share {what}.",
            where=PROCESSES,
            hint=f"Start one process, without {COORDINATOR}, {PROCESSES} and {PROCESS}.",
        )


def joined() -> bool:
    """Return whether this process is joined with others now, so that its end waits for theirs."""
    with suppress(RequestError):  # then it never joined any
        return processes().count > 1 and "jax" in sys.modules and bool(sys.modules["jax"].distributed.is_initialized())
    return False


def _number(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise RequestError(f"'{text}' is not a whole number of at least {least}.", where=name)
    return int(text)
