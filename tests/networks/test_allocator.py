"""A process that computes networks keeps the memory that it frees, unless the environment has settings of its own."""

from __future__ import annotations

import platform

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are left alone")

# Frees 64 MB ten times, and prints how many pages the system has handed out for it.
FAULTS = """
import ctypes, resource
from marsseg_core.networks.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        ctypes.memset(block := malloc(size), 1, size)
        free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

library = ctypes.CDLL(None)
malloc, free, size = library.malloc, library.free, 64 * 2**20
malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
by_default = faults()
keep_freed_memory()
faults()
print(by_default // 10, faults() // 10)
"""


@pytest.fixture
def faults(python, monkeypatch):
    """`faults(NAME=value)` → pages for each block before and after the change, with these environment variables."""
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)

    def call(**variables: str) -> tuple[int, int]:
        before, after = python(FAULTS, **variables).out.split()
        return int(before), int(after)

    return call


def test_a_block_is_fetched_from_the_system_only_once(faults):
    before, after = faults()
    assert before > 10
    assert after == 0


@pytest.mark.parametrize("variables", [{"MALLOC_ARENA_MAX": "4"}, {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=7"}])
def test_settings_of_the_environment_are_left_alone(faults, variables):
    before, after = faults(**variables)
    assert after == pytest.approx(before, rel=0.1)
