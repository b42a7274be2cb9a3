"""Whatever a component raises becomes the error that it is: a broken plugin, a shortage of memory, or an interrupt."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from marsseg_core.components.interfaces import Loss
from marsseg_core.errors import PluginError, RequestError, RunError
from marsseg_core.planning.invoke import call_checking_parameters, call_component
from marsseg_core.planning.options import NoOptions
from marsseg_core.planning.resolved import ResolvedComponent
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import LOSS


@dataclass(frozen=True)
class Rude(Loss):
    """A loss."""

    def __repr__(self):
        raise RuntimeError

    def build(self, spec):
        return None


class StopError(BaseException):
    def __str__(self):
        raise SystemExit


@pytest.fixture
def rude() -> ResolvedComponent:
    return ResolvedComponent(Entry(LOSS, "rude", __name__, "acme", "1.0"), Rude(), NoOptions())


def raising(error):
    def function():
        raise error

    return function


def endless():
    return endless()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (raising(SystemExit(3)), "SystemExit: 3"),
        (raising(StopError()), r"StopError: \(its text raises SystemExit\)"),
        (raising(ValueError()), "ValueError"),
        (endless, "RecursionError: maximum recursion depth exceeded"),
    ],
    ids=["exit", "mute", "empty", "recursion"],
)
def test_a_failure_names_the_component(rude, function, text):
    with pytest.raises(PluginError, match=rf"^The loss 'rude' of acme 1.0 failed: {text}") as raised:
        call_component(rude, function)
    assert raised.value.where.endswith("<Rude>")


def test_a_value_error_without_text_is_a_request_that_does_not_fit(rude):
    with pytest.raises(RequestError, match="does not fit") as raised:
        call_checking_parameters(rude, raising(ValueError("\x1b[2J")))
    assert (raised.value.where, raised.value.hint) == ("--loss rude", "`marsseg show rude` lists its parameters.")


def test_a_shortage_of_memory_is_not_the_components_fault(rude):
    with pytest.raises(RunError, match="There is not enough memory: Unable to allocate 9 TiB") as raised:
        call_component(rude, raising(MemoryError("Unable to allocate 9 TiB")))
    assert raised.value.exit_code == 1


def test_an_interrupt_stays_one(rude):
    with pytest.raises(KeyboardInterrupt):
        call_component(rude, raising(KeyboardInterrupt()))


def test_the_working_directory_stays(rude, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call_component(rude, lambda: os.chdir("/"))
    assert os.getcwd() == str(tmp_path)
