"""Component parameters: declare them, check them, and convert them to and from text and TOML.

The parameters of a component are the fields of its dataclass:

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Blur:
...     sigma: float = param(1.0, help="standard deviation in pixels", above=0)
>>> configure(Blur, {"sigma": "2.5"})
Blur(sigma=2.5)
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Container, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import PluginError, RequestError, nearest

T = TypeVar("T")

# The possible values of a parameter after conversion: what TOML can write, and None (written as "none").
Value = bool | int | float | str | tuple[Any, ...] | None

# The largest number of items of a list: classes, layers and branches are never as many.
MOST_ITEMS = 1_000

NONE_WORD = "none"
TRUE_WORDS = ("true", "yes", "on", "1")
FALSE_WORDS = ("false", "no", "off", "0")


def param(
    default: Any = MISSING,
    *,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    min_length: int | None = None,
    absent: Any = MISSING,
) -> Any:
    """Declare a parameter of a component: a dataclass field with a help text and bounds.

    In a list, the bounds apply to each number. A value out of bounds is an error when the plan is made, before
    anything is built.

    Args:
        default: The default value. Without it, the user must set the parameter.
        help: What the parameter means, in a few words. `marsseg show` prints it.
        minimum: The smallest allowed value.
        maximum: The largest allowed value.
        above: A bound that every value must be greater than.
        below: A bound that every value must be less than.
        min_length: The smallest allowed number of items of a list; None also allows an empty list.
        absent: The value for plan files that a run wrote before this parameter existed. Only needed if the component
            behaved differently then than with the default.

    Returns:
        The dataclass field.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Blur:
        ...     sigma: float = param(1.0, help="standard deviation in pixels", above=0)
    """
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below, "min_length": min_length}
    return dataclasses.field(default=default, metadata={"help": help, "bounds": bounds, "absent": absent})


@dataclass(frozen=True)
class Parameter:
    """One parameter of a component: its name, type, default, help text and bounds."""

    name: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    min_length: int | None = None
    absent: Any = dataclasses.field(default_factory=lambda: MISSING)  # "= MISSING" would declare a required field

    @property
    def required(self) -> bool:
        """Return whether the parameter has no default."""
        return self.default is MISSING

    @property
    def type_text(self) -> str:
        """Return the type in words, as in 'whole number'."""
        return describe(self.type, self.min_length)

    def convert(self, raw: Any) -> Value:
        """Convert a text or a TOML value to the parameter's type; ValueError says what was expected."""
        value = _convert(self.type, raw)
        if isinstance(value, tuple) and len(value) < (self.min_length or 0):
            raise ValueError(self.type_text)
        if isinstance(value, tuple) and len(value) > MOST_ITEMS:
            raise ValueError(f"a list of at most {MOST_ITEMS:,}, not {len(value):,}")
        for number in value if isinstance(value, tuple) else (value,):
            self._check_bounds(number)
        return value

    def _check_bounds(self, number: Any) -> None:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return
        if self.minimum is not None and number < self.minimum:
            raise ValueError(f"at least {_shown(self.minimum)}")
        if self.maximum is not None and number > self.maximum:
            raise ValueError(f"at most {_shown(self.maximum)}")
        if self.above is not None and number <= self.above:
            raise ValueError(f"above {_shown(self.above)}")
        if self.below is not None and number >= self.below:
            raise ValueError(f"below {_shown(self.below)}")


def parameters_of(cls: type) -> Mapping[str, Parameter]:
    """Return the parameters of a dataclass by name, in the order of its fields.

    Raises PluginError if an annotation cannot be evaluated, or is of a type that cannot be written as text.
    """
    try:
        hints = get_type_hints(cls)
    except Exception as cause:
        raise PluginError(
            f"The annotations of {cls.__qualname__} cannot be evaluated: {cause}",
            where=cls.__module__,
            hint="Use types that exist when the module is imported: bool, int, float, str, Literal, tuple.",
        ) from cause
    parameters = {}
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        parameter = Parameter(
            name=field.name,
            type=hints[field.name],
            default=field.default if field.default_factory is MISSING else field.default_factory(),
            help=field.metadata.get("help", ""),
            absent=field.metadata.get("absent", MISSING),
            **field.metadata.get("bounds", {}),
        )
        describe(parameter.type, where=f"{cls.__module__}.{cls.__qualname__}.{field.name}")
        parameters[field.name] = parameter
    return types.MappingProxyType(parameters)


def check_defaults(parameters: Mapping[str, Parameter]) -> None:
    """Raise PluginError if a default is not a valid value of its parameter.

    A plan file with such a value could not be read again.
    """
    for parameter in parameters.values():
        for what, value in (("default", parameter.default), ("value for older plans", parameter.absent)):
            if value is MISSING:
                continue
            try:
                parameter.convert(to_toml(value))
            except ValueError as expected:
                raise PluginError(
                    f"The {what} of its parameter '{parameter.name}', {to_text(value)}, is not valid: "
                    f"expected {expected}."
                ) from expected


def configure(cls: type[T], raw: Mapping[str, Any], *, where: str = "", path: str = "KIND.NAME") -> T:
    """Create an instance of the dataclass `cls` with the values of `raw` (texts or TOML values) and its defaults.

    Raises RequestError that names the parameter, the wrong value, and what it must be; for a missing one, how to set it
    in the component at `path`.
    """
    where = where or cls.__name__
    values = convert_values(cls, raw, where=where)
    missing = required_parameters(cls, values)
    if missing:
        first, setting = parameters_of(cls)[missing[0]], f"--set {path}.{missing[0]}=…"
        raise RequestError(
            f"{', '.join(missing)} must be given.",
            where=where,
            hint=f"{missing[0]}: {first.help}.\nAdd it to the name, as in {path.rpartition('.')[2]}:{missing[0]}=…"
            + (f"; set a list with {setting}" if _takes_list(first.type) else f", or set it with {setting}"),
        )
    try:
        return cls(**values)
    except (ValueError, TypeError) as cause:
        raise RequestError(f"These parameters do not fit together: {cause}", where=where) from cause


def convert_values(cls: type, raw: Mapping[str, Any], *, where: str) -> dict[str, Value]:
    """Convert values (texts or TOML values) of some parameters of a dataclass, as `configure` does.

    Raises RequestError that names the parameter, the wrong value, and what it must be.
    """
    parameters = parameters_of(cls)
    values = {}
    for name, raw_value in raw.items():
        if name not in parameters:
            hint = nearest(name, parameters, listing="Its parameters")
            raise RequestError(f"There is no parameter '{name}'.", where=where, hint=hint)
        try:
            values[name] = parameters[name].convert(raw_value)
        except ValueError as expected:
            hints = [f"{name}: {parameters[name].help}."] if parameters[name].help else []
            if isinstance(raw_value, str) and "+" in raw_value and _takes_list(parameters[name].type):
                items = raw_value.replace("+", ",")
                hints.append(f"A comma separates its items: --set KIND.NAME.{name}={items}")
            raise RequestError(
                f"{name}={to_text(raw_value)} is not valid: expected {expected}.",
                where=where,
                hint=" ".join(hints) or None,
            ) from expected
    return values


def required_parameters(cls: type, given: Container[str] = ()) -> list[str]:
    """Return the names of the parameters without a default that are not among the `given` names."""
    return [each.name for each in parameters_of(cls).values() if each.required and each.name not in given]


def settings(component: Any) -> dict[str, Value]:
    """Return the values of a component's parameters, by name.

    Args:
        component: An instance of a dataclass whose fields are parameters.

    Returns:
        The values by name, in the order of the fields.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Blur:
        ...     sigma: float = param(1.0, help="standard deviation in pixels", above=0)
        >>> settings(Blur())
        {'sigma': 1.0}
    """
    return {name: getattr(component, name) for name in parameters_of(type(component))}


def to_text(value: Any) -> str:
    """Return a value as text, as on the command line. `Parameter.convert` reads it back."""
    if value is None:
        return NONE_WORD
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(to_text(item) for item in value)
    return repr(value) if isinstance(value, float) else str(value)


def to_toml(value: Value) -> Any:
    """Return a value as TOML stores it: None as "none", a tuple as a list."""
    if value is None:
        return NONE_WORD
    return [to_toml(item) for item in value] if isinstance(value, tuple) else value


def describe(annotation: Any, min_length: int | None = None, *, where: str = "") -> str:
    """Return a type in words: 'whole number', 'one of pre, post', 'list of 2 or more numbers or auto'."""
    names = {bool: "true or false", int: "whole number", float: "number", str: "text", type(None): NONE_WORD}
    if annotation in names:
        return names[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        words = [to_text(choice) for choice in arguments]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    if origin in (Union, types.UnionType):
        return " or ".join(describe(member, min_length, where=where) for member in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        count = f"of {min_length} or more" if min_length else ""
        if get_origin(arguments[0]) is Literal:
            items = f"out of {', '.join(to_text(choice) for choice in get_args(arguments[0]))}"
        else:
            items = f"{describe(arguments[0], where=where)}s"
            count = count or "of"
        return " ".join(filter(None, ("list", count, items)))
    raise PluginError(
        f"A parameter cannot be of type {annotation}.",
        where=where,
        hint="Use bool, int, float, str, Literal, tuple[…, ...] or a union of these.",
    )


def _convert(annotation: Any, raw: Any) -> Value:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        # Try fixed words ('auto', 'none') first, and str last, as it accepts any text.
        for member in sorted(arguments, key=_matching_order):
            try:
                return _convert(member, raw)
            except ValueError:
                continue
        raise ValueError(describe(annotation))
    if isinstance(raw, str):
        raw = raw.strip()
    if origin is Literal:
        for choice in arguments:
            if (raw == choice and type(raw) is type(choice)) or raw == to_text(choice):
                return choice  # type: ignore[no-any-return]
        raise ValueError(describe(annotation))
    if origin is tuple:
        items = raw.split(",") if isinstance(raw, str) else raw
        if raw == "" and arguments[0] is str:
            items = ()  # as `to_text` writes it
        if not isinstance(items, list | tuple):
            items = (items,)
        return tuple(_convert(arguments[0], item) for item in items)
    value: Value = _SCALARS[annotation](raw)
    return value


def _takes_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_takes_list, get_args(annotation)))


def _matching_order(annotation: Any) -> int:
    fixed = annotation is type(None) or get_origin(annotation) is Literal
    return 0 if fixed else 2 if annotation is str else 1


def _shown(bound: float) -> str:
    """Return a bound as text: whole numbers with all of their digits."""
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:g}"


def _none(raw: Any) -> None:
    if raw is not None and raw != NONE_WORD:
        raise ValueError(NONE_WORD)


def _bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in TRUE_WORDS + FALSE_WORDS:
        return raw.lower() in TRUE_WORDS
    raise ValueError("true or false")


def _int(raw: Any) -> int:
    try:
        if isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool)):
            return int(raw)
    except ValueError:
        pass
    raise ValueError("a whole number")


def _float(raw: Any) -> float:
    try:
        if isinstance(raw, str | int | float) and not isinstance(raw, bool) and math.isfinite(float(raw)):
            return float(raw)
    except (ValueError, OverflowError):
        pass
    raise ValueError("a number")


def _str(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    raise ValueError("text")


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {bool: _bool, int: _int, float: _float, str: _str, type(None): _none}
