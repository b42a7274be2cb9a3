"""What every component keeps to, whatever its kind: the contracts of the kinds inherit this one."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
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

# What takes seconds to import, or is needed only once something is built.
HEAVY = ("keras", "tensorflow", "jax", "torch", "scipy", "matplotlib")

IMPORT_ALONE = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*[name for name in sys.argv[2:] if name in sys.modules])
"""


class ComponentContract:
    """What every component keeps to; a subclass sets `component`.

    `name` is the one that an installed distribution gives it; without it, the entry point is looked for, and the check
    of its metadata is skipped where there is none. `expected_failures` tells, for the name of a check ("test_…", or
    "test_…[…]" for one case of it), why it is known to fail; one that passes all the same is reported.
    """

    component: ClassVar[Component]
    name: ClassVar[str | None] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for check in cls.expected_failures:
            if not hasattr(cls, check.partition("[")[0]):
                raise TypeError(f"{cls.__name__}.expected_failures names '{check}', which is no check of it")

    @pytest.fixture(autouse=True)
    def with_the_settings_of_a_run(self) -> Iterator[None]:
        """The settings of Keras that a run has, whatever keras.json says."""
        if "keras" not in sys.modules:
            yield
            return
        from ..networks.keras_backend import fixed_settings

        with fixed_settings():
            yield

    @pytest.fixture(autouse=True)
    def marked_where_known_to_fail(self, request: pytest.FixtureRequest) -> None:
        for name in (request.node.name, request.node.originalname):
            if name in self.expected_failures:
                request.node.add_marker(pytest.mark.xfail(reason=self.expected_failures[name], strict=True))
                return

    def test_it_is_a_frozen_dataclass_with_a_summary(self) -> None:
        cls = type(self.component)
        interface = interface_of(cls.kind)
        assert isinstance(self.component, interface), f"{cls.__name__} does not derive from {interface.__name__}"
        assert dataclasses.is_dataclass(cls), f"{cls.__name__} needs @dataclass(frozen=True)"
        parameters: Any = vars(cls).get("__dataclass_params__")
        assert parameters is not None, "the class itself needs @dataclass(frozen=True), not only one it derives from"
        assert parameters.frozen, f"{cls.__name__} can be changed: @dataclass(frozen=True)"
        assert summary_of(cls), "it has no summary: the docstring's first line"
        # What a dataclass writes where there is no docstring.
        assert not summary_of(cls).startswith(f"{cls.__name__}("), "it has no docstring: its first line is its summary"

    def test_the_catalog_has_it_under_its_name(self) -> None:
        cls = type(self.component)
        entries = entries_of(cls) if self.name is None else [installed().find(cls.kind, self.name)]
        if not entries:
            pytest.skip("no installed distribution has an entry point for it")
        for entry in entries:
            assert entry.status == OK, f"{entry.label} is {entry.status}: {entry.reason}"
            assert load(entry) is cls, f"{entry.label} is {load(entry).__name__}, not {cls.__name__}"
            source = find_source(entry)
            assert source is not None, "its source is not found without importing it"
            assert source.summary == summary_of(cls), (
                f"`marsseg list`, which imports nothing, shows '{source.summary}', not '{summary_of(cls)}'"
            )

    def test_importing_its_module_is_light(self) -> None:
        """So that it is listed, shown and checked at once: Keras is imported inside of what builds."""
        heavy = imported_with(type(self.component).__module__)
        assert not heavy, (
            f"importing {type(self.component).__module__} imports {', '.join(heavy)}: do so inside of what builds"
        )

    def test_the_modules_of_its_layers_are_there(self) -> None:
        for module in self.component.layer_modules:
            assert find_spec(module) is not None, f"there is no module {module}"

    def test_every_parameter_has_a_help_and_a_default_that_fits(self) -> None:
        cls = type(self.component)
        taken = {*NAME_KEYS, *parameters_of(options_of(cls.kind))}
        for parameter in parameters_of(cls).values():
            assert parameter.help, f"{parameter.name} has no help: declare it with `param(…, help=…)`"
            assert parameter.name not in taken, f"{parameter.name} is marsseg's own"
            if not parameter.required:
                again = parameter.convert(to_toml(parameter.default))
                assert again == parameter.default, (
                    f"{parameter.name}'s default {parameter.default!r} is read as {again!r}"
                )

    def test_its_parameters_go_to_text_and_back(self) -> None:
        texts = {name: to_text(value) for name, value in settings(self.component).items()}
        again = configure(type(self.component), texts)
        assert again == self.component, f"written as text, {self.component} is read as {again}"

    def test_its_parameters_go_to_toml_and_back(self) -> None:
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        again = configure(type(self.component), tomllib.loads(tomli_w.dumps(values)))
        assert again == self.component, f"written as TOML, {self.component} is read as {again}"
        assert settings(again) == settings(self.component), f"written as TOML, {self.component} is read as {again}"

    def test_it_is_its_configuration(self) -> None:
        """Two with the same parameters are equal and hash alike; the repr tells the parameters."""
        cls, values = type(self.component), settings(self.component)
        again = cls(**values)
        assert again == self.component, "two with the same parameters are not equal: leave __eq__ to the dataclass"
        same = hash(again) == hash(self.component)
        assert same, "two with the same parameters have other hashes: leave __hash__ to the dataclass"
        expected = f"{cls.__qualname__}({', '.join(f'{k}={v!r}' for k, v in values.items())})"
        assert repr(self.component) == expected, f"its repr is not {expected}: leave __repr__ to the dataclass"
        with pytest.raises(dataclasses.FrozenInstanceError):
            self.component.anything = 1  # type: ignore[attr-defined]


def assert_same(found: Any, expected: Any, what: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    """As `np.testing.assert_allclose`; but its first line, which `marsseg doctor` shows, says what is wrong."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: shape {found.shape} instead of {expected.shape}"
    differ = ~np.isclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)
    assert not differ.any(), (
        f"{what}: {differ.sum()} of {differ.size} values differ, such as {found[differ].flat[0]} "
        f"instead of {expected[differ].flat[0]}"
    )


def summary_of(cls: type) -> str:
    """The first line of a class's own docstring."""
    return (inspect.cleandoc(cls.__doc__ or "")).partition("\n")[0].strip()


def entries_of(cls: type[Component]) -> list[Entry]:
    """The catalog's entries for a class, under the package it is in; a package may re-export it from a module."""
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
    """Which of the heavy packages a fresh process has once it has imported a module."""
    return tuple(fresh_python(IMPORT_ALONE, module, *HEAVY).splitlines()[-1].split())


def fresh_python(code: str, *words: str, **environment: str) -> str:
    """What Python code prints in a process of its own, which finds what this one finds; its traceback if it fails."""
    found = os.pathsep.join(path or os.getcwd() for path in sys.path)
    process = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"PYTHONPATH": found} | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def other_backend() -> str:
    """Of the two backends that a training works on, the one that is not Keras' now; skipped where it is missing."""
    import keras

    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    if find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    return other
