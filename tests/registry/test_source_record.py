"""The source of a definition from a cell, whatever forms of Python it is written in."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings, strategies as st

from marsseg_core.registry import source_record
from marsseg_core.registry.source_record import record_source

# Cells beside the definition: what they define is used by the forms below.
_BEGINNING = """\
from __future__ import annotations
import math
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps

GAIN = 2
TABLE = {"deep": 3}


def doubled(value, *, by=GAIN):
    return by * value


def traced(function):
    @wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


@dataclass(frozen=True)
class Point:
    x: int = 0
    y: int = GAIN

    def far(self) -> Missing:
        return self.x > GAIN
"""

# Bodies of a function of `z`, each of which returns a number.
FORMS = {
    "lambda": "f = lambda z: doubled(z)\nreturn f(z)",
    "lambda with a default": "return (lambda a, /, b=GAIN, *, c=1: a * b + c)(z)",
    "lambda with stars": "return (lambda *args, **kw: doubled(*args, **kw))(z, by=GAIN)",
    "lambda in a lambda": "return (lambda a: lambda b: a + b + GAIN)(z)(1)",
    "lambda in a default": "def f(a, g=lambda b: b + GAIN): return g(a)\nreturn f(z)",
    "comprehensions": "return sum(x for x in [GAIN * a for a in range(z) if a]) + len({a: GAIN for a in {z, *[1]}})",
    "comprehension in a class": "class A:\n    rows = [doubled(a) for a in range(3)]\nreturn sum(A.rows)",
    "nested functions": "def f(a: Unknown, *b: Unknown, c: int = GAIN, **d: Unknown) -> Unknown:\n"
    "    def g(): return a + c\n    return g()\nreturn f(z)",
    "nonlocal and global": "total = GAIN\ndef f():\n    nonlocal total\n    total += z\nf()\nreturn total",
    "class body": "class A(Point):\n    z: int = GAIN\n    def f(self): return super().far() or self.z\nreturn A().f()",
    "walrus": "return (total := doubled(z)) + [last := GAIN, last][1] + total",
    "match": "match [z, Point()]:\n    case [int(a), Point(x=0, y=b)] if b == GAIN: return a + b\n    case _: return 0",
    "match a mapping": "match dict(TABLE):\n    case {'deep': deep, **rest}: return deep + len(rest)",
    "async": "async def f(a: Unknown) -> Unknown: return doubled(a)\n"
    "try: f(z).send(None)\nexcept StopIteration as end: return end.value",
    "async comprehension": "async def rows():\n    for a in range(z): yield a * GAIN\n"
    "async def f(): return [a async for a in rows()]\n"
    "try: f().send(None)\nexcept StopIteration as end: return sum(end.value)",
    "generator": "def f():\n    got = yield GAIN\n    yield from [got, z]\nreturn next(f())",
    "with and try": "@contextmanager\ndef f(): yield doubled(z)\nwith f() as (value): pass\n"
    "try: raise KeyError\nexcept (KeyError, ValueError): return value\nfinally: del value",
    "f-string": "return float(f\"{'0'}{doubled(z):{'0>'}{GAIN}}\".strip() + f'{z!r:}'[:0])",
    "f-string with escapes": 'rows = [z, GAIN]\nreturn len(f"{rows[0]}\\n\\t{{}}\\"{rows[1]!r}\'" f"""\n{GAIN}""")',
    "decorators": "@traced\ndef f(a): return math.sqrt(a)\nreturn f(z)",
    "annotated names": "a: list[Unknown]\nb: 'Unknown' = doubled(z)\n(c): Unknown = 1\nPoint.w: Unknown = 3\nreturn b",
    "annotation over lines": "def f(a: dict[\n    str, Unknown\n] | None = None, b: (\n        Unknown) = GAIN) -> (\n"
    "    int): return b\nreturn f()",
    "annotation that is a lambda": "a: (lambda b: Unknown) = z\nreturn a + GAIN",
    "names beyond ASCII": "größe: Unknown = doubled(z); µ = GAIN  # ½ \x0c\nreturn größe + µ",
    "starred": "a, *b = [z, *range(GAIN)]\nreturn a + sum([*b, *{1}]) + TABLE['deep']",
    "conditional and slices": "return [z, GAIN][:: -1 if z else 1][0] if not z < 0 < GAIN else -z",
    "loops": "for a in range(z):\n    if a > GAIN: break\nelse:\n    a = 0\nwhile a: a -= 1\nreturn a",
    "import": "import operator as o\nfrom math import floor\nreturn o.add(floor(z), GAIN)",
}
if sys.version_info >= (3, 12):
    FORMS |= {
        "type parameters": "def f[T: Point, *Ts, **P](a: T, *b: *Ts) -> T: return a\n"
        "class A[T]:\n    x: T = GAIN\ntype B[T] = dict[str, T]\nreturn f(z) + A.x",
        "nested quotes": 'return len(f"{TABLE["deep"]}{f"{"\\n".join([str(z)])}"}")',
    }


@pytest.fixture(scope="module")
def execute():
    """Return a function that executes a text as the cell of a notebook, and returns its module."""
    names = []

    def execute(text, name):
        module = ModuleType(name)
        sys.modules[name] = module
        names.append(name)
        linecache.cache[f"<{name}>"] = (len(text), None, text.splitlines(keepends=True), f"<{name}>")
        exec(compile(text, f"<{name}>", "exec"), vars(module))
        return module

    yield execute
    for name in names:
        sys.modules.pop(name, None)
        linecache.cache.pop(f"<{name}>", None)


def cell(*bodies):
    methods = [
        "\n".join([f"    def form{number}(self, z: Missing = 3) -> Missing:", *indented(body)])
        for number, body in enumerate(bodies)
    ]
    return _BEGINNING + "\n\nclass Definition:\n" + "\n\n".join(methods) + "\n"


def indented(body):
    return [f"        {line}" for line in body.split("\n")]


def values(module):
    thing = module.Definition()
    return [getattr(thing, name)() for name in sorted(vars(type(thing))) if name.startswith("form")]


def same(execute, *bodies):
    """Record a class with these methods, execute the record, and compare what the methods return."""
    module = execute(cell(*bodies), "cell_of_forms")
    record = record_source(module.Definition)
    again = execute(record.text, "recorded_forms")
    assert values(again) == values(module)
    assert record.missing == ()
    return record


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_python_is_recorded_with_what_it_uses(execute, form):
    same(execute, FORMS[form])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(sorted(FORMS)), min_size=2, max_size=5))
def test_so_are_forms_together(execute, forms):
    same(execute, *(FORMS[form] for form in forms))


def test_a_text_that_cannot_be_analysed_is_named_and_no_syntax_error(execute, monkeypatch):
    module = execute(cell("return z"), "cell_of_forms")

    def refused(*_):
        raise SyntaxError("invalid syntax (definition, line 8)")

    monkeypatch.setattr(source_record.symtable, "symtable", refused)
    assert record_source(module.Definition).missing == ("Definition",)
