"""Tell errors to callers in Python by the arguments of the function that they called, not by options of a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar

from ..errors import TRACEBACK_HINT, MarssegError

Function = TypeVar("Function", bound=Callable[..., Any])

# The arguments that are not called like the option.
_ARGUMENTS: Final = {"plan": "base", "plugin": "plugins", "set": "overrides"}

_WITH_VALUE: Final = re.compile(r"--([a-z][a-z-]*) ((?:(?! --).)+)", re.DOTALL)
_OPTION: Final = re.compile(r"(?<![\w-])--([a-z][a-z-]*) ?")


def told_in_python(**arguments: str) -> Callable[[Function], Function]:
    """Decorate a function whose errors name its arguments, such as `loss='tversky'` in place of `--loss tversky`.

    `arguments` are those that are not called like the option, by the option.
    """
    names = {**_ARGUMENTS, **arguments}

    def decorate(function: Function) -> Function:
        @wraps(function)
        def told(*positional: Any, **named: Any) -> Any:
            try:
                return function(*positional, **named)
            except MarssegError as error:
                error.where = error.where and _in_python(error.where, names)
                if error.hint and TRACEBACK_HINT in error.hint:
                    error.hint = error.hint.replace(TRACEBACK_HINT, "Its `__cause__` says where it failed.")
                raise

        return told  # type: ignore[return-value]

    return decorate


def _in_python(where: str, names: Mapping[str, str]) -> str:
    """Return a place in which an option of the command line is an argument: "loss='tversky'", "seeds=, folds="."""

    def argument(option: str) -> str:
        return f"{names.get(option, option.replace('-', '_'))}="

    if match := _WITH_VALUE.fullmatch(where):
        return f"{argument(match[1])}{match[2]!r}"
    return _OPTION.sub(lambda match: argument(match[1]), where)
