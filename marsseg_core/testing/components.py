"""The contract of every component. The contracts of the kinds inherit it."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pytest
import tomli_w

from ..components.interfaces import Component
from ..planning.options import options_of
from ..planning.plan import NAME_KEYS
from ..registry.catalog import installed
from ..registry.entries import OK, Entry
from ..registry.loading import interface_of, load
from ..registry.parameters import configure, parameters_of, settings, to_text, to_toml
from ..registry.source_code import find_source
from .processes import fresh_python

# These packages take seconds to import, or are needed only to build something.
HEAVY = ("keras", "tensorflow", "jax", "torch", "scipy", "cv2", "matplotlib")

IMPORT_ALONE = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*[name for name in sys.argv[2:] if name in sys.modules])
"""


class ComponentContract:
    """Check the requirements for every component: metadata, parameters and a fast import.

    Attributes:
        component: The component to check. A subclass must set it.
        name: The name of the component in the catalog. If it is None, the entry points of the component are looked up,
            and the check of them is skipped if there is none.
        expected_failures: The reason for each check that is known to fail, by the name of the check: "test_…", or
            "test_…[…]" for one case of it. If such a check passes, it is reported as a failure.
    """

    component: ClassVar[Component]
    name: ClassVar[str | None] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for check in cls.expected_failures:
            if not hasattr(cls, check.partition("[")[0]):
                raise TypeError(f"{cls.__name__}.expected_failures names '{check}', but there is no such check")

    @pytest.fixture(autouse=True)
    def keras_settings_of_a_run(self) -> Iterator[None]:
        """Give Keras the settings that it has in a run, and not those of keras.json."""
        if "keras" not in sys.modules:
            yield
            return
        from ..networks.keras_backend.settings import fixed_settings

        with fixed_settings():
            yield

    @pytest.fixture(autouse=True)
    def expect_known_failures(self, request: pytest.FixtureRequest) -> None:
        for name in (request.node.name, request.node.originalname):
            if name in self.expected_failures:
                request.node.add_marker(pytest.mark.xfail(reason=self.expected_failures[name], strict=True))
                return

    def test_it_is_a_frozen_dataclass_with_a_summary(self) -> None:
        cls = type(self.component)
        interface = interface_of(cls.kind)
        assert isinstance(self.component, interface), f"{cls.__name__} does not derive from {interface.__name__}"
        assert dataclasses.is_dataclass(cls), (
            f"{cls.__name__} is not a dataclass: decorate it with @dataclass(frozen=True)"
        )
        parameters: Any = vars(cls).get("__dataclass_params__")
        assert parameters is not None, (
            f"{cls.__name__} is not a dataclass, only a base class of it: decorate it with @dataclass(frozen=True)"
        )
        assert parameters.frozen, f"{cls.__name__} is not frozen: decorate it with @dataclass(frozen=True)"
        missing = f"{cls.__name__} has no docstring: write one, with a summary as its first line"
        assert summary_of(cls), missing
        # A class without a docstring gets a generated one from the dataclass decorator.
        assert not summary_of(cls).startswith(f"{cls.__name__}("), missing

    def test_the_catalog_has_it_under_its_name(self) -> None:
        cls = type(self.component)
        entries = entries_of(cls) if self.name is None else [installed().find(cls.kind, self.name)]
        if not entries:
            pytest.skip("no installed distribution has an entry point for this component")
        for entry in entries:
            assert entry.status == OK, f"{entry.label} is {entry.status}: {entry.reason}"
            assert load(entry) is cls, f"{entry.label} is the class {load(entry).__name__}, not {cls.__name__}"
            source = find_source(entry)
            assert source is not None, f"the source file of {entry.label} cannot be found without importing it"
            assert source.summary == summary_of(cls), (
                f"`marsseg list`, which imports nothing, shows '{source.summary}', not '{summary_of(cls)}'"
            )

    def test_importing_its_module_is_light(self) -> None:
        """Check that the component can be listed, shown and checked without the import of Keras."""
        heavy = imported_with(type(self.component).__module__)
        assert not heavy, (
            f"the module {type(self.component).__module__} imports {', '.join(heavy)}: import this inside the methods "
            "that need it, such as `build`"
        )

    def test_the_modules_of_its_layers_exist(self) -> None:
        for module in self.component.layer_modules:
            assert find_spec(module) is not None, f"layer_modules names {module}, but there is no such module"

    def test_every_parameter_has_a_help_text_and_a_valid_default(self) -> None:
        cls = type(self.component)
        reserved = {*NAME_KEYS, *parameters_of(options_of(cls.kind))}
        for parameter in parameters_of(cls).values():
            assert parameter.help, (
                f"the parameter {parameter.name} has no help text: declare it with `param(…, help=…)`"
            )
            assert parameter.name not in reserved, f"marsseg reserves the name {parameter.name}: rename the parameter"
            if not parameter.required:
                again = parameter.convert(to_toml(parameter.default))
                assert again == parameter.default, (
                    f"the default of {parameter.name}, {parameter.default!r}, is read as {again!r} after it was written"
                )

    def test_its_parameters_can_be_written_as_text_and_read(self) -> None:
        texts = {name: to_text(value) for name, value in settings(self.component).items()}
        again = configure(type(self.component), texts)
        assert again == self.component, f"written as text, {self.component} is read as {again}"

    def test_its_parameters_can_be_written_as_toml_and_read(self) -> None:
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        again = configure(type(self.component), tomllib.loads(tomli_w.dumps(values)))
        assert again == self.component, f"written as TOML, {self.component} is read as {again}"
        assert settings(again) == settings(self.component), f"written as TOML, {self.component} is read as {again}"

    def test_equal_parameters_make_equal_components(self) -> None:
        """Check that two components with equal parameters are equal, and that `repr` shows the parameters."""
        cls, values = type(self.component), settings(self.component)
        again = cls(**values)
        assert again == self.component, (
            "two components with equal parameters are not equal: leave __eq__ to the dataclass"
        )
        same = hash(again) == hash(self.component)
        assert same, "two components with equal parameters have different hashes: leave __hash__ to the dataclass"
        expected = f"{cls.__qualname__}({', '.join(f'{k}={v!r}' for k, v in values.items())})"
        assert repr(self.component) == expected, f"the repr is not {expected}: leave __repr__ to the dataclass"
        with pytest.raises(dataclasses.FrozenInstanceError):
            self.component.anything = 1  # type: ignore[attr-defined]


def assert_same(actual: Any, expected: Any, what: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Assert that two arrays are equal within tolerances, as `np.testing.assert_allclose` does.

    The first line of the message, which is all that `marsseg doctor` shows, says what is wrong: it begins with `what`.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what} (the shape is {actual.shape} instead of {expected.shape})"
    differ = ~np.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True)
    assert not differ.any(), (
        f"{what} ({differ.sum()} of {differ.size} values differ, such as {actual[differ].flat[0]} "
        f"instead of {expected[differ].flat[0]})"
    )


def summary_of(cls: type) -> str:
    """Return the first line of the docstring of a class."""
    return (inspect.cleandoc(cls.__doc__ or "")).partition("\n")[0].strip()


def entries_of(cls: type[Component]) -> list[Entry]:
    """Return the entries of the catalog for a class, from the package of the class.

    The module of an entry may be another one than that of the class, as a package may re-export the class.
    """
    package = cls.__module__.partition(".")[0]
    return [
        entry
        for entry in installed().of_kind(cls.kind)
        if entry.attribute == cls.__qualname__
        and entry.module.partition(".")[0] == package
        and entry.usable
        and load(entry) is cls
    ]


@cache
def imported_with(module: str) -> tuple[str, ...]:
    """Return the packages of HEAVY that the import of a module imports, in a fresh process."""
    return tuple(fresh_python(IMPORT_ALONE, module, *HEAVY).splitlines()[-1].split())
